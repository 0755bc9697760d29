// @ts-check
/**
 * How far what is shown can be trusted: of the whole picture, and of one collector by the interval that its source declares.
 *
 * Not seeing is not zero: what is too old keeps its last value, loses its colour, and says since when. Pure.
 */

/** @typedef {import("./types.js").Feed} Feed */
/** @typedef {import("./types.js").Collector} Collector */

/** Numbers come once a second; without any for so long the whole picture is old. */
export const FEED_LOST_AFTER_MS = 3000;
/** Without a newer picture for so long what it tells of alarms and collectors is old, although frames of rates come. */
export const PICTURE_OLD_MS = 15_000;
/** A picture comes at least every 5 s, a tick too: without a word for so long the line is dead, whatever the socket says. */
export const SILENCE_MS = 8000;

/**
 * @param {{hasPicture: boolean, isOpen: boolean, silent_ms: number, isMeasured: boolean, isStopped: boolean, frame_age_ms: number | null}} seen
 *   `isOpen`: the socket stands; `silent_ms`: since its last word; `isMeasured`: the picture says that somebody measures; `isStopped`: the line said
 *   that nobody does, and no frame has come since; `frame_age_ms`: since the last frame of rates, null when none ever came
 * @returns {Feed} "stopped": the server speaks, but no new numbers come
 */
export function feedOf({ hasPicture, isOpen, silent_ms, isMeasured, isStopped, frame_age_ms }) {
  if (!hasPicture) return "starting";
  const wereFrames = frame_age_ms !== null;
  if (!isOpen || silent_ms > SILENCE_MS) return "lost";
  // Frames make a word a second: a line that falls silent in between is lost before the picture is missed.
  if (wereFrames && !isStopped && silent_ms > FEED_LOST_AFTER_MS) return "lost";
  if (isStopped) return "stopped";
  return wereFrames ? (frame_age_ms > 2 * FEED_LOST_AFTER_MS ? "stopped" : "live") : isMeasured ? "live" : "stopped";
}

/**
 * The moment of the newest numbers that can be trusted.
 *
 * @param {import("./types.js").Picture | null} picture @param {number | null} frame_ms of the newest frame of rates, server's time; null: none came
 * @returns {number | null} unix ms; null: nothing was ever measured
 */
export function trustedMs(picture, frame_ms) {
  if (frame_ms !== null) return frame_ms;
  if (!picture) return null;
  if (picture.meter.state !== "live" && picture.meter.since_ms !== null) return picture.meter.since_ms;
  let newest = -Infinity;
  for (const { measured_ms } of picture.collectors) if (measured_ms !== null) newest = Math.max(newest, measured_ms);
  return newest === -Infinity ? null : newest;
}

const MUTE = new Set(["stale", "silent"]);

/** @param {Collector} collector @param {number} now_ms @returns {boolean} its numbers are no numbers of now */
export function isStale(collector, now_ms) {
  if (MUTE.has(collector.state)) return true;
  if (collector.heard_ms === null || collector.stale_after_s === null) return false;
  return now_ms - collector.heard_ms > collector.stale_after_s * 1000;
}

/** @param {Collector} collector @param {number} now_ms @returns {number | null} since when it is stale, unix ms: its last report; null while it is not, or was never heard */
export function staleSince(collector, now_ms) {
  return isStale(collector, now_ms) ? (collector.measured_ms ?? collector.heard_ms) : null;
}
