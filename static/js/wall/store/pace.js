// @ts-check
/** How often the wall draws: once a second, and less often where drawing takes too long. Pure: the clock comes in. */

/** Drawing that takes longer than this is too much for this machine. */
export const MOST_MS = 50;
const SLOWEST_S = 4;
/** So many slow ones in a row until it is tried less often: one alone is the first, or a neighbour's work. */
const SLOW_UNTIL = 3;
/** So many quick ones in a row until it is tried more often again. */
const CALM_AFTER = 20;

export class Pace {
  constructor() {
    /** Seconds between two drawings: 1, 2 or 4. */
    this.every_s = 1;
    this.quick = 0;
    this.slow = 0;
    this.drawn_ms = 0;
    this.lastAt = -Infinity;
  }

  /** @param {number} at ms of a clock that only goes forward @returns {boolean} whether it is time to draw again */
  mayDraw(at) {
    return at - this.lastAt >= this.every_s * 1000;
  }

  /** @param {number} at ms when the drawing began @param {number} took_ms */
  drew(at, took_ms) {
    this.lastAt = at;
    this.drawn_ms = took_ms;
    if (took_ms > MOST_MS) {
      this.quick = 0;
      if (++this.slow < SLOW_UNTIL) return;
      this.every_s = Math.min(SLOWEST_S, this.every_s * 2);
      this.slow = 0;
      return;
    }
    this.slow = 0;
    if (++this.quick >= CALM_AFTER && this.every_s > 1) {
      this.every_s /= 2;
      this.quick = 0;
    }
  }
}
