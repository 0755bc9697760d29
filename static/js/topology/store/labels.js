// @ts-check
/**
 * Greedy label placement: the most important first, each at its first place that is free. Pure; boxes in px.
 */

import { overlaps } from "./view.js";

/** @typedef {import("./types.js").Box} Box */
/**
 * @template T
 * @typedef {{rank: number, isNeeded: boolean, places: Array<{box: Box, of: T}>}} LabelWish  places from best to worst
 */

/** @param {Box} a @param {Box} b @returns {number} px² that they share */
function shared(a, b) {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/**
 * @template T
 * @param {Array<LabelWish<T>>} wishes  higher rank first; a needed one may cover obstacles where it hides least, never another label
 * @param {Box[]} obstacles
 * @param {Box[]} [words] of the obstacles what is worst to hide: headings and the like
 * @returns {Array<{box: Box, of: T}>}
 */
export function placeLabels(wishes, obstacles, words = []) {
  /** @type {Array<{box: Box, of: T}>} */
  const placed = [];
  for (const wish of [...wishes].sort((a, b) => b.rank - a.rank)) {
    const free = wish.places.filter((place) => !placed.some((other) => overlaps(other.box, place.box)));
    let found = free.find((place) => !obstacles.some((box) => overlaps(box, place.box)));
    if (!found && wish.isNeeded) {
      let least = Infinity;
      for (const place of free) {
        const cost = words.reduce((sum, box) => sum + 100 * shared(box, place.box), obstacles.reduce((sum, box) => sum + shared(box, place.box), 0));
        if (cost < least) [found, least] = [place, cost];
      }
    }
    if (found) placed.push(found);
  }
  return placed;
}
