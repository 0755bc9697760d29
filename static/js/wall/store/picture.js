// @ts-check
/**
 * A picture as it came, made whole: a part that the server could never read is empty here, and named in `unread`, so that nobody takes "not known" for
 * "nothing". Pure.
 */

/** @typedef {import("./types.js").Picture} Picture */

/** @param {any} told the message as it came @returns {Picture} */
export function wholePicture(told) {
  const unread = { ...told.unread };
  const counts = told.counts ?? null;
  if (counts === null && !unread.judging) unread.judging = { why: "", since_ms: null };
  return {
    ...told,
    counts: counts ?? { alarms: 0, untaken: 0, notices: 0, muted: 0, muted_next_ends_ms: null },
    alarms: told.alarms ?? [],
    more_alarms: told.more_alarms ?? 0,
    collectors: told.collectors ?? [],
    collector_counts: told.collector_counts ?? {},
    sources: told.sources ?? [],
    sources_of: told.sources_of ?? {},
    inventory: told.inventory ?? { synced_ms: null, state: "stale", words: "Inventory not known" },
    judging: told.judging ?? { evaluated_ms: null, settled_ms: null, blind_since_ms: null, blind_reason: "" },
    events: told.events ?? [],
    unread,
  };
}

/** @param {Picture} picture @param {string} part @returns {boolean} whether it was ever read: if not, what stands there is no fact */
export function isRead(picture, part) {
  const lack = picture.unread[part];
  return lack === undefined || lack.since_ms !== null;
}

/** What each part is called before people. @type {Record<string, string>} */
const PARTS = { judging: "alarms", inventory: "inventory", events: "what happened", live: "rates of collectors", sparks: "curves", sources: "sources" };

/**
 * A picture after which none has come for long, while the line stands: nothing in it is of now any more.
 *
 * @param {Picture} picture @returns {Picture} the same, with every part told as of when it was read
 */
export function agedPicture(picture) {
  /** @type {Picture["unread"]} */
  const unread = {};
  for (const part of Object.keys(PARTS)) unread[part] = picture.unread[part] ?? { why: "No newer picture comes.", since_ms: picture.at_ms };
  return { ...picture, unread };
}

/** What the foot tells of; that there is no frame the feed says. @type {readonly string[]} */
const TOLD = ["judging", "inventory", "events", "live"];

/**
 * The parts that could not be read and are therefore as they were.
 *
 * @param {Picture} picture @param {(ms: number) => string} momentOf @param {readonly string[]} [names] of the parts that are asked for
 * @returns {string[]} "alarms as of 03:07: Redis does not answer."; empty when all of them are of now
 */
export function unreadWords(picture, momentOf, names = TOLD) {
  return names.flatMap((part) => {
    const lack = picture.unread?.[part];
    return lack ? [`${PARTS[part] ?? part} ${lack.since_ms === null ? "not known" : `as of ${momentOf(lack.since_ms)}`}${lack.why ? `: ${lack.why}` : ""}`] : [];
  });
}
