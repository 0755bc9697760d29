// @ts-check
/**
 * The live part of the map page: takes frames and what the server says of collectors, keeps the unit, notices when the numbers stop, and tells the
 * stage and the page. It draws nothing itself.
 */

import { decodeFrame } from "./wire/frames.js";
import { TrafficPoll } from "./wire/traffic.js";

/** @typedef {import("../live/rates.js").Rates} Rates */
/** @typedef {import("./store/traffic.js").Traffic} Traffic */
/** @typedef {import("./store/units.js").Unit} Unit */

const LOOK_MS = 1000;

export class LiveTraffic {
  /**
   * @param {string} url of what the server says @param {Rates} rates @param {Traffic} traffic
   * @param {{onNumbers: () => void, onStopped: () => void, onOldPicture: () => void}} told  onNumbers: paint; onStopped: the numbers stopped, or go on
   */
  constructor(url, rates, traffic, told) {
    this.rates = rates;
    this.traffic = traffic;
    this.told = told;
    this.poll = new TrafficPoll(url, (facts) => {
      traffic.setFacts(facts);
      told.onNumbers();
    });
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  destroy() {
    clearInterval(this.timer);
    this.poll.destroy();
  }

  /** One second of rates. @param {ArrayBuffer} octets */
  take(octets) {
    const frame = decodeFrame(octets);
    if (!frame || !this.traffic.graph) return;
    if (!this.rates.take(frame)) {
      if (this.rates.isSnapshotOld) this.told.onOldPicture();
      return;
    }
    this.look();
    this.told.onNumbers();
  }

  /** Whether what is shown is still new. */
  look() {
    const isStopped = this.rates.state() === "stale";
    if (isStopped === this.traffic.isStopped) return;
    this.traffic.isStopped = isStopped;
    this.told.onStopped();
  }

  /** @param {Unit} unit */
  setUnit(unit) {
    this.traffic.unit = unit;
    this.told.onNumbers();
  }
}
