// @ts-check
/** A short list of what happened when. */

import { el, put, Rows } from "./dom.js";

/** @typedef {{at_ms: number, words: string}} Moment */

export class Moments {
  /** @param {string} className of the list @param {(ms: number) => string} momentOf */
  constructor(className, momentOf) {
    this.element = el("ul", `wall-moments ${className}`);
    /** @type {Rows<Moment, {time: HTMLElement, words: HTMLElement}>} */
    this.rows = new Rows(
      this.element,
      () => {
        const element = el("li");
        const parts = { time: el("span", "wall-moments__time"), words: el("span", "wall-moments__words") };
        element.append(parts.time, parts.words);
        return { element, parts };
      },
      (parts, row) => {
        put(parts.time, momentOf(row.at_ms));
        put(parts.words, row.words);
      },
    );
  }

  /** @param {readonly Moment[]} moments */
  set(moments) {
    this.rows.set(moments);
  }
}
