import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates } from "../../static/js/live/rates.js";
import { Traffic } from "../../static/js/topology/store/traffic.js";
import {
  barOf, collectorNow, columnRows, dropWords, innerLimit, loudAlarms, mapShare, originWords, OVERRUN, rateLine, restWords, ROW_UNITS, rowsFor, shareParts, sourceTable, stateWords, toneNow, trendScale,
} from "../../static/js/wall/store/figures.js";

const NOW = 1_795_489_928_000;
const GBIT = 1e9;

const collector = (more = {}) => ({
  id: 5, key: "c", name: "ilb-weu-01", state: "ok", words: "", rules: [], alarm: "", capacity_bits_per_s: 10 * GBIT, drops_per_s: 0, drops_share: 0, origin: "agent", interval_s: 1,
  stale_after_s: 5, lag_s: 0.2, measured_ms: NOW - 1000, heard_ms: NOW - 1000, bits_per_s: 6 * GBIT, wire_bits_per_s: 6.2 * GBIT, packets_per_s: 500_000, share: 0.62, is_estimate: false,
  members: 2, members_missing: 0, mirrors: 40, spark: [], spark_step_s: 15, ...more,
});

/** A traffic with one frame, in which the collector of id 5 has the only series. */
function traffic(bits, packets) {
  const rates = new Rates({ mono: () => 0, wall: () => 0 });
  rates.setSeries(1, ["c"]);
  if (bits !== undefined) rates.take({ seq: 1, series_revision: 1, unix_s: NOW / 1000, bits: new Float32Array([bits]), packets: new Float32Array([packets]) });
  const one = new Traffic(rates);
  one.placeOf = new Map([[5, 0]]);
  return one;
}

const alarm = (number, more = {}) => ({ number, severity: "alarm", is_acknowledged: false, is_muted: false, ...more });

test("a collector is as the newest frame has it, else as the picture has it", () => {
  const now = collectorNow(collector(), traffic(8 * GBIT, 1e6), NOW);
  assert.deepEqual([now.bits_per_s, now.packets_per_s, now.measured_ms], [8 * GBIT, 1e6, NOW]);
  assert.ok(Math.abs(now.share - 0.84) < 1e-6, "wire bits: 50 octets more a packet");
  const before = collectorNow(collector(), traffic(), NOW);
  assert.deepEqual([before.bits_per_s, before.share, before.measured_ms], [6 * GBIT, 0.62, NOW - 1000]);
});

test("a source that tells rarely is as old as its own number, not as the frame", () => {
  const rare = collector({ interval_s: 60, stale_after_s: 300, measured_ms: NOW - 95_000 });
  const now = collectorNow(rare, traffic(8 * GBIT, 1e6), NOW);
  assert.equal(now.measured_ms, NOW - 95_000);
  assert.equal(rateLine(rare, now, NOW), "8.00 Gb/s · 95 s ago");
});

test("what is not known is said to be so and is never zero", () => {
  const hole = collectorNow(collector(), traffic(NaN, NaN), NOW);
  assert.deepEqual([hole.bits_per_s, hole.share, hole.measured_ms], [null, null, null]);
  assert.equal(rateLine(collector(), hole, NOW), "rate not known");
  assert.deepEqual(shareParts(collector(), hole), { figure: "—", of: "of 10 Gb/s" });
  const unbounded = collector({ capacity_bits_per_s: null, share: null });
  assert.deepEqual(shareParts(unbounded, collectorNow(unbounded, traffic(), NOW)), { figure: "—", of: "capacity not known" });
  const never = collector({ state: "none", bits_per_s: null, measured_ms: null, heard_ms: null, stale_after_s: null, interval_s: null });
  const none = collectorNow(never, traffic(), NOW);
  assert.deepEqual([toneNow(none), rateLine(never, none, NOW), stateWords(never, none, NOW)], ["fine", "never reported", "no live numbers yet"]);
  const zero = collectorNow(collector(), traffic(0, 0), NOW);
  assert.deepEqual([zero.bits_per_s, rateLine(collector(), zero, NOW)], [0, "0 b/s · 0 s ago"]);
  assert.equal(collectorNow(collector({ state: "a later one" }), traffic(), NOW).style.key, "unknown");
});

