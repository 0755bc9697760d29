// @ts-check
/** The colours of the canvas: the custom properties of tokens.css, read once for each theme. */

export const TOKENS = /** @type {const} */ ([
  "bg", "grid", "panel", "panel2", "line", "line2", "ink", "ink2", "ink3", "vnet", "sub", "chip", "chipln", "pipe", "pipeln",
  "flow", "flow2", "dot", "acc", "hub", "warn", "bad", "stale", "sel",
]);

/** @typedef {Record<string, string>} Palette  token → CSS colour; "font" is the typeface list */

/** @param {HTMLElement} element @returns {Palette} */
export function readPalette(element) {
  const style = getComputedStyle(element);
  /** @type {Palette} */
  const palette = {};
  for (const token of TOKENS) palette[token] = style.getPropertyValue(`--${token}`).trim() || "#808080";
  palette.font = style.getPropertyValue("--font").trim() || "sans-serif";
  return palette;
}
