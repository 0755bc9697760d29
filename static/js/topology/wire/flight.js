// @ts-check
/**
 * Which NICs a running change writes to now. Messages of changes only say that it is time to ask again: the answer is short whatever the
 * estate, and never older than the last message. While anything is in flight it is asked for anyway, should a message be lost.
 */

import { fetchInFlight } from "./fetches.js";

const GAP_MS = 400;
const AGAIN_MS = 5000;

export class InFlight {
  /** @param {string} url "" = never ask @param {(changeOf: ReadonlyMap<number, number>) => void} onNews node id → change */
  constructor(url, onNews) {
    this.url = url;
    this.onNews = onNews;
    /** @type {ReadonlyMap<number, number>} */
    this.changeOf = new Map();
    this.timer = 0;
    this.isAsking = false;
    this.isWanted = false;
    this.askedAt = -GAP_MS;
    this.stop = new AbortController();
  }

  /** Something moved: asks at once, and once more for all that moves within a short while after. */
  nudge() {
    this.isWanted = true;
    if (!this.isAsking) this.#later(Math.max(0, this.askedAt + GAP_MS - performance.now()));
  }

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), ms);
  }

  async ask() {
    if (!this.url || this.stop.signal.aborted) return;
    clearTimeout(this.timer);
    this.isAsking = true;
    this.isWanted = false;
    this.askedAt = performance.now();
    try {
      const found = await fetchInFlight(this.url, this.stop.signal);
      const isSame = found.size === this.changeOf.size && [...found].every(([id, change]) => this.changeOf.get(id) === change);
      this.changeOf = found;
      if (!isSame) this.onNews(found);
    } catch {
      // The banner of the line tells of a server that is away; the next message, or the next look, mends this.
    }
    this.isAsking = false;
    if (this.stop.signal.aborted) return;
    if (this.isWanted) this.#later(GAP_MS);
    else if (this.changeOf.size) this.#later(AGAIN_MS);
  }

  destroy() {
    clearTimeout(this.timer);
    this.stop.abort();
  }
}
