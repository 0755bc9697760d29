// @ts-check
/**
 * What the wall says of a collector, of a source and of all of them: which figure, how old, of what, in which words.
 *
 * Rule 1: not seeing is not zero; what is not known is null here and "—" with its reason on the screen. Rule 2: a collector that does not report has a
 * last figure, never a figure of now. Rule 3: pure, all clocks come in.
 */

import { LIVE_STATES, liveStyle } from "../../topology/store/states.js";
import { OUTER_BITS } from "../../topology/store/traffic.js";
import { ageWords, rateWords, roundWords, shareWords } from "../../topology/store/units.js";
import { isStale, staleSince } from "./trust.js";
import { collectorWords, count } from "./words.js";

/** @typedef {import("./types.js").Collector} Collector */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("../../topology/store/traffic.js").Traffic} Traffic */
/** @typedef {import("../../topology/store/states.js").StateStyle} StateStyle */
/** @typedef {import("../../topology/store/units.js").Unit} Unit */
/**
 * @typedef {object} Now  one collector at one moment
 * @property {StateStyle} style
 * @property {boolean} isStale
 * @property {number | null} since_ms its last report, while it is stale
 * @property {number | null} bits_per_s inner bits, null not known
 * @property {number | null} packets_per_s
 * @property {number | null} measured_ms the moment that these are of
 * @property {number | null} share of its capacity, 1 = full
 * @property {{bits_per_s: number, at_ms: number} | null} last while it is stale: the last rate that was known, and when
 */

/** A source that tells so often is as old as the newest frame. */
const LIVE_INTERVAL_S = 5;
/** Of a view's height: a map is drawn with some room around it, has at least so much, and with more than that nothing else has room. */
const ROOM_ROUND = 1.12;
const LEAST_SHARE = 35;
const MOST_SHARED = 75;
/** Load is drawn so far: what is above 100 % is seen as overrun. */
export const OVERRUN = 1.3;
/** States in which a collector asks for somebody. */
const BROKEN = new Set(["dropping", "over", "silent", "stale", "empty", "gone"]);
const WORSE = new Set(["near", "degraded"]);

/** @param {number} value @returns {number | null} */
function known(value) {
  return Number.isFinite(value) ? value : null;
}

/**
 * A collector as the newest frame has it, and where there is no frame of it as the newest picture has it.
 *
 * @param {Collector} collector @param {Traffic} traffic @param {number} as_of_ms the server's time, or the last moment that can be trusted
 * @returns {Now}
 */
export function collectorNow(collector, traffic, as_of_ms) {
  const { id, capacity_bits_per_s } = collector;
  if (isStale(collector, as_of_ms)) {
    const style = LIVE_STATES[collector.state === "silent" ? "silent" : "stale"] ?? LIVE_STATES.unknown;
    return { style: /** @type {StateStyle} */ (style), isStale: true, since_ms: staleSince(collector, as_of_ms), bits_per_s: null, packets_per_s: null, measured_ms: null, share: null, last: lastOf(collector, traffic) };
  }
  const isInFrame = id !== null && traffic.placeOf.has(id) && traffic.hasRates;
  const bits_per_s = isInFrame ? known(traffic.rateOf(id, "bits")) : collector.bits_per_s;
  const packets_per_s = isInFrame ? known(traffic.rateOf(id, "packets")) : collector.packets_per_s;
  const style = liveStyle(collector.state, bits_per_s !== null);
  const wire = isInFrame ? (bits_per_s === null || packets_per_s === null ? null : bits_per_s + OUTER_BITS * packets_per_s) : collector.wire_bits_per_s;
  const share = wire === null || !capacity_bits_per_s ? (bits_per_s === null ? null : collector.share) : wire / capacity_bits_per_s;
  const isOften = collector.interval_s !== null && collector.interval_s <= LIVE_INTERVAL_S;
  const measured_ms = isInFrame && isOften ? Math.max(collector.measured_ms ?? 0, traffic.rates.unix_s * 1000) : collector.measured_ms;
  return { style, isStale: false, since_ms: null, bits_per_s, packets_per_s, measured_ms: bits_per_s === null ? null : measured_ms, share, last: null };
}

/** @param {Collector} collector @param {Traffic} traffic @returns {Now["last"]} */
function lastOf(collector, traffic) {
  const found = traffic.rates.knownOf(collector.key);
  if (found) return { bits_per_s: found.bits_per_s, at_ms: collector.measured_ms ?? found.unix_s * 1000 };
  const at_ms = collector.measured_ms ?? collector.heard_ms;
  if (at_ms === null) return null;
  const bits_per_s = collector.bits_per_s ?? collector.spark?.findLast((one) => one !== null) ?? null;
  return bits_per_s === null ? null : { bits_per_s, at_ms };
}

