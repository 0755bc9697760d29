// @ts-check
/**
 * Where we look: pure functions from view to view, the levels of detail, and the view's place in the address bar.
 */

/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Size} Size */
/** @typedef {import("./types.js").Box} Box */

export const K_MIN = 0.01;
export const K_MAX = 4;

/** From these px per world unit on the next level of detail is drawn. */
export const LEVEL = Object.freeze({ subnets: 0.1, dots: 0.35, chips: 0.58 });

/** @param {number} k @returns {0 | 1 | 2 | 3} heat tiles, subnet tiles, NIC dots, NIC chips */
export function levelOf(k) {
  if (k < LEVEL.subnets) return 0;
  if (k < LEVEL.dots) return 1;
  return k < LEVEL.chips ? 2 : 3;
}

/** @param {number} k */
export function clampK(k) {
  return Math.min(K_MAX, Math.max(K_MIN, k));
}

/** @param {View} view @param {Size} size @param {number} x world @param {number} y world @returns {{x: number, y: number}} px */
export function toScreen(view, size, x, y) {
  return { x: (x - view.x) * view.k + size.w / 2, y: (y - view.y) * view.k + size.h / 2 };
}

/** @param {View} view @param {Size} size @param {number} x px @param {number} y px @returns {{x: number, y: number}} world */
export function toWorld(view, size, x, y) {
  return { x: (x - size.w / 2) / view.k + view.x, y: (y - size.h / 2) / view.k + view.y };
}

/** @param {View} view @param {Size} size @param {Box} box @returns {Box} px */
export function boxToScreen(view, size, box) {
  const at = toScreen(view, size, box.x, box.y);
  return { x: at.x, y: at.y, w: box.w * view.k, h: box.h * view.k };
}

/** @param {View} view @param {Size} size @param {number} [margin] share of the picture added on each side @returns {Box} world */
export function visibleBox(view, size, margin = 0) {
  const w = (size.w / view.k) * (1 + 2 * margin);
  const h = (size.h / view.k) * (1 + 2 * margin);
  return { x: view.x - w / 2, y: view.y - h / 2, w, h };
}

/** @param {View} view @param {number} dx px @param {number} dy px @returns {View} */
export function pan(view, dx, dy) {
  return { ...view, x: view.x - dx / view.k, y: view.y - dy / view.k };
}

/**
 * Zooms by a factor and keeps the world point under (px, py) where it is.
 *
 * @param {View} view @param {Size} size @param {number} factor @param {number} px @param {number} py
 * @returns {View}
 */
export function zoomAt(view, size, factor, px, py) {
  const k = clampK(view.k * factor);
  const world = toWorld(view, size, px, py);
  return { k, x: world.x - (px - size.w / 2) / k, y: world.y - (py - size.h / 2) / k };
}

/**
 * Shows the whole box with a margin, never larger than `kMax`.
 *
 * @param {Box} box @param {Size} size @param {{pad?: number, kMax?: number, top?: number, bottom?: number}} [room] px
 * @returns {View}
 */
export function fit(box, size, { pad = 32, kMax = 1.25, top = 0, bottom = 0 } = {}) {
  const w = Math.max(1, size.w - 2 * pad);
  const h = Math.max(1, size.h - 2 * pad - top - bottom);
  const k = Math.min(kMax, clampK(Math.min(w / Math.max(1, box.w), h / Math.max(1, box.h))));
  return { k, x: box.x + box.w / 2, y: box.y + box.h / 2 - (top - bottom) / 2 / k };
}

/**
 * The view a part of the way from one to another; zoom moves geometrically, so a flight looks even.
 *
 * @param {View} from @param {View} to @param {number} t 0..1 @returns {View}
 */
export function between(from, to, t) {
  if (t >= 1) return to;
  const k = from.k * (to.k / from.k) ** t;
  const share = Math.abs(to.k - from.k) < 1e-6 ? t : (1 / from.k - 1 / k) / (1 / from.k - 1 / to.k);
  return { k, x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

/** @param {Box} a @param {Box} b */
export function overlaps(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** @param {View} view @returns {string} "x,y,k" with as many digits as a pixel needs */
export function viewToText(view) {
  return `${view.x.toFixed(0)},${view.y.toFixed(0)},${Number(view.k.toPrecision(4))}`;
}

/** @param {string | null} text @returns {View | null} null when it is not a view */
export function viewFromText(text) {
  const parts = (text ?? "").split(",").map(Number);
  if (parts.length !== 3 || parts.some((part) => !Number.isFinite(part)) || parts[2] <= 0) return null;
  return { x: parts[0], y: parts[1], k: clampK(parts[2]) };
}
