// @ts-check
/**
 * What the server says of the collectors' numbers: asked for at the start, on every health event and every ten seconds while somebody looks. The
 * figures themselves come over the socket once a second.
 */

import { fetchTraffic } from "./fetches.js";

/** @typedef {import("../store/traffic.js").Facts} Facts */

const AGAIN_MS = 10_000;
const GAP_MS = 500;

export class TrafficPoll {
  /** @param {string} url "" = never ask @param {(facts: Facts) => void} onFacts */
  constructor(url, onFacts) {
    this.url = url;
    this.onFacts = onFacts;
    this.timer = 0;
    this.isAsking = false;
    this.isWanted = false;
    this.askedAt = -GAP_MS;
    this.stop = new AbortController();
    document.addEventListener("visibilitychange", () => !document.hidden && this.nudge(), { signal: this.stop.signal });
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
    if (!this.url || this.stop.signal.aborted || document.hidden) return;
    clearTimeout(this.timer);
    this.isAsking = true;
    this.isWanted = false;
    this.askedAt = performance.now();
    try {
      this.onFacts(await fetchTraffic(this.url, this.stop.signal));
    } catch {
      // The banners tell of a server that is away; what was said last stays until it answers.
    }
    this.isAsking = false;
    if (!this.stop.signal.aborted) this.#later(this.isWanted ? GAP_MS : AGAIN_MS);
  }

  destroy() {
    clearTimeout(this.timer);
    this.stop.abort();
  }
}
