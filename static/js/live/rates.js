// @ts-check
/**
 * The store of rates: for every series its newest value, the last one that was known, and the last sixty seconds; and how old all of it is.
 *
 * Rule 1: a frame of another series_revision, or with another number of series, is never taken. Rule 2: not seeing is not zero: when frames stop, the
 * last values stay and the store says since when they are old. Rule 3: memory depends on the number of series alone, however long a page stays open.
 * Pure: no socket, no drawing; both clocks come in.
 */

/** @typedef {import("../topology/wire/frames.js").Frame} Frame */
/** @typedef {{bits_per_s: number, packets_per_s: number | null, unix_s: number}} Known  a value and the server's second it was measured in */
/** @typedef {"none" | "live" | "stale"} RatesState  none: no frame has come yet */

/** Seconds that a sparkline holds, newest last. */
export const SPARK_S = 60;
/** Without a frame for so long, what is shown is stale. */
export const STALE_AFTER_MS = 5000;
/** So many frames in a row that do not fit: the picture is another one than the server's and must be read again; then after twice as many, and so on. */
const FOREIGN_UNTIL_ASKED = 5;

/** @type {Float32Array} */
const NOTHING = new Float32Array(0);

export class Rates {
  /**
   * @param {{mono?: () => number, wall?: () => number}} [clocks] ms: one that only goes forward and tells ages, and the time of day
   */
  constructor({ mono = () => performance.now(), wall = () => Date.now() } = {}) {
    this.mono = mono;
    this.wall = wall;
    /** The newest values by index of the series, NaN unknown. Read them in the turn in which you draw: the next frame brings other arrays. */
    this.bits = NOTHING;
    this.packets = NOTHING;
    /** Which order of series the values have; null before the first snapshot. @type {number | null} */
    this.series_revision = null;
    /** @type {readonly string[]} */
    this.series = [];
    /** @type {Map<string, number>} series key → index */
    this.indexOf = new Map();
    /** Server's second of the newest frame; 0 before the first. */
    this.unix_s = 0;
    /** Frames taken, frames that were of another series_revision, and of those how many in a row. */
    this.taken = 0;
    this.foreign = 0;
    this.foreignInARow = 0;
    /** @type {number | null} mono ms of the newest frame */
    this.arrivedAt = null;
    this.isLineOpen = true;
    this.isStopped = false;
    /** The last known values by index. */
    this.knownBits = NOTHING;
    this.knownPackets = NOTHING;
    this.knownAt = new Float64Array(0);
    /** Rings, one row of all series a second: slot = unix second modulo SPARK_S. */
    this.ringBits = NOTHING;
    this.ringPackets = NOTHING;
  }

  /**
   * The order of series that frames are read in from now on. Values and sparklines of series that stay are kept.
   *
   * @param {number} series_revision @param {readonly string[]} series keys: TAP configurations, then collectors
   * @returns {boolean} whether it is another one than before
   */
  setSeries(series_revision, series) {
    if (series_revision === this.series_revision && series.length === this.series.length) return false;
    const before = this.indexOf;
    const old = { size: this.series.length, knownBits: this.knownBits, knownPackets: this.knownPackets, knownAt: this.knownAt, ringBits: this.ringBits, ringPackets: this.ringPackets, bits: this.bits, packets: this.packets };
    const size = series.length;
    this.series_revision = series_revision;
    this.series = series;
    this.indexOf = new Map();
    this.bits = new Float32Array(size).fill(NaN);
    this.packets = new Float32Array(size).fill(NaN);
    this.knownBits = new Float32Array(size).fill(NaN);
    this.knownPackets = new Float32Array(size).fill(NaN);
    this.knownAt = new Float64Array(size);
    this.ringBits = new Float32Array(size * SPARK_S).fill(NaN);
    this.ringPackets = new Float32Array(size * SPARK_S).fill(NaN);
    this.foreignInARow = 0;
    for (let index = 0; index < size; index++) {
      const key = at(series, index);
      this.indexOf.set(key, index);
      const was = before.get(key);
      if (was === undefined) continue;
      this.bits[index] = at(old.bits, was);
      this.packets[index] = at(old.packets, was);
      this.knownBits[index] = at(old.knownBits, was);
      this.knownPackets[index] = at(old.knownPackets, was);
      this.knownAt[index] = at(old.knownAt, was);
      for (let slot = 0; slot < SPARK_S; slot++) {
        this.ringBits[slot * size + index] = at(old.ringBits, slot * old.size + was);
        this.ringPackets[slot * size + index] = at(old.ringPackets, slot * old.size + was);
      }
    }
    return true;
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} whether it was taken: it is of our series_revision and length
   */
  take(frame) {
    if (frame.series_revision !== this.series_revision || frame.bits.length !== this.series.length) {
      this.foreign++;
      this.foreignInARow++;
      return false;
    }
    this.foreignInARow = 0;
    this.taken++;
    const size = this.series.length;
    const { bits, packets } = frame;
    this.#forgetSecondsUpTo(frame.unix_s);
    const slot = slotOf(frame.unix_s);
    this.ringBits.set(bits, slot * size);
    this.ringPackets.set(packets, slot * size);
    for (let index = 0; index < size; index++) {
      const value = at(bits, index);
      if (value !== value) continue; // NaN: the last known value stays the last known value
      this.knownBits[index] = value;
      this.knownPackets[index] = at(packets, index);
      this.knownAt[index] = frame.unix_s;
    }
    this.bits = bits;
    this.packets = packets;
    this.unix_s = frame.unix_s;
    this.arrivedAt = this.mono();
    this.isStopped = false;
    return true;
  }

