// @ts-check
/** When a page that nobody touches reads itself anew. Pure. */

/** @typedef {import("./types.js").Picture} Picture */

/** No reload while an alarm is younger than this: somebody looks at it. */
export const QUIET_MS = 60_000;
/** The screens of a hall spread over so long after the server was renewed. */
export const SPREAD_MS = 5 * 60_000;
/** A page without a drawn second for so long hangs. */
export const STUCK_MS = 30_000;
/** A page that hangs again right after it was read anew is left alone for so long. */
export const STUCK_AGAIN_MS = 10 * 60_000;
/** Where alarms never stop coming, a new version waits no longer than this. */
export const LONGEST_MS = 24 * 3600_000;

/** @param {Picture | null} picture @param {number} now_ms @returns {boolean} nothing has happened lately that people stand before the screen for */
export function isQuiet(picture, now_ms) {
  return !picture?.alarms.some((alarm) => !alarm.is_muted && now_ms - Math.max(alarm.opened_ms, alarm.changed_ms) < QUIET_MS);
}

/**
 * @param {{version: string, serverVersion: string, sinceNew_ms: number | null, spread: number, picture: Picture | null, next_reload_ms: number | null,
 *   loaded_ms: number, now_ms: number}} seen
 *   `sinceNew_ms`: how long the server's version has been another one than the page's; `spread`: this page's share of SPREAD_MS, 0..1; `loaded_ms`: server's
 *   time when the page was read; all else server's time
 * @returns {"" | "version" | "daily"} why it is time, "" when it is not
 */
export function reloadDue({ version, serverVersion, sinceNew_ms, spread, picture, next_reload_ms, loaded_ms, now_ms }) {
  const isOverdue = sinceNew_ms !== null && sinceNew_ms >= LONGEST_MS;
  if (!isOverdue && !isQuiet(picture, now_ms)) return "";
  if (version && serverVersion && version !== serverVersion && sinceNew_ms !== null && sinceNew_ms >= spread * SPREAD_MS) return "version";
  if (next_reload_ms !== null && next_reload_ms > loaded_ms && now_ms >= next_reload_ms) return "daily";
  return "";
}

/**
 * How long ago something was that the machine's own clock timed. It may have been put back since; then nobody knows, and it counts as long ago: a page
 * that waited for such a clock to come round would never look after itself again.
 *
 * @param {number} at_ms @param {number} now_ms @returns {number} ms, Infinity when the clock was put back
 */
export function agoMs(at_ms, now_ms) {
  return now_ms >= at_ms ? now_ms - at_ms : Infinity;
}

/** @param {{isVisible: boolean, drawn_ago_ms: number, reloaded_ago_ms: number | null}} seen `reloaded_ago_ms`: since the last reload for this reason, null: never @returns {boolean} */
export function isStuck({ isVisible, drawn_ago_ms, reloaded_ago_ms }) {
  return isVisible && drawn_ago_ms > STUCK_MS && (reloaded_ago_ms === null || reloaded_ago_ms > STUCK_AGAIN_MS);
}
