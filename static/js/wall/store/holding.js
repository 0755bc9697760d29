// @ts-check
/**
 * Where a map that nobody moves looks: it follows what it shows, but slowly. Pure: sizes, boxes and the clock come in.
 *
 * Rule 1: what it is asked to show is in the picture; what leaves it is followed after WAIT_MS of quiet, at the latest after LONGEST_WAIT_MS.
 * Rule 2: a change that stays inside the picture moves nothing until there is so much room that it would be a quarter larger, for CALM_MS.
 * Rule 3: another question (a view, a node) and another window are answered at once: there is no old picture to hold on to.
 */

import { fit } from "../../topology/store/view.js";

/** @typedef {import("../../topology/store/types.js").Box} Box */
/** @typedef {import("../../topology/store/types.js").View} View */
/** @typedef {import("../../topology/store/types.js").Size} Size */
/** @typedef {{question: string, box: Box, size: Size, pad: number, top: number, kMax: number}} Wish  box: world; the rest px of the stage */
/** @typedef {{view: View, wish: Wish, since: number | null, changedAt: number}} Held  since: when it began to fit badly, ms */
/** @typedef {{held: Held, isMove: boolean, isJump: boolean}} Step  isJump: another question, so without a flight */

/** A picture may be so much smaller than it could be. */
export const SLACK = 1.25;
/** Room that a move leaves for what comes next, a share of the box. */
export const SPARE = 0.05;
export const WAIT_MS = 2000;
export const LONGEST_WAIT_MS = 10_000;
export const CALM_MS = 20_000;
/** The desk's picture: a saved view is what such a window showed, so it is shown in whole on any screen. */
export const DESK = Object.freeze({ w: 1380, h: 842 });

/** @param {View} saved at a desk @returns {Box} world */
export function boxOfSaved({ x, y, k }) {
  return { x: x - DESK.w / k / 2, y: y - DESK.h / k / 2, w: DESK.w / k, h: DESK.h / k };
}

/** @param {Wish} wish @param {number} [spare] @returns {View} */
export function viewOf({ box, size, pad, top, kMax }, spare = 0) {
  const more = { x: box.x - box.w * spare / 2, y: box.y - box.h * spare / 2, w: box.w * (1 + spare), h: box.h * (1 + spare) };
  return fit(more, size, { pad, top, kMax });
}

/** @param {View} view @param {Wish} wish @returns {boolean} all of the box is in the picture, but for a px of rounding */
export function holds(view, { box, size, top }) {
  const left = (box.x - view.x) * view.k + size.w / 2;
  const up = (box.y - view.y) * view.k + size.h / 2;
  return left >= -1 && up >= top - 1 && left + box.w * view.k <= size.w + 1 && up + box.h * view.k <= size.h + 1;
}

/** @param {Wish} a @param {Wish} b */
function isSameBox(a, b) {
  return a.box.x === b.box.x && a.box.y === b.box.y && a.box.w === b.box.w && a.box.h === b.box.h;
}

/**
 * @param {Held | null} held what is looked at now @param {Wish} wish what should be @param {number} now ms of a clock that only goes forward
 * @returns {Step} the view to look at from now on
 */
export function follow(held, wish, now) {
  const isNew = held === null || held.wish.question !== wish.question || held.wish.size.w !== wish.size.w || held.wish.size.h !== wish.size.h || held.wish.pad !== wish.pad || held.wish.top !== wish.top;
  if (isNew) return { held: { view: viewOf(wish), wish, since: null, changedAt: now }, isMove: true, isJump: true };
  const changedAt = isSameBox(held.wish, wish) ? held.changedAt : now;
  const isOut = !holds(held.view, wish);
  const isSmall = viewOf(wish, SPARE).k / held.view.k > SLACK;
  if (!isOut && !isSmall) return { held: { ...held, wish, since: null, changedAt }, isMove: false, isJump: false };
  const since = held.since ?? now;
  const isDue = isOut ? now - changedAt >= WAIT_MS || now - since >= LONGEST_WAIT_MS : now - since >= CALM_MS;
  if (!isDue) return { held: { ...held, wish, since, changedAt }, isMove: false, isJump: false };
  return { held: { view: viewOf(wish, SPARE), wish, since: null, changedAt }, isMove: true, isJump: false };
}