  /** Seconds between two frames, and seconds gone by a step of the server's clock, are holes. @param {number} unix_s */
  #forgetSecondsUpTo(unix_s) {
    const size = this.series.length;
    const gone = Math.floor(unix_s) - Math.floor(this.unix_s);
    // A clock that stepped, back or far ahead: nothing in the ring is of the last minute any more.
    const holes = gone < 0 || gone > SPARK_S ? SPARK_S : gone;
    for (let back = 0; back < holes; back++) {
      const slot = slotOf(unix_s - back);
      this.ringBits.fill(NaN, slot * size, (slot + 1) * size);
      this.ringPackets.fill(NaN, slot * size, (slot + 1) * size);
    }
  }

  /** @param {boolean} isOpen whether the socket stands; without it everything is stale at once */
  setLine(isOpen) {
    this.isLineOpen = isOpen;
  }

  /** The server says that nobody measures now: stale at once, until the next frame. */
  stop() {
    this.isStopped = true;
  }

  /** Whether frames have come that do not fit, so that the snapshot should be read again: true at the 5th in a row, the 10th, 20th, 40th … */
  get isSnapshotOld() {
    return this.foreignInARow > 0 && Number.isInteger(Math.log2(this.foreignInARow / FOREIGN_UNTIL_ASKED));
  }

  /** @returns {number | null} seconds since the newest frame came; null before the first */
  ageS() {
    return this.arrivedAt === null ? null : (this.mono() - this.arrivedAt) / 1000;
  }

  /** @returns {RatesState} */
  state() {
    if (this.arrivedAt === null) return "none";
    return this.isLineOpen && !this.isStopped && this.mono() - this.arrivedAt <= STALE_AFTER_MS ? "live" : "stale";
  }

  /** @returns {number | null} when what is shown was new, ms since 1970 by this machine's clock; null while it is new, or before the first frame */
  staleSince() {
    const age = this.ageS();
    return age === null || this.state() !== "stale" ? null : this.wall() - age * 1000;
  }

  /** @param {string} key of a TAP configuration or a collector @returns {number | null} inner bits per second; null unknown */
  bitsOf(key) {
    return known(this.bits, this.indexOf.get(key));
  }

  /** @param {string} key @returns {number | null} packets per second; null unknown */
  packetsOf(key) {
    return known(this.packets, this.indexOf.get(key));
  }

  /** @param {string} key @returns {Known | null} the last value that was known and when; null: never since the page was opened */
  knownOf(key) {
    const index = this.indexOf.get(key);
    const bits_per_s = known(this.knownBits, index);
    if (index === undefined || bits_per_s === null) return null;
    return { bits_per_s, packets_per_s: known(this.knownPackets, index), unix_s: at(this.knownAt, index) };
  }

  /**
   * The last minute of one series, oldest first, NaN where nothing is known. The last one is of the newest frame's second.
   *
   * @param {string} key @param {"bits" | "packets"} what @param {Float32Array} [into] of SPARK_S, to draw without garbage
   */
  sparkOf(key, what = "bits", into = new Float32Array(SPARK_S)) {
    const index = this.indexOf.get(key);
    const ring = what === "bits" ? this.ringBits : this.ringPackets;
    const newest = slotOf(this.unix_s);
    for (let place = 0; place < SPARK_S; place++) {
      const slot = (newest + 1 + place) % SPARK_S;
      into[place] = index === undefined ? NaN : at(ring, slot * this.series.length + index);
    }
    return into;
  }

  /** @returns {number} octets that the store holds, frame included */
  get octets() {
    return [this.bits, this.packets, this.knownBits, this.knownPackets, this.knownAt, this.ringBits, this.ringPackets].reduce((sum, one) => sum + one.byteLength, 0);
  }
}

/** @param {number} unix_s */
function slotOf(unix_s) {
  const slot = Math.floor(unix_s) % SPARK_S;
  return slot < 0 ? slot + SPARK_S : slot;
}

/** @param {Float32Array} values @param {number | undefined} index @returns {number | null} */
function known(values, index) {
  const value = index === undefined ? NaN : at(values, index);
  return Number.isNaN(value) ? null : value;
}

/**
 * An element that is there.
 *
 * @template T @param {{readonly [index: number]: T}} values @param {number} index @returns {T}
 */
function at(values, index) {
  return /** @type {T} */ (values[index]);
}
