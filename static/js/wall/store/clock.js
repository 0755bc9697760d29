// @ts-check
/**
 * The server's time on a machine whose own clock may be wrong: the server's last word plus what a clock that only goes forward has counted since.
 *
 * Rule 1: the machine's time of day is never used for anything that is shown. Rule 2: a clock that stood still while the machine slept is put right by
 * the next word of the server. Pure: both clocks come in.
 */

export class Clock {
  /** @param {{mono?: () => number, wall?: () => number}} [clocks] ms: one that only goes forward, and the machine's time of day (for `offS` alone) */
  constructor({ mono = () => performance.now(), wall = () => Date.now() } = {}) {
    this.mono = mono;
    this.wall = wall;
    this.server_ms = 0;
    this.setAt = 0;
    this.isSet = false;
  }

  /** An exact word: it may set the clock back. @param {number} server_ms @param {number} [took_ms] of the question and its answer together */
  set(server_ms, took_ms = 0) {
    this.server_ms = server_ms + took_ms / 2;
    this.setAt = this.mono();
    this.isSet = true;
  }

  /** A word that was right when it was said, some time ago. @param {number} server_ms */
  atLeast(server_ms) {
    if (!this.isSet || server_ms > this.now()) this.set(server_ms);
  }

  /** @returns {number} the server's time, unix ms; 0 before its first word */
  now() {
    return this.isSet ? this.server_ms + this.mono() - this.setAt : 0;
  }

  /** @param {number} mono a moment of the clock that only goes forward @returns {number} the server's time at it */
  at(mono) {
    return this.server_ms + mono - this.setAt;
  }

  /** @returns {number} seconds that the machine's time of day is ahead of the server's */
  offS() {
    return this.isSet ? (this.wall() - this.now()) / 1000 : 0;
  }
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} zone @param {Intl.DateTimeFormatOptions} options @returns {Intl.DateTimeFormat} of UTC where the zone is not known here */
function formatOf(zone, options) {
  const name = `${zone} ${Object.keys(options).join()}`;
  let format = formats.get(name);
  if (!format) {
    try {
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    } catch {
      format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC", hourCycle: "h23" });
    }
    formats.set(name, format);
  }
  return format;
}

/** @param {number} ms @param {string} zone IANA name @returns {string} "14:37:08" */
export function timeWords(ms, zone) {
  return formatOf(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** @param {number} ms @param {string} zone IANA name @returns {string} "14:37" */
export function minuteWords(ms, zone) {
  return formatOf(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** @param {number} ms @param {string} zone IANA name @returns {string} "Tue 24 Nov" */
export function dayWords(ms, zone) {
  return formatOf(zone, { weekday: "short", day: "numeric", month: "short" }).format(ms).replace(",", "");
}

/** @param {number} ms @param {string} zone IANA name @returns {string} "GMT", "GMT+1", "UTC" */
export function zoneWords(ms, zone) {
  const parts = formatOf(zone, { timeZoneName: "short", hour: "2-digit" }).formatToParts(ms);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "UTC";
}

/** A moment as it is said on the same day, else with its day. @param {number} ms @param {number} now_ms @param {string} zone @returns {string} "05:00", "Tue 24 Nov 05:00" */
export function momentWords(ms, now_ms, zone) {
  const minute = minuteWords(ms, zone);
  const day = dayWords(ms, zone);
  return day === dayWords(now_ms, zone) ? minute : `${day} ${minute}`;
}
