// @ts-check
/** Text on the canvas: measured once, shortened with an ellipsis. */

const MOST_KEPT = 20_000;

/** @type {Map<string, number>} */
const widths = new Map();

/** @param {CanvasRenderingContext2D} ctx @param {string} text @returns {number} width in the context's units */
export function widthOf(ctx, text) {
  const key = `${ctx.font}|${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size >= MOST_KEPT) widths.clear();
    width = ctx.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/** @returns {number} widths in memory, 20,000 at most */
export function widthsKept() {
  return widths.size;
}

/** A face that arrives late changes every width. */
export function forgetWidths() {
  widths.clear();
}

/** @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} room @returns {string} "" when not even two letters fit */
export function shorten(ctx, text, room) {
  if (widthOf(ctx, text) <= room) return text;
  const letters = [...text];
  let low = 0;
  let high = letters.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (ctx.measureText(`${letters.slice(0, middle).join("")}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return low < 2 ? "" : `${letters.slice(0, low).join("")}…`;
}

const LAST_NUMBER = /(?<=[-_.])\d{1,4}$/;
export const LAST_WORD = /[-_.][^-_.]{1,6}$/;

/**
 * As `shorten`, but a tail stays: names of a series differ there ("nic-sensor-01", "nic-sensor-02").
 *
 * @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} room @param {RegExp} [tailOf] finds what stays @returns {string}
 */
export function shortenName(ctx, text, room, tailOf = LAST_NUMBER) {
  if (widthOf(ctx, text) <= room) return text;
  const tail = tailOf.exec(text)?.[0] ?? "";
  const letters = [...text];
  for (let head = tail ? letters.length - tail.length - 1 : 0; head >= 3; head--) {
    const short = `${letters.slice(0, head).join("")}…${tail}`;
    if (widthOf(ctx, short) <= room) return short;
  }
  return shorten(ctx, text, room);
}
