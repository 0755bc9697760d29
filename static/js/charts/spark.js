// @ts-check
/** A sparkline: the shape of a few dozen values, NaN a hole, from 0 to the largest. Draws nothing for fewer than two known ones. */

/**
 * The stretches of known values.
 * @param {ArrayLike<number>} values
 * @returns {[number, number][]} first index, index behind the last
 */
export function stretches(values) {
  /** @type {[number, number][]} */
  const found = [];
  for (let from = 0; from < values.length; from++) {
    if (Number.isNaN(values[from])) continue;
    let to = from;
    while (to < values.length && !Number.isNaN(values[to])) to++;
    found.push([from, to]);
    from = to;
  }
  return found;
}

/** @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} values */
export function drawSpark(canvas, values) {
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  const dpr = Math.min(3, window.devicePixelRatio || 1);
  const width = Math.round((canvas.clientWidth || 120) * dpr);
  const height = Math.round((canvas.clientHeight || 28) * dpr);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  ctx.clearRect(0, 0, width, height);
  let most = 0;
  for (let index = 0; index < values.length; index++) most = Math.max(most, values[index] || 0);
  ctx.strokeStyle = ctx.fillStyle = getComputedStyle(canvas).getPropertyValue("--flow");
  ctx.lineWidth = 1.5 * dpr;
  ctx.lineJoin = "round";
  const x = (/** @type {number} */ at) => (at / Math.max(1, values.length - 1)) * width;
  const y = (/** @type {number} */ at) => height - 2 * dpr - ((values[at] ?? 0) / (most || 1)) * (height - 5 * dpr);
  for (const [from, to] of stretches(values)) {
    ctx.beginPath();
    for (let at = from; at < to; at++) ctx.lineTo(x(at), y(at));
    if (to - from === 1) ctx.lineTo(x(from) + dpr, y(from));
    ctx.stroke();
    if (to - from === 1) continue;
    ctx.lineTo(x(to - 1), height);
    ctx.lineTo(x(from), height);
    ctx.globalAlpha = 0.16;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
}
