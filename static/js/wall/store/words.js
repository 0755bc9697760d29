// @ts-check
/** The sentences of the wall. Pure. */

import { LIVE_STATES } from "../../topology/store/states.js";
import { ageWords } from "../../topology/store/units.js";

import { isRead } from "./picture.js";

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Alarm} Alarm */
/** @typedef {import("./types.js").Severity} Severity */

/** State is always glyph + colour + words. @type {Record<string, {glyph: string, tone: "bad" | "warn" | "quiet"}>} */
const SEVERITIES = {
  alarm: { glyph: "⬢", tone: "bad" },
  warning: { glyph: "▲", tone: "warn" },
  notice: { glyph: "●", tone: "quiet" },
};

/** @param {Severity} severity @returns {{glyph: string, tone: "bad" | "warn" | "quiet"}} */
export function severityLook(severity) {
  return SEVERITIES[severity] ?? { glyph: "·", tone: "quiet" };
}

const LONGEST_NAME = 26;
const KEPT_AT_END = 8;

/** @param {string} name @param {number} [most] letters @returns {string} both ends stay: names of a series differ at the end */
export function shortName(name, most = LONGEST_NAME) {
  const letters = [...name];
  return letters.length <= most ? name : `${letters.slice(0, most - KEPT_AT_END - 1).join("")}…${letters.slice(-KEPT_AT_END).join("")}`;
}

/** A sentence with names in it: what is long is shortened, so that what happened stays in sight. @param {string} sentence @param {number} [most] letters of a word @returns {string} */
export function shortNames(sentence, most = LONGEST_NAME + 4) {
  return sentence.replace(/\S+/gu, (word) => shortName(word, most));
}

/** @param {number} n @param {string} one @param {string} [many] */
export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
}

/** @param {number | null} since_ms @param {number} now_ms @returns {string} "14 min", "—" when it is not known */
export function agoWords(since_ms, now_ms) {
  return since_ms === null ? "—" : ageWords((now_ms - since_ms) / 1000);
}

/** Broken before slow before unknown: the order in which states are told. */
const TOLD = ["dropping", "over", "stale", "silent", "degraded", "empty", "near", "unknown", "starting", "maintenance", "none"];

/** @param {Record<string, number>} counts of collectors by state @returns {{figure: string, of: string, words: string, tone: "bad" | "warn" | "quiet"}} "1" "of 5 collectors" "dropping · 1 near capacity"; never "5 of 5 up" beside a broken one */
export function collectorWords(counts) {
  const total = counts.total ?? 0;
  if (!total) return { figure: "0", of: "collectors", words: "none is known", tone: "quiet" };
  const others = [...TOLD, ...Object.keys(counts).filter((state) => !TOLD.includes(state) && state !== "total" && state !== "ok")].filter((state) => counts[state]);
  const first = others[0];
  if (first === undefined) return { figure: String(total), of: total === 1 ? "collector" : "collectors", words: total !== counts.ok ? "not judged" : total === 1 ? "ok" : "all ok", tone: "quiet" };
  const say = (/** @type {string} */ state) => LIVE_STATES[state]?.words ?? state;
  const rest = others.slice(1).map((state) => `${counts[state]} ${say(state)}`);
  return { figure: String(counts[first]), of: `of ${count(total, "collector")}`, words: [say(first), ...rest].join(" · "), tone: toneOf(first) };
}

/** @param {string} state of a collector @returns {"bad" | "warn" | "quiet"} */
export function toneOf(state) {
  const color = LIVE_STATES[state]?.color;
  return color === "bad" ? "bad" : color === "warn" || color === "stale" ? "warn" : "quiet";
}

/** @param {Picture["counts"]} counts @param {(ms: number) => string} momentOf @returns {string} "muted 3 · next ends 05:00" */
export function mutedWords(counts, momentOf) {
  if (!counts.muted) return "muted 0";
  return `muted ${counts.muted}${counts.muted_next_ends_ms === null ? "" : ` · next ends ${momentOf(counts.muted_next_ends_ms)}`}`;
}

/** @param {Alarm} alarm @param {(ms: number) => string} momentOf @returns {string} */
export function ownerWords(alarm, momentOf) {
  const muted = alarm.is_muted ? `muted${alarm.muted_until_ms === null ? "" : ` until ${momentOf(alarm.muted_until_ms)}`}` : "";
  const taken = alarm.is_taken ? `${alarm.owner || "somebody"} has it` : alarm.is_acknowledged ? "seen, nobody has taken it" : "nobody has taken it";
  return muted ? (alarm.is_taken ? `${muted}, ${taken}` : muted) : taken;
}