/** @param {Now} now @returns {"bad" | "warn" | "stale" | "fine"} how much it asks for somebody; what is well, in maintenance or not judged asks for nobody */
export function toneNow(now) {
  if (now.isStale) return "stale";
  return BROKEN.has(now.style.key) ? (now.style.color === "warn" ? "warn" : "bad") : WORSE.has(now.style.key) ? "warn" : "fine";
}

/** @param {number} share @returns {string} "2.1 %", "< 0.1 %", "34 %" */
export function dropWords(share) {
  const percent = share * 100;
  if (percent >= 10) return `${Math.round(percent)} %`;
  return percent > 0 && percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}

/**
 * Its state in words, of what and since when.
 *
 * @param {Collector} collector @param {Now} now @param {number} now_ms @returns {string} "dropping 2.1 % of packets", "no report for 6 min"
 */
export function stateWords(collector, now, now_ms) {
  const words = [now.style.words];
  if (now.isStale) words[0] = now.since_ms === null ? "no report, never heard" : `no report for ${ageWords((now_ms - now.since_ms) / 1000)}`;
  else if (now.style.key === "dropping" && collector.drops_share) words[0] = `dropping ${dropWords(collector.drops_share)} of packets`;
  else if (now.style.key === "dropping" && collector.drops_per_s) words[0] = `dropping ${rateWords(collector.drops_per_s, "packets")}`;
  if (!now.isStale && collector.members_missing) words[now.style.key === "degraded" ? 0 : 1] = `${collector.members - collector.members_missing} of ${collector.members} members report`;
  if (collector.alarm) words.push(collector.alarm);
  return words.join(" · ");
}

/**
 * Its rate with its age, or why there is none.
 *
 * @param {Collector} collector @param {Now} now @param {number} now_ms @param {Unit} [unit]
 * @returns {string} "11.6 Gb/s · 1 s ago", "last 8.74 Gb/s, 6 min ago", "rate not known"
 */
export function rateLine(collector, now, now_ms, unit = "bits") {
  if (now.isStale) return now.last && unit === "bits" ? `last ${rateWords(now.last.bits_per_s, "bits")}, ${ageWords((now_ms - now.last.at_ms) / 1000)} ago` : "last rate not known";
  const rate = unit === "bits" ? now.bits_per_s : now.packets_per_s;
  if (rate === null) return collector.state === "none" ? "never reported" : "rate not known";
  const age = now.measured_ms === null ? "" : ` · ${ageWords((now_ms - now.measured_ms) / 1000)} ago`;
  return `${collector.is_estimate ? "≈ " : ""}${rateWords(rate, unit)}${age}`;
}

/** @param {Collector} collector @param {Now} now @returns {{figure: string, of: string}} "116 %" and "of 10 Gb/s"; "—" and why */
export function shareParts(collector, now) {
  const of = collector.capacity_bits_per_s ? `of ${roundWords(collector.capacity_bits_per_s)}` : "capacity not known";
  if (now.share === null || !collector.capacity_bits_per_s) return { figure: "—", of };
  return { figure: shareWords(now.share), of };
}

/** @param {number | null} share @returns {number} how much of a bar is filled that ends at 130 %, 0..1 */
export function barOf(share) {
  return share === null ? 0 : Math.max(0, Math.min(share, OVERRUN)) / OVERRUN;
}

/**
 * Those that no row shows.
 *
 * @param {Readonly<Record<string, number>>} counts by state, and "total" @param {readonly Collector[]} shown
 * @returns {string} "28 more, all ok", "28 more: 2 not judged now", "" where all are shown
 */
export function restWords(counts, shown) {
  /** @type {Record<string, number>} */
  const left = { ...counts };
  for (const one of shown) left[one.state] = Math.max(0, (left[one.state] ?? 0) - 1);
  left.total = Math.max(0, (counts.total ?? 0) - shown.length);
  if (!left.total) return "";
  const { figure, words } = collectorWords(left);
  return words === "all ok" || words === "ok" ? `${left.total} more, ${words}` : `${left.total} more: ${figure} ${words}`;
}

