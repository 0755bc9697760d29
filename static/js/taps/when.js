// @ts-check
/** Instants as a `datetime-local` field writes them, in a zone. Pure. */

/**
 * `2026-11-23T22:00`: the wall clock of a zone at an instant, as the field's value.
 * @param {Date} at
 * @param {string} zone IANA name
 */
export function localText(at, zone) {
  const words = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" }).format(at);
  return words.replace(" ", "T");
}

/**
 * The instant so many hours on, on a whole five minutes (never earlier than asked): an end that people can say.
 * @param {Date} now
 * @param {number} hours
 */
export function inHours(now, hours) {
  const step_ms = 5 * 60_000;
  return new Date(Math.ceil((now.getTime() + hours * 3_600_000) / step_ms) * step_ms);
}
