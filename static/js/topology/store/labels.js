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

/**
 * @template T
 * @param {Array<LabelWish<T>>} wishes  higher rank first; a needed one may cover an obstacle with its last place, never another label
 * @param {Box[]} obstacles
 * @returns {Array<{box: Box, of: T}>}
 */
export function placeLabels(wishes, obstacles) {
  /** @type {Array<{box: Box, of: T}>} */
  const placed = [];
  for (const wish of [...wishes].sort((a, b) => b.rank - a.rank)) {
    const isFree = (/** @type {{box: Box}} */ place) => !placed.some((other) => overlaps(other.box, place.box));
    const clear = wish.places.find((place) => isFree(place) && !obstacles.some((box) => overlaps(box, place.box)));
    const found = clear ?? (wish.isNeeded ? wish.places.findLast(isFree) : undefined);
    if (found) placed.push(found);
  }
  return placed;
}