test("a state that was told before the first number came does not contradict it", () => {
  const told = collector({ state: "none", bits_per_s: null, packets_per_s: null, wire_bits_per_s: null, measured_ms: null, heard_ms: null, stale_after_s: null, interval_s: null });
  const now = collectorNow(told, traffic(8 * GBIT, 1e6), NOW);
  assert.deepEqual([stateWords(told, now, NOW), rateLine(told, now, NOW)], ["not judged now", "8.00 Gb/s"]);
  assert.equal(collectorNow({ ...told, state: "away" }, traffic(8 * GBIT, 1e6), NOW).style.key, "unknown");
  assert.equal(collectorNow({ ...told, state: "away" }, traffic(NaN, NaN), NOW).style.key, "away");
});

test("who counts is told, and that it is not told is not that nobody does", () => {
  assert.equal(originWords(collector()), "agent, every 1 s");
  assert.equal(originWords(collector({ origin: "" })), "not told here, every 1 s", "before visitors");
  assert.equal(originWords(collector({ origin: "", heard_ms: null, interval_s: null })), "nobody yet");
});

test("rows that do not fit into one column are halved, not spilt", () => {
  assert.deepEqual([0, 1, 12, 13, 23, 24].map((count) => columnRows(count, 12)), [1, 1, 12, 7, 12, 12]);
});

test("a collector that does not report has a last figure and none of now", () => {
  const late = collector({ heard_ms: NOW - 360_000, measured_ms: NOW - 360_000, alarm: "A-117" });
  const now = collectorNow(late, traffic(8 * GBIT, 1e6), NOW);
  assert.deepEqual([now.isStale, now.bits_per_s, now.share, toneNow(now), now.since_ms], [true, null, null, "stale", NOW - 360_000]);
  assert.equal(stateWords(late, now, NOW), "no report for 6 min · A-117");
  assert.equal(rateLine(late, now, NOW), "last 8.00 Gb/s, 6 min ago");
  assert.equal(rateLine(late, collectorNow({ ...late, bits_per_s: null }, traffic(), NOW), NOW), "last rate not known");
  const judged = collector({ state: "silent", bits_per_s: null, spark: [1, 2 * GBIT, null] });
  assert.equal(rateLine(judged, collectorNow(judged, traffic(), NOW), NOW), "last 2.00 Gb/s, 1 s ago");
  const unheard = collector({ state: "stale", heard_ms: null, measured_ms: null });
  assert.equal(stateWords(unheard, collectorNow(unheard, traffic(), NOW), NOW), "no report, never heard");
});

test("a state says of what", () => {
  const say = (more) => {
    const one = collector(more);
    return stateWords(one, collectorNow(one, traffic(), NOW), NOW);
  };
  assert.equal(say({}), "ok");
  assert.equal(say({ state: "dropping", drops_share: 0.021, alarm: "A-117" }), "dropping 2.1 % of packets · A-117");
  assert.equal(say({ state: "dropping", drops_share: null, drops_per_s: 1200 }), "dropping 1.20 k pkt/s");
  assert.equal(say({ state: "degraded", members: 3, members_missing: 1 }), "2 of 3 members report");
  assert.equal(say({ state: "dropping", drops_share: 0.3, members: 3, members_missing: 2 }), "dropping 30 % of packets · 1 of 3 members report");
  assert.deepEqual([dropWords(0.0004), dropWords(0.009), dropWords(0.34)], ["< 0.1 %", "0.9 %", "34 %"]);
  const tones = Object.fromEntries(["ok", "near", "over", "dropping", "empty", "degraded", "silent", "maintenance", "unknown", "starting"].map((state) => [state, toneNow(collectorNow(collector({ state }), traffic(), NOW))]));
  assert.deepEqual(tones, { ok: "fine", near: "warn", over: "bad", dropping: "bad", empty: "warn", degraded: "warn", silent: "stale", maintenance: "fine", unknown: "fine", starting: "fine" });
});

test("a bar ends at 130 % and is empty where nothing is known", () => {
  assert.deepEqual([barOf(null), barOf(0), barOf(1), barOf(OVERRUN), barOf(9)], [0, 0, 1 / OVERRUN, 1, 1]);
});

