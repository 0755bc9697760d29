// @ts-check
/** The last minutes of one rate as a line over its area, with holes where nothing is known and a dashed line at the capacity. Its colour is the canvas's own. */

import { stretches } from "../../charts/spark.js";
import { trendScale } from "../store/figures.js";

/** @typedef {{values: readonly (number | null)[], limit: number | null}} Trend  oldest first, null a hole; `limit`: 100 % in the same unit */

/**
 * Draws only what there is: fewer than two known values are no trend.
 *
 * @param {HTMLCanvasElement} canvas @param {Trend} trend @param {number} u px of one unit of the wall
 * @returns {ReturnType<typeof trendScale>}
 */
export function drawTrend(canvas, { values, limit }, u) {
  const scale = trendScale(values, limit);
  const ctx = canvas.getContext("2d");
  if (!ctx) return scale;
  const dpr = Math.min(2, window.devicePixelRatio || 1);
  const width = Math.round(canvas.clientWidth * dpr);
  const height = Math.round(canvas.clientHeight * dpr);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  ctx.clearRect(0, 0, width, height);
  if (scale.knownCount < 2 || !width || !height) return scale;
  const px = u * dpr;
  const x = (/** @type {number} */ at) => (at / Math.max(1, values.length - 1)) * width;
  const y = (/** @type {number} */ value) => height - px - (value / scale.top) * (height - 3 * px);
  const known = values.map((value) => value ?? NaN);
  const style = getComputedStyle(canvas);
  ctx.strokeStyle = ctx.fillStyle = style.color;
  ctx.lineWidth = 2.5 * px;
  ctx.lineJoin = ctx.lineCap = "round";
  for (const [from, to] of stretches(known)) {
    ctx.beginPath();
    for (let at = from; at < to; at++) ctx.lineTo(x(at), y(/** @type {number} */ (known[at])));
    if (to - from === 1) ctx.lineTo(x(from) + px, y(/** @type {number} */ (known[from])));
    ctx.stroke();
    ctx.lineTo(x(to - 1), height);
    ctx.lineTo(x(from), height);
    ctx.globalAlpha = 0.16;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  if (scale.limit !== null) {
    ctx.strokeStyle = style.getPropertyValue("--ink2");
    ctx.lineWidth = 1.5 * px;
    ctx.setLineDash([4 * px, 6 * px]);
    ctx.beginPath();
    ctx.moveTo(0, y(scale.limit));
    ctx.lineTo(width, y(scale.limit));
    ctx.stroke();
    ctx.setLineDash([]);
  }
  return scale;
}
