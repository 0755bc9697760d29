// @ts-check
/**
 * The table that paints: for each state its glyph, its words and its colour (a custom property of tokens.css without the dashes). The legend is made from the same table.
 *
 * State is always colour + glyph + words. Nothing here is green, and nothing unknown looks healthy.
 */

import { NIC } from "./graph.js";

/**
 * @typedef {"solid" | "dashed" | "broken" | "dotted" | "half"} LineStyle
 * @typedef {{key: string, glyph: string, words: string, meaning: string, color: string, line?: LineStyle}} StateStyle
 */

/** @type {Record<string, StateStyle>} */
export const PEERING_STATES = {
  Connected: { key: "Connected", glyph: "", words: "Connected", meaning: "Peering, connected on both sides", color: "pipeln", line: "solid" },
  Disconnected: { key: "Disconnected", glyph: "✕", words: "Disconnected", meaning: "Peering broken on one side", color: "bad", line: "broken" },
  Initiated: { key: "Initiated", glyph: "◔", words: "Initiated", meaning: "Peering waits for its other side", color: "warn", line: "dashed" },
  half: { key: "half", glyph: "◐", words: "one side only", meaning: "Peering seen from one side only", color: "warn", line: "half" },
  unknown: { key: "unknown", glyph: "?", words: "state not readable", meaning: "Peering whose state we can't read", color: "stale", line: "dotted" },
};

/** @param {string} state @returns {StateStyle} a state Azure adds later is shown by its own word and looks unknown */
export function peeringState(state) {
  return PEERING_STATES[state] ?? { ...PEERING_STATES.unknown, key: state, words: state || "state not readable" };
}

/** @type {Record<string, StateStyle>} */
export const COLLECTOR_STATES = {
  ok: { key: "ok", glyph: "○", words: "found in Azure", meaning: "Collector, found in Azure", color: "acc" },
  unknown: { key: "unknown", glyph: "?", words: "can't be read", meaning: "Collector we can't read", color: "stale" },
  gone: { key: "gone", glyph: "✕", words: "destination is gone", meaning: "Collector whose destination is gone", color: "bad" },
};

/** @param {string} state @returns {StateStyle} */
export function collectorState(state) {
  return COLLECTOR_STATES[state] ?? COLLECTOR_STATES.unknown;
}

/** What is known of a collector's numbers, the same words as on its page and in alarms. @type {Record<string, StateStyle>} */
export const LIVE_STATES = {
  ok: { key: "ok", glyph: "●", words: "ok", meaning: "Collector, receiving", color: "flow" },
  near: { key: "near", glyph: "▲", words: "near capacity", meaning: "Collector above 75 % of its capacity", color: "warn" },
  over: { key: "over", glyph: "▲", words: "above 95 % of capacity", meaning: "Collector above 95 % of its capacity", color: "bad" },
  dropping: { key: "dropping", glyph: "⬢", words: "dropping", meaning: "Collector that drops packets", color: "bad" },
  empty: { key: "empty", glyph: "∅", words: "no mirrored traffic", meaning: "Collector that reports, but nothing arrives", color: "warn" },
  degraded: { key: "degraded", glyph: "◐", words: "a member is missing", meaning: "Collector of which a member does not report", color: "warn" },
  stale: { key: "stale", glyph: "◌", words: "no report", meaning: "Collector that does not report", color: "stale" },
  silent: { key: "silent", glyph: "◌", words: "no report", meaning: "Collector that does not report", color: "stale" },
  starting: { key: "starting", glyph: "◌", words: "starting", meaning: "Collector, vtapweb is starting to listen", color: "stale" },
  maintenance: { key: "maintenance", glyph: "◇", words: "in maintenance", meaning: "Collector in maintenance", color: "hub" },
  none: { key: "none", glyph: "–", words: "no live numbers yet", meaning: "Collector without live numbers", color: "ink3" },
  away: { key: "away", glyph: "?", words: "live numbers can't be read", meaning: "Collector whose live numbers can't be read now", color: "stale" },
  unknown: { key: "unknown", glyph: "?", words: "not judged now", meaning: "Collector that nobody judges now", color: "stale" },
};

/** @param {string} state of a collector @returns {boolean} it does not report: what it said last is no number of now */
export function isMute(state) {
  return state === "stale" || state === "silent";
}

