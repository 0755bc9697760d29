// @ts-check
/**
 * All that a view may know, in one place that outlives every view. The page writes it; views read it and never fetch.
 */

import { Rates } from "../live/rates.js";
import { Traffic } from "../topology/store/traffic.js";
import { Clock, minuteWords, momentWords, timeWords } from "./store/clock.js";
import { feedOf, isStale, staleSince, trustedMs } from "./store/trust.js";

/** @typedef {import("./store/types.js").State} State */
/** @typedef {import("./store/types.js").Picture} Picture */
/** @typedef {import("./store/types.js").Collector} Collector */
/** @typedef {import("../topology/store/graph.js").Graph} Graph */

export class WallModel {
  /** @param {{mono?: () => number, wall?: () => number}} [clocks] ms: one that only goes forward, and the machine's time of day */
  constructor(clocks = {}) {
    this.mono = clocks.mono ?? (() => performance.now());
    this.clock = new Clock(clocks);
    this.rates = new Rates(clocks);
    this.traffic = new Traffic(this.rates);
    this.traffic.timeOf = (ms) => this.timeOf(ms);
    /** @type {State | null} */
    this.state = null;
    /** @type {Picture | null} the newest one; stays when the line is lost */
    this.picture = null;
    /** @type {Graph | null} */
    this.graph = null;
    /** The page's one map, moved between the views that show it; null until it is made. @type {import("./store/types.js").MapOnWall | null} */
    this.map = null;
    /** @type {import("./store/types.js").Line} */
    this.line = { phase: "connecting", lost_ms: null, retry_ms: null, attempt: 0 };
    /** mono ms of the last word of the server. */
    this.heardAt = this.mono();
    /** Since when the server says that nobody measures, unix ms. @type {number | null} */
    this.stopped_ms = null;
    this.isStopped = false;
  }

  /** @returns {number} the server's time, unix ms */
  now() {
    return this.clock.now();
  }

  get zone() {
    return this.state?.display.time_zone ?? "UTC";
  }

  /** @param {number} ms @returns {string} "03:12:08" in the display's zone */
  timeOf(ms) {
    return timeWords(ms, this.zone);
  }

  /** @param {number} ms @returns {string} "03:12" */
  minuteOf(ms) {
    return minuteWords(ms, this.zone);
  }

  /** @param {number} ms @returns {string} "05:00", with its day when it is another one */
  momentOf(ms) {
    return momentWords(ms, this.now(), this.zone);
  }

  /** How far the whole picture can be trusted. @returns {import("./store/types.js").Feed} */
  get feed() {
    const frame_age_s = this.rates.ageS();
    return feedOf({
      hasPicture: this.picture !== null,
      isOpen: this.line.phase === "open",
      silent_ms: this.mono() - this.heardAt,
      isMeasured: this.picture?.meter.state === "live",
      isStopped: this.isStopped,
      frame_age_ms: frame_age_s === null ? null : frame_age_s * 1000,
    });
  }

  /** The moment of the last numbers that can be trusted, unix ms. @returns {number | null} null: none ever came */
  get trusted_ms() {
    return trustedMs(this.picture, this.rates.arrivedAt === null ? null : this.rates.unix_s * 1000);
  }

  /** @param {Collector} collector */
  isStale(collector) {
    return isStale(collector, this.now());
  }

  /** @param {Collector} collector */
  staleSince(collector) {
    return staleSince(collector, this.now());
  }

  /** Forgets all that was told of the estate: what comes next has other names for it, or nothing comes. The objects stay the same ones. */
  forget() {
    this.picture = null;
    this.graph = null;
    this.rates.setSeries(-1, []);
    this.rates.arrivedAt = null;
    this.traffic.setFacts({ collectors: [], silent: [] });
    this.traffic.placeOf = new Map();
    this.traffic.graph = null;
  }
}