/** @param {{kind: string, name: string, words: string}} hop @param {string} [between] @returns {string} "vm-01: its interface is full"; visitors are told no name, but a sentence */
export function hopWords({ kind, name, words }, between = ": ") {
  const told = words.replace(/\.$/u, "");
  return name || !told ? [name || kind, told].filter(Boolean).join(between) : told;
}

/** @param {number} wait_ms @returns {string} "next try in 4 s", "trying now" */
export function retryWords(wait_ms) {
  const s = Math.ceil(wait_ms / 1000);
  return s <= 0 ? "trying now" : `next try in ${s} s`;
}

/** @param {Picture["judging"]} judging @returns {boolean} rules still waited when it was judged last: from then on the next turn tells */
function isWaiting({ settled_ms, evaluated_ms }) {
  return settled_ms !== null && evaluated_ms !== null && evaluated_ms <= settled_ms;
}

/**
 * How many alarms are open, and how far that can be believed: "none open" stands only where everything was looked at for long enough.
 *
 * @param {Picture} picture @param {(ms: number) => string} momentOf @returns {{figure: string, words: string}}
 */
export function alarmsWords(picture, momentOf) {
  const { counts, judging } = picture;
  if (!isRead(picture, "judging")) return { figure: "—", words: "not known" };
  const since = judging.blind_since_ms === null ? "" : `not judged since ${momentOf(judging.blind_since_ms)}`;
  if (!counts.alarms && (since || judging.evaluated_ms === null)) return { figure: "—", words: since || "not judged yet" };
  const none = judging.settled_ms === null ? "none open, nothing is measured" : isWaiting(judging) ? `none yet, rules wait until ${momentOf(judging.settled_ms)}` : "none open";
  const seen = picture.alarms.filter((alarm) => alarm.is_acknowledged && !alarm.is_muted).length;
  const open = counts.alarms ? (counts.untaken ? `${counts.untaken} not taken` : "all taken") : none;
  return { figure: String(counts.alarms), words: [open, since, seen ? `${seen} acknowledged` : "", counts.notices ? count(counts.notices, "notice") : ""].filter(Boolean).join(" · ") };
}

/**
 * What a stage without an open alarm says: nothing more than is known.
 *
 * @param {{picture: Picture, feed: import("./types.js").Feed, wanted: number | undefined, trusted_ms: number | null, momentOf: (ms: number) => string}} seen
 *   `wanted`: the number of the alarm that the view is about
 * @returns {{title: string, words: string}}
 */
export function quietWords({ picture, feed, wanted, trusted_ms, momentOf }) {
  const { totals, judging } = picture;
  if (!isRead(picture, "judging")) return { title: "Whether anything is broken is not known.", words: sentence(picture.unread.judging?.why || "vtapweb could not read its alarms yet") };
  if (wanted !== undefined) return { title: `A-${wanted} is not open any more.`, words: picture.alarms.length ? "" : "No other alarm is open." };
  if (feed !== "live") return { title: `No alarm was open at ${momentOf(trusted_ms ?? picture.at_ms)}.`, words: "What happened since is not known." };
  const old = picture.unread.judging;
  if (old) return { title: `No alarm was open at ${momentOf(old.since_ms ?? picture.at_ms)}.`, words: `${sentence(old.why || "vtapweb could not read its alarms since")} What happened since is not known.` };
  if (judging.blind_since_ms !== null) {
    return { title: `Nothing is judged since ${momentOf(judging.blind_since_ms)}.`, words: `${judging.blind_reason ? `${sentence(judging.blind_reason)} ` : ""}No alarm was open then; a new one would not be seen.` };
  }
  if (judging.evaluated_ms === null) return { title: "Nothing has been judged yet.", words: "Whether anything is broken is not known." };
  if (totals.mirrors === 0) return { title: "Nothing is mirrored yet.", words: "There is nothing that could raise an alarm." };
  if (judging.settled_ms === null) return { title: "No alarm is open.", words: "Nothing is measured now: what breaks is not seen." };
  if (isWaiting(judging)) {
    return { title: "No alarm is open yet.", words: `vtapweb has only just begun to look: until ${momentOf(judging.settled_ms)} its rules wait before they call anything silent.` };
  }
  return { title: "No alarm is open.", words: totals.mirrors === null ? "" : `${count(totals.mirrors, "mirror")}, ${knownWords(totals)}.` };
}

/** @param {Picture["totals"]} totals @returns {string} "2 of 5 collectors measured" */
export function knownWords({ known, of }) {
  if (of === null || known === null) return "collectors not known";
  if (of === 0) return "no collector";
  return known === of ? `${of === 1 ? "its collector" : `all ${of} collectors`} measured` : `${known} of ${count(of, "collector")} measured`;
}

/** @param {string} words @returns {string} with a capital and a full stop */
function sentence(words) {
  const told = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(told) ? told : `${told}.`;
}
