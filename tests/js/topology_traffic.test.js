import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Rates } from "../../static/js/live/rates.js";
import { Graph } from "../../static/js/topology/store/graph.js";
import { LIVE_STATES } from "../../static/js/topology/store/states.js";
import { magnitude, SCALE, strandWidth, Traffic } from "../../static/js/topology/store/traffic.js";
import { ageWords, rateWords, shareWords } from "../../static/js/topology/store/units.js";

const snapshot = () => JSON.parse(readFileSync(new URL("../vectors/snapshot_s.json", import.meta.url), "utf8"));

/** The Contoso estate with the rates given by place among the series; the others are not known. */
function made(bits = {}, packets = bits) {
  const graph = new Graph(snapshot());
  const rates = new Rates({ mono: () => 0, wall: () => 0 });
  rates.setSeries(graph.series_revision, graph.series);
  const traffic = new Traffic(rates);
  traffic.setGraph(graph);
  const values = (given) => Float32Array.from(graph.series, (_, place) => given[place] ?? NaN);
  if (Object.keys(bits).length) assert.ok(rates.take({ seq: 1, series_revision: graph.series_revision, unix_s: 1000, bits: values(bits), packets: values(packets) }));
  return { graph, traffic };
}

const facts = (id, more = {}) => ({
  id, state: "ok", words: "", rules: [], alarm: "", capacity_bits_per_s: 10e9, drops_per_s: 0, origin: "its agent", interval_s: 1, lag_s: null, arrived_ms: null,
  has_sources: true, is_estimate: false, members: 1, members_missing: 0, ...more,
});

test("a rate has three figures and a unit; unknown is a dash and never a nought", () => {
  const told = [[8.74e9, "8.74 Gb/s"], [9.999e9, "10.0 Gb/s"], [999.6e6, "1.00 Gb/s"], [123.4e6, "123 Mb/s"], [0, "0 b/s"], [7, "7.00 b/s"], [42, "42 b/s"], [NaN, "—"]];
  for (const [value, words] of told) assert.equal(rateWords(value, "bits"), words);
  assert.deepEqual([0, 7, 12_400, 1.5e6].map((value) => rateWords(value, "packets")), ["0 pkt/s", "7 pkt/s", "12.4 k pkt/s", "1.50 M pkt/s"]);
  assert.deepEqual([0, 41, 372, 8000, 200_000].map(ageWords), ["0 s", "41 s", "6 min", "2 h", "2 days"]);
  assert.deepEqual([0, 0.004, 0.87, 1.2].map(shareWords), ["0 %", "< 1 %", "87 %", "120 %"]);
});

test("the places of a frame follow the ids, mirrors first, whatever the order of rows", () => {
  const { graph, traffic } = made({ 0: 5, 13: 77 });
  const mirrors = [...graph.mirrors.rowOf.keys()].sort((a, b) => a - b);
  const [collector] = [...graph.collectors.rowOf.keys()].sort((a, b) => a - b);
  assert.deepEqual([traffic.rateOf(mirrors[0]), traffic.rateOf(mirrors[1]), traffic.rateOf(collector)], [5, NaN, 77]);
  graph.mirrors.remove(mirrors[3]); // the last row moves up; and the series no longer fit, until the delta that names them comes
  traffic.setGraph(graph);
  assert.ok(Number.isNaN(traffic.rateOf(mirrors[0])));
});

test("a part is told as a part, unknown is not zero, and what a collector cannot tell apart is not available", () => {
  const { graph, traffic } = made({ 0: 5e6, 1: 0 });
  const rows = [...graph.mirrors.rowOf.keys()].sort((a, b) => a - b).map((id) => graph.mirrors.rowOf.get(id));
  const of = (...which) => traffic.flowOf(which.map((place) => rows[place]));
  assert.deepEqual(of(0, 1), { rate: 5e6, known: 2, total: 2, look: "flowing" });
  assert.deepEqual(of(0, 2), { rate: 5e6, known: 1, total: 2, look: "flowing" });
  assert.deepEqual(of(1), { rate: 0, known: 1, total: 1, look: "quiet" });
  assert.deepEqual(of(2), { rate: NaN, known: 0, total: 1, look: "unmeasured" });
  const told = (more) => traffic.setFacts({ collectors: [...graph.collectors.rowOf.keys()].map((id) => facts(id, more)), silent: [] });
  told({ has_sources: false });
  assert.equal(of(2).look, "unavailable");
  for (const state of ["stale", "silent"]) {
    told({ state, has_sources: false });
    assert.equal(of(2).look, "stale");
  }
});