/**
 * Which alarms are large on a wall: those that nobody silenced and that are more than a notice, as the server orders them.
 *
 * @param {Pick<Picture, "alarms" | "more_alarms">} picture @param {number} most
 * @returns {{large: Picture["alarms"], more: number, acknowledged: number}} `more`: as loud, and not shown
 */
export function loudAlarms({ alarms: told, more_alarms }, most) {
  const alarms = told ?? [];
  const loud = alarms.filter((one) => !one.is_acknowledged && !one.is_muted && one.severity !== "notice");
  // The server puts what is silenced last: beyond a list that ends loud there may be more that is loud.
  const last = alarms.at(-1);
  const beyond = last && loud.includes(last) ? (more_alarms ?? 0) : 0;
  return { large: loud.slice(0, most), more: Math.max(0, loud.length - most) + beyond, acknowledged: alarms.filter((one) => one.is_acknowledged && !one.is_muted).length };
}

/** @typedef {"large" | "roomy" | "tight"} Tier */
/** Heights of a collector's row, units of the wall. */
export const ROW_UNITS = Object.freeze({ large: 210, roomy: 104, tight: 66 });

/**
 * How a column of rows is filled: few are large, many are tight, and what does not fit is counted in a last line.
 *
 * @param {number} count of collectors there are @param {number} units height of the column
 * @returns {{tier: Tier, shown: number}}
 */
export function rowsFor(count, units) {
  const each = units / Math.max(1, count);
  if (each >= ROW_UNITS.large) return { tier: "large", shown: count };
  if (each >= ROW_UNITS.roomy) return { tier: "roomy", shown: count };
  const fit = Math.max(1, Math.floor(units / ROW_UNITS.tight));
  return { tier: "tight", shown: count <= fit ? count : Math.max(1, Math.floor((units - 36) / ROW_UNITS.tight)) };
}

/** @param {number} count of rows @param {number} fit that one column has room for @returns {number} how many stand in a column: all, or half of them in each of two */
export function columnRows(count, fit) {
  return count <= fit ? Math.max(1, count) : Math.ceil(count / 2);
}

/** @param {Collector} collector @returns {string} who counts and how often; visitors are not told who */
export function originWords({ origin, interval_s, heard_ms }) {
  if (!origin && heard_ms === null) return "nobody yet";
  return `${origin || "not told here"}${interval_s === null ? "" : `, every ${Math.round(interval_s)} s`}`;
}

/**
 * How much of a view's height the map of an estate can fill, in steps of 5 %, so that a VNet more does not move everything.
 *
 * @param {{w: number, h: number}} box of the estate @param {{w: number, h: number}} view both px
 * @returns {number} 100: nothing else has room beside it
 */
export function mapShare(box, view) {
  if (!box.w || !box.h || !view.w || !view.h) return 100;
  const needed = Math.ceil((20 * (view.w * (box.h / box.w)) * ROOM_ROUND) / view.h) * 5;
  return needed > MOST_SHARED ? 100 : Math.max(needed, LEAST_SHARE);
}

/**
 * The scale of a trend: beside the capacity where it comes near enough for the comparison to say something, else by itself.
 *
 * @param {readonly (number | null)[]} values @param {number | null} limit in the same unit
 * @returns {{top: number, limit: number | null, knownCount: number}} `limit` null: not drawn
 */
export function trendScale(values, limit) {
  let most = 0;
  let knownCount = 0;
  for (const value of values) {
    if (value === null) continue;
    knownCount++;
    most = Math.max(most, value);
  }
  if (limit && most >= 0.2 * limit) return { top: Math.max(limit * 1.12, most * 1.05), limit, knownCount };
  return { top: most * 1.15 || 1, limit: null, knownCount };
}

/** Where the capacity, wire bits, lies among inner bits now. @param {Collector} collector @returns {number | null} */
export function innerLimit({ capacity_bits_per_s, bits_per_s, wire_bits_per_s }) {
  if (!capacity_bits_per_s) return null;
  return bits_per_s && wire_bits_per_s ? (capacity_bits_per_s * bits_per_s) / wire_bits_per_s : capacity_bits_per_s;
}

/** @typedef {{name: string, where: string, rate: number | null, measured_ms: number | null}} SourceRow */
/** @typedef {{title: string, words: string, rows: SourceRow[], none: string}} SourceTable  `none`: why there are no rows, "" when there are */

/**
 * The largest sources of all, or of one collector, and of what they are the largest.
 *
 * @param {{picture: Picture | null, traffic: Traffic}} model @param {Collector | null} collector null: of all
 * @param {{unit: Unit, most: number, as_of_ms: number}} asked
 * @returns {SourceTable}
 */