/** How a strand looks by what is measured on it. @type {Record<"flowing" | "quiet" | "unavailable" | "stale" | "unmeasured", StateStyle>} */
export const STRAND_LOOKS = {
  flowing: { key: "flowing", glyph: "", words: "flowing", meaning: "Mirror: the wider, the more flows", color: "flow", line: "solid" },
  quiet: { key: "quiet", glyph: "", words: "nothing flows now", meaning: "Mirror: measured, nothing flows", color: "flow2", line: "solid" },
  unavailable: { key: "unavailable", glyph: "", words: "not available here", meaning: "Mirror: its collector does not count it by itself", color: "ink3", line: "solid" },
  stale: { key: "stale", glyph: "◌", words: "no report", meaning: "Mirror: no report of it", color: "stale", line: "dashed" },
  unmeasured: { key: "unmeasured", glyph: "", words: "not measured", meaning: "Mirror: its way to the collector, not measured", color: "flow2", line: "solid" },
};

/** @param {string} state of a collector @returns {boolean} there are no numbers of it: none came yet, or ours cannot be read */
export function isWithoutNumbers(state) {
  return state === "none" || state === "away";
}

/**
 * What was told of a collector may be older than its newest number: one that has a number by now is without numbers no more, and nobody has judged it.
 *
 * @param {string} state of a collector, as it was told last @param {boolean} hasNumber now @returns {StateStyle}
 */
export function liveStyle(state, hasNumber) {
  return LIVE_STATES[hasNumber && isWithoutNumbers(state) ? "unknown" : state] ?? LIVE_STATES.unknown;
}

/** On a NIC that is mirrored and of which nothing arrives. @type {StateStyle} */
export const SILENT = { key: "silent", glyph: "∅", words: "mirrored, but nothing arrives", meaning: "NIC, mirrored, but nothing arrives", color: "warn" };

/** @type {Record<string, string>} */
export const COLLECTOR_KINDS = { nic: "collector NIC", load_balancer: "internal load balancer", gone: "destination", unreadable: "not readable" };

/** First match wins. @type {Array<StateStyle & {bit: number}>} */
export const NIC_STATES = [
  { bit: NIC.mirrored, key: "mirrored", glyph: "●", words: "mirrored", meaning: "NIC, mirrored", color: "flow" },
  { bit: NIC.member, key: "member", glyph: "◆", words: "collector member", meaning: "NIC of a collector", color: "hub" },
  { bit: NIC.private_endpoint, key: "private_endpoint", glyph: "◇", words: "private endpoint", meaning: "NIC of a private endpoint", color: "ink3" },
  { bit: NIC.no_vm, key: "no_vm", glyph: "–", words: "no VM", meaning: "NIC without a VM", color: "ink3" },
];

/** @type {StateStyle} */
export const NIC_PLAIN = { key: "plain", glyph: "○", words: "not mirrored", meaning: "NIC, not mirrored", color: "ink3" };

/** Marks at the right end of a chip; they do not replace the state. @type {Array<StateStyle & {bit: number}>} */
export const NIC_MARKS = [
  { bit: NIC.not_succeeded, key: "not_succeeded", glyph: "!", words: "provisioning did not succeed", meaning: "Provisioning did not succeed", color: "warn" },
  { bit: NIC.unaccounted, key: "unaccounted", glyph: "⚐", words: "mirrored by somebody outside vtapweb", meaning: "Mirrored outside vtapweb, nobody answers for it yet", color: "warn" },
  { bit: NIC.vm_stopped, key: "vm_stopped", glyph: "❙❙", words: "VM is not running", meaning: "VM is not running", color: "ink3" },
];

/** Nobody here made or adopted it: the same glyph stands on the pages of the ledger. @type {StateStyle} */
export const UNACCOUNTED_TAP = { key: "unaccounted_tap", glyph: "⚐", words: "unaccounted", meaning: "TAP made outside vtapweb, nobody answers for it yet", color: "warn" };

/** A ring and its glyph round a NIC while a running change writes to it. @type {StateStyle} */
export const IN_FLIGHT = { key: "in_flight", glyph: "↻", words: "being changed", meaning: "NIC, being changed now", color: "acc" };

/** @type {StateStyle} */
export const STALE = { key: "stale", glyph: "◌", words: "stale", meaning: "Not read lately: may have changed", color: "stale" };

/** @type {StateStyle} */
export const GHOST = { key: "ghost", glyph: "◌", words: "not readable", meaning: "Exists in Azure, not readable for us", color: "stale" };

/** @param {number} state bits @returns {StateStyle} */
export function nicState(state) {
  return NIC_STATES.find((style) => state & style.bit) ?? NIC_PLAIN;
}

/** @param {number} state bits @returns {string} all that is true of the NIC, in words */
export function nicWords(state) {
  const words = [nicState(state).words];
  for (const style of NIC_STATES.slice(1)) if (state & style.bit && !words.includes(style.words)) words.push(style.words);
  for (const mark of NIC_MARKS) if (state & mark.bit) words.push(mark.words);
  if (state & NIC.stale) words.push(STALE.words);
  return words.join(" · ");
}

/** @param {number} n @param {string} one @param {string} [many] @returns {string} "1 NIC", "3 NICs" */
export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
}