test("width and speed grow with the logarithm of the rate, between two ends", () => {
  for (const unit of ["bits", "packets"]) {
    const [low, high] = SCALE[unit];
    assert.deepEqual([0, 10 ** (low - 2), 10 ** low, 10 ** high, 10 ** (high + 2)].map((rate) => magnitude(rate, unit)), [0, 0, 0, 1, 1]);
    assert.ok(strandWidth(10 ** (low + 1), unit) < strandWidth(10 ** (low + 2), unit));
  }
});

test("a card: wire bits against the capacity; without a capacity no share; while nobody judges it does not look well", () => {
  const { graph, traffic } = made({ 13: 8e9 }, { 13: 1e6 });
  const [id] = [...graph.collectors.rowOf.keys()].sort((a, b) => a - b);
  const row = graph.collectors.rowOf.get(id);
  assert.deepEqual([traffic.cardOf(row).style.key, traffic.cardOf(row).isMeasured], ["unknown", true]);
  traffic.setFacts({ collectors: [facts(id, { state: "near" })], silent: [] });
  const card = traffic.cardOf(row);
  assert.deepEqual([card.style.key, card.rate, Math.round(card.share * 1000)], ["near", 8e9, 840]); // and 50 octets a packet
  traffic.setFacts({ collectors: [facts(id, { capacity_bits_per_s: null })], silent: [] });
  assert.ok(Number.isNaN(traffic.cardOf(row).share));
  graph.collectors.texts.state[row] = "gone";
  assert.deepEqual([traffic.cardOf(row).style.key, traffic.cardOf(row).rate], ["gone", NaN]);
});

test("live numbers that cannot be read are not the same as none that ever came", () => {
  const { graph, traffic } = made({}, {});
  const [id] = [...graph.collectors.rowOf.keys()].sort((a, b) => a - b);
  const row = graph.collectors.rowOf.get(id);
  for (const [state, words] of [["none", "no live numbers yet"], ["away", "live numbers can't be read"]]) {
    traffic.setFacts({ collectors: [facts(id, { state })], silent: [] });
    assert.deepEqual([traffic.cardOf(row).style.words, traffic.cardOf(row).isMeasured], [words, false]);
    const measured = made({ [graph.series.length - graph.collectors.size]: 8e9 });
    measured.traffic.setFacts({ collectors: [facts(id, { state })], silent: [] });
    assert.equal(measured.traffic.cardOf(row).style.words, "not judged now", "a figure came after that was told: it is not contradicted");
  }
});

test("top talkers: the largest first, and how many of how many are known", () => {
  const { graph, traffic } = made({ 0: 3, 1: 9, 2: 6 });
  const all = [...graph.collectors.rowOf.keys()].map((id) => traffic.talkersOf(id, 2));
  const rates = all.flatMap(({ items }) => items.map((one) => one.rate));
  assert.equal(all.reduce((sum, one) => sum + one.known, 0), 3);
  assert.equal(all.reduce((sum, one) => sum + one.total, 0), graph.mirrors.size);
  for (const { items } of all) assert.ok(items.length <= 2 && items.every((one, at) => at === 0 || items[at - 1].rate >= one.rate));
  assert.ok(rates.includes(9));
});

test("every live state has a glyph, words and a colour, and none is green", () => {
  for (const style of Object.values(LIVE_STATES)) {
    assert.ok(style.glyph && style.words && style.meaning);
    assert.ok(["flow", "warn", "bad", "stale", "hub", "ink3"].includes(style.color));
  }
});