test("those that no row shows are counted by state", () => {
  const shown = [collector({ state: "dropping" }), collector()];
  assert.equal(restWords({ total: 2, ok: 1, dropping: 1 }, shown), "");
  assert.equal(restWords({ total: 30, ok: 29, dropping: 1 }, shown), "28 more, all ok");
  assert.equal(restWords({ total: 30, ok: 27, dropping: 1, unknown: 2 }, shown), "28 more: 2 not judged now");
});

test("three alarms are large, the loud rest is counted, the silenced ones are not", () => {
  const loud = [1, 2, 3, 4, 5].map((number) => alarm(number));
  const back = [alarm(6, { is_acknowledged: true }), alarm(7, { is_muted: true }), alarm(8, { severity: "notice" })];
  const found = loudAlarms({ alarms: [...loud, ...back], more_alarms: 4 }, 3);
  assert.deepEqual([found.large.map((one) => one.number), found.more, found.acknowledged], [[1, 2, 3], 2, 1]);
  assert.equal(loudAlarms({ alarms: loud, more_alarms: 4 }, 3).more, 6, "beyond a list that ends loud it goes on loud");
  assert.deepEqual(loudAlarms({ alarms: null, more_alarms: null }, 3), { large: [], more: 0, acknowledged: 0 }, "never read");
  assert.deepEqual(loudAlarms({ alarms: [], more_alarms: 0 }, 3), { large: [], more: 0, acknowledged: 0 });
});

test("rows fill their column, and what does not fit leaves room to be counted", () => {
  assert.deepEqual(rowsFor(1, 800), { tier: "large", shown: 1 });
  assert.deepEqual(rowsFor(3, 800), { tier: "large", shown: 3 });
  assert.deepEqual(rowsFor(5, 800), { tier: "roomy", shown: 5 });
  assert.deepEqual(rowsFor(12, 800), { tier: "tight", shown: 12 });
  assert.deepEqual(rowsFor(0, 800), { tier: "large", shown: 0 });
  for (const units of [40, 300, 800, 1500]) {
    const { shown } = rowsFor(40, units);
    assert.ok(shown >= 1 && (shown === 1 || shown * ROW_UNITS.tight <= units), `${shown} rows in ${units}`);
  }
});

test("a trend stands beside its capacity only where that says something", () => {
  assert.deepEqual(trendScale([1, null, 5], null), { top: 5.75, limit: null, knownCount: 2 });
  assert.equal(trendScale([10, 12], 10).limit, 10);
  assert.ok(trendScale([10, 12], 10).top > 12, "an overrun is seen");
  assert.equal(trendScale([1, 1.9], 10).limit, null);
  assert.deepEqual(trendScale([null, null], 10), { top: 1, limit: null, knownCount: 0 });
  assert.equal(trendScale([0, 0], null).top, 1);
  assert.equal(innerLimit(collector({ bits_per_s: 8, wire_bits_per_s: 10, capacity_bits_per_s: 100 })), 80);
  assert.equal(innerLimit(collector({ capacity_bits_per_s: null })), null);
  assert.equal(innerLimit(collector({ bits_per_s: null, capacity_bits_per_s: 100 })), 100);
});

