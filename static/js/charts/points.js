// @ts-check
/**
 * What a chart shows: points one step apart, null where nothing was measured. Pure: no canvas, no clock.
 *
 * Rule 1: a hole is no data; nothing is filled in, and a jump of time leaves holes. Rule 2: memory is that of `most` points, however long it runs.
 */

/** @typedef {"bits" | "packets"} Unit */
/** @typedef {{start_at: string, step_s: number, count: number, bits_per_s: (number | null)[], packets_per_s: (number | null)[], is_newest_missing?: boolean}} Answer of the API */

export class Points {
  constructor() {
    this.start_s = 0;
    this.step_s = 1;
    this.most = 0;
    /** @type {number[]} */
    this.times = [];
    /** @type {Record<Unit, (number | null)[]>} */
    this.values = { bits: [], packets: [] };
  }

  /** @param {Answer} answer replaces everything */
  load({ start_at, step_s, count, bits_per_s, packets_per_s }) {
    this.start_s = Math.round(Date.parse(start_at) / 1000);
    this.step_s = step_s;
    this.most = Math.max(2, count);
    this.times = Array.from({ length: count }, (_, index) => this.start_s + index * step_s);
    this.values = { bits: bits_per_s.slice(), packets: packets_per_s.slice() };
  }

  get end_s() {
    return this.start_s + this.times.length * this.step_s;
  }

  /**
   * One second's rate behind the last point, or into it where the answer held that second as unknown.
   * @param {number} unix_s @param {number | null} bits @param {number | null} packets
   * @returns {boolean} whether anything changed; never for steps longer than a second, which are means that only the server knows
   */
  append(unix_s, bits, packets) {
    if (this.step_s !== 1 || !this.times.length) return false;
    const at = Math.floor(unix_s) - this.start_s;
    if (at < 0 || at > this.times.length + this.most) return false; // a clock that stepped: the next load mends it
    while (this.times.length <= at) {
      this.times.push(this.start_s + this.times.length);
      this.values.bits.push(null);
      this.values.packets.push(null);
    }
    if (bits !== null) this.values.bits[at] = bits;
    if (packets !== null) this.values.packets[at] = packets;
    const over = this.times.length - this.most;
    if (over > 0) {
      this.times.splice(0, over);
      this.values.bits.splice(0, over);
      this.values.packets.splice(0, over);
      this.start_s += over;
    }
    return true;
  }

  /** @param {Unit} unit @returns {[number[], (number | null)[]]} as uPlot takes it */
  data(unit) {
    return [this.times, this.values[unit]];
  }

  /**
   * Stretches without data between the first and the last point.
   * @param {Unit} unit @returns {[number, number][]} from, to in unix seconds
   */
  holes(unit) {
    /** @type {[number, number][]} */
    const found = [];
    const values = this.values[unit];
    for (let at = 0; at < values.length; at++) {
      if (values[at] !== null) continue;
      const from = at;
      while (at < values.length && values[at] === null) at++;
      found.push([this.start_s + from * this.step_s, this.start_s + at * this.step_s]);
    }
    return found;
  }
}
