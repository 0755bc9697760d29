// @ts-check
/** Notices that the machine slept: seconds that should have come one after the other did not. Pure: both clocks come in. */

/** Longer than any pause that a busy machine makes. */
export const ASLEEP_MS = 20_000;

export class Sleep {
  constructor() {
    /** @type {{mono: number, wall: number} | null} */
    this.last = null;
  }

  /**
   * Asked once a second. A clock that only goes forward may stand still while the machine sleeps, the time of day goes on; either tells.
   *
   * @param {number} mono ms @param {number} wall ms @returns {boolean} whether a sleep has ended since it was asked last
   */
  isOver(mono, wall) {
    const before = this.last;
    this.last = { mono, wall };
    return before !== null && (mono - before.mono > ASLEEP_MS || wall - before.wall > ASLEEP_MS);
  }
}