test("sources are the largest of how many, and say why there are none", () => {
  const source = (nic, bits_per_s, more = {}) => ({ nic, vnet: "spoke", collector: "ilb-weu-01", bits_per_s, packets_per_s: 1, measured_ms: NOW, collector_key: "c", ...more });
  const picture = {
    at_ms: NOW - 2000, totals: { bits_per_s: 10 * GBIT, packets_per_s: 1e6, known: 496, of: 500, mirrors: 500, nics: 900, silent: 0 },
    sources: [source("b", 2 * GBIT), source("a", 3 * GBIT), source("hole", null), source("other", GBIT, { collector: "nic-neu", collector_key: "n" })],
  };
  const asked = { unit: "bits", most: 3, as_of_ms: NOW };
  const all = sourceTable({ picture, traffic: traffic() }, null, asked);
  assert.deepEqual(all.rows.map((one) => [one.name, one.where, one.rate]), [["a", "spoke → ilb-weu-01", 3 * GBIT], ["b", "spoke → ilb-weu-01", 2 * GBIT], ["other", "spoke → nic-neu", GBIT]]);
  assert.equal(all.words, "3 of 500 mirrors · 60 % of 10.0 Gb/s measured · 0 s old");
  assert.deepEqual(sourceTable({ picture, traffic: traffic() }, collector(), asked).rows.map((one) => one.name), ["a", "b", "hole"]);
  const own = { ...picture, sources_of: { c: [source("own", 5)] } };
  assert.deepEqual(sourceTable({ picture: own, traffic: traffic() }, collector(), asked).rows.map((one) => one.name), ["own"], "its own largest, where the picture tells them");
  const none = (more, one = null) => sourceTable({ picture: { ...picture, sources: [], ...more }, traffic: traffic() }, one, asked).none;
  assert.equal(none({ totals: { ...picture.totals, mirrors: 0 } }), "No traffic is mirrored yet.");
  assert.equal(none({}), "Not known: of 500 mirrors none is measured now.");
  assert.equal(none({ sources: null, unread: { sources: { why: "No live numbers have come yet.", since_ms: null } } }), "Not known: No live numbers have come yet.");
  assert.equal(none({ sources: null, totals: { ...picture.totals, mirrors: null } }), "Not known: the mirrors could not be read.");
  assert.equal(none({}, collector({ has_sources: false, origin: "Azure Monitor" })), "Not available here: Azure Monitor does not count each source by itself.");
  assert.equal(none({}, collector({ state: "silent" })), "Not known: this collector does not report.");
});

test("of a collector all sources of its frames are told, in which unit one likes", () => {
  const column = (...values) => Object.assign(values, {});
  const table = (numbers, texts = {}) => ({ numbers, texts, rowOf: new Map(numbers.id.map((id, row) => [id, row])), size: numbers.id.length });
  const graph = {
    mirrors: table({ id: column(21, 22, 23), nic: column(11, 12, 13), collector: column(5, 5, 5) }), collectors: table({ id: column(5) }), mirrorsOfCollector: new Map([[5, [0, 1, 2]]]),
    nics: table({ id: column(11, 12), subnet: column(31, 31) }, { name: ["web-01", "web-02"] }), subnets: table({ id: column(31), vnet: column(41) }), vnets: table({ id: column(41) }, { name: ["spoke-web"] }),
  };
  const rates = new Rates({ mono: () => 0, wall: () => 0 });
  rates.setSeries(1, ["a", "b", "c", "d"]);
  rates.take({ seq: 1, series_revision: 1, unix_s: NOW / 1000, bits: new Float32Array([1, 3, NaN, 9]), packets: new Float32Array([4, 2, NaN, 9]) });
  const told = new Traffic(rates);
  told.graph = graph;
  told.placeOf = new Map([[21, 0], [22, 1], [23, 2], [5, 3]]);
  const picture = { at_ms: NOW, sources: [], totals: {} };
  const of = (unit) => sourceTable({ picture, traffic: told }, collector(), { unit, most: 1, as_of_ms: NOW + 1000 });
  assert.deepEqual(of("bits"), { title: "Largest sources of ilb-weu-01", words: "1 of 3, 2 measured · 75 % of 4.00 b/s measured · 1 s old", rows: [{ name: "web-02", where: "spoke-web", rate: 3, measured_ms: NOW }], none: "" });
  assert.deepEqual(of("packets").rows[0].name, "web-01");
  rates.take({ seq: 2, series_revision: 1, unix_s: NOW / 1000 + 1, bits: new Float32Array(4).fill(NaN), packets: new Float32Array(4).fill(NaN) });
  assert.equal(of("bits").none, "Not known: of 3 mirrors none is measured now.");
});

test("a map leaves room on a tall screen, and none on a wide one", () => {
  const estate = { w: 1800, h: 900 };
  assert.equal(mapShare(estate, { w: 1840, h: 880 }), 100);
  assert.equal(mapShare(estate, { w: 1000, h: 1500 }), 40);
  assert.equal(mapShare({ w: 1800, h: 890 }, { w: 1000, h: 1500 }), 40, "a little less changes nothing");
  assert.equal(mapShare({ w: 4000, h: 400 }, { w: 1000, h: 1500 }), 35);
  assert.equal(mapShare({ w: 0, h: 0 }, { w: 1000, h: 1500 }), 100);
});