export function sourceTable({ picture, traffic }, collector, { unit, most, as_of_ms }) {
  const title = collector ? `Largest sources of ${collector.name}` : "Largest sources";
  if (!picture) return { title, words: "", rows: [], none: "" };
  if (collector && isStale(collector, as_of_ms)) return { title, words: "", rows: [], none: "Not known: this collector does not report." };
  const isUncounted = collector?.has_sources === false && collector.bits_per_s !== null;
  if (isUncounted) return { title, words: "", rows: [], none: `Not available here: ${collector.origin || "what reports"} does not count each source by itself.` };
  const graph = traffic.graph;
  if (collector !== null && collector.id !== null && graph?.collectors.rowOf.has(collector.id)) {
    const { items, known: measured, total } = traffic.talkersOf(collector.id, Infinity, unit);
    const measured_ms = traffic.rates.unix_s * 1000;
    const whole = items.reduce((sum, one) => sum + one.rate, 0);
    const rows = items.slice(0, most).map(({ nic, rate }) => ({ ...placeOfNic(graph, nic), rate, measured_ms }));
    if (rows.length) return { title, words: wordsOf(rows, `${total}${measured === total ? "" : `, ${measured} measured`}`, whole, unit, as_of_ms), rows, none: "" };
    return { title, words: "", rows, none: total ? `Not known: of ${total} mirrors none is measured now.` : "Nothing is mirrored to this collector." };
  }
  const all = collector === null ? (picture.sources ?? []) : (picture.sources_of?.[collector.key] ?? (picture.sources ?? []).filter((one) => one.collector_key === collector.key));
  const rows = all
    .map((one) => ({ name: one.nic, where: collector ? one.vnet : `${one.vnet} → ${one.collector}`, rate: unit === "bits" ? one.bits_per_s : one.packets_per_s, measured_ms: one.measured_ms }))
    .sort((a, b) => (b.rate ?? -1) - (a.rate ?? -1))
    .slice(0, most);
  const { totals } = picture;
  const mirrors = collector ? collector.mirrors : totals.mirrors;
  const whole = collector ? null : unit === "bits" ? totals.bits_per_s : totals.packets_per_s;
  if (rows.length) return { title, words: wordsOf(rows, mirrors === null ? "" : count(mirrors, "mirror"), whole, unit, as_of_ms), rows, none: "" };
  const why = picture.unread?.sources?.why;
  return { title, words: "", rows, none: mirrors === 0 ? "No traffic is mirrored yet." : `Not known: ${why ?? (mirrors === null ? "the mirrors could not be read." : `of ${count(mirrors, "mirror")} none is measured now.`)}` };
}

/**
 * @param {readonly SourceRow[]} rows at least one @param {string} ofHowMany @param {number | null} whole @param {Unit} unit @param {number} as_of_ms
 * @returns {string} "30 of 500 mirrors · 39 % of 38.4 Gb/s measured · 1 s old"
 */
function wordsOf(rows, ofHowMany, whole, unit, as_of_ms) {
  const newest = Math.max(...rows.map((one) => one.measured_ms ?? 0));
  return [ofHowMany ? `${rows.length} of ${ofHowMany}` : "", partWords(rows, whole, unit), newest ? `${ageWords((as_of_ms - newest) / 1000)} old` : ""].filter(Boolean).join(" · ");
}

/** @param {readonly SourceRow[]} rows @param {number | null} whole @param {Unit} unit @returns {string} "61 % of 38.4 Gb/s measured" */
function partWords(rows, whole, unit) {
  const sum = rows.reduce((before, one) => before + (one.rate ?? 0), 0);
  return whole ? `${shareWords(Math.min(1, sum / whole))} of ${rateWords(whole, unit)} measured` : "";
}

/** @param {import("../../topology/store/graph.js").Graph} graph @param {number} nic @returns {{name: string, where: string}} */
function placeOfNic({ nics, subnets, vnets }, nic) {
  const row = nics.rowOf.get(nic) ?? -1;
  const subnet = subnets.rowOf.get(nics.numbers.subnet?.[row] ?? -1) ?? -1;
  const vnet = vnets.rowOf.get(subnets.numbers.vnet?.[subnet] ?? -1) ?? -1;
  return { name: nics.texts.name?.[row] ?? "a NIC that is gone", where: vnets.texts.name?.[vnet] ?? "" };
}
