import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Rates } from "../../static/js/live/rates.js";
import { Graph } from "../../static/js/topology/store/graph.js";
import { routesOf } from "../../static/js/topology/store/routes.js";
import { Traffic } from "../../static/js/topology/store/traffic.js";
import { fit, overlaps } from "../../static/js/topology/store/view.js";
import { boxOfSaved, CALM_MS, DESK, follow, holds, LONGEST_WAIT_MS, SLACK, viewOf, WAIT_MS } from "../../static/js/wall/store/holding.js";
import { isBroken, marksOf, MOST_NAMED, placeMarks, SIZES } from "../../static/js/wall/store/marks.js";
import { shortName, shortNames } from "../../static/js/wall/store/words.js";
import { Pace } from "../../static/js/wall/store/pace.js";

const size = { w: 1067, h: 600 };
const town = { x: 0, y: 0, w: 2000, h: 1000 };
const wish = (more = {}) => ({ question: "all", box: town, size, pad: 8, top: 0, kMax: 1.25, ...more });

/** Looks once a second at boxes that change. */
function watch(boxes, held = null, from = 0) {
  const moves = [];
  boxes.forEach((box, second) => {
    const step = follow(held, wish({ box }), from + second * 1000);
    if (step.isMove) moves.push(second);
    held = step.held;
  });
  return { held, moves };
}

// --- where it looks -------------------------------------------------------------------------------------------------------

test("the first look, another question and another window are answered at once, and exactly", () => {
  const first = follow(null, wish(), 0);
  assert.deepEqual([first.isMove, first.isJump, first.held.view], [true, true, viewOf(wish())]);
  assert.equal(follow(first.held, wish(), 1000).isMove, false);
  for (const other of [wish({ question: "node 7", box: { x: 10, y: 10, w: 50, h: 50 } }), wish({ size: { w: 600, h: 1067 } })]) {
    const step = follow(first.held, other, 1000);
    assert.deepEqual([step.isMove, step.isJump, holds(step.held.view, other)], [true, true, true]);
  }
});

test("a change inside the picture moves nothing, however often it happens", () => {
  const boxes = Array.from({ length: 300 }, (_, second) => ({ ...town, w: 2000 - (second % 7) * 40, h: 1000 - (second % 3) * 30 }));
  assert.deepEqual(watch(boxes).moves, [0]);
});

test("what comes outside the picture is followed after a moment of quiet", () => {
  const more = { ...town, w: 2300 };
  const { held, moves } = watch([town, more, more, more, more, more]);
  assert.deepEqual(moves, [0, 1 + WAIT_MS / 1000]);
  assert.ok(holds(held.view, wish({ box: more })));
});

test("an estate that never stops growing is followed all the same, and a move leaves room for the next", () => {
  const boxes = Array.from({ length: 40 }, (_, second) => ({ ...town, w: 2000 + second * 15 }));
  const { held, moves } = watch(boxes);
  assert.ok(moves.length >= 2 && moves.length <= 5, String(moves));
  for (let i = 1; i < moves.length; i++) assert.ok(moves[i] - moves[i - 1] >= 3, String(moves));
  assert.ok((moves[1] - 1) * 1000 <= LONGEST_WAIT_MS + 1000);
  const last = watch(Array.from({ length: 5 }, () => boxes.at(-1)), held, 40_000).held;
  assert.ok(holds(last.view, wish({ box: boxes.at(-1) })));
});

test("an estate that shrank is shown larger only once it stays so", () => {
  const small = { ...town, w: 900, h: 450 };
  const calm = CALM_MS / 1000;
  assert.deepEqual(watch([town, ...Array(calm).fill(small), town, ...Array(calm).fill(small)]).moves, [0]);
  const { held, moves } = watch([town, ...Array(calm + 1).fill(small)]);
  assert.deepEqual(moves, [0, calm + 1]);
  assert.ok(viewOf(wish({ box: small })).k / held.view.k < SLACK);
});

test("a view saved at a desk is shown in whole on any screen", () => {
  const saved = { x: 700, y: 300, k: 0.5 };
  for (const screen of [size, { w: 600, h: 1067 }]) {
    const asked = wish({ box: boxOfSaved(saved), size: screen, kMax: Infinity });
    const view = viewOf(asked);
    assert.ok(holds(view, asked));
    assert.deepEqual([view.x, view.y], [700, 300]);
  }
  assert.equal(boxOfSaved(saved).w, DESK.w / 0.5);
});

test("fit and holds agree at every size", () => {
  for (const w of [300, 1067, 3840]) for (const h of [200, 600, 2160]) {
    for (const top of [0, 14]) assert.ok(holds(fit(town, { w, h }, { pad: 8, top }), wish({ size: { w, h }, top })));
  }
});

// --- how often it draws ---------------------------------------------------------------------------------------------------

test("a slow machine draws every second or fourth second; one slow picture alone changes nothing", () => {
  const pace = new Pace();
  let at = 0;
  const draw = (times, took_ms) => Array.from({ length: times }, () => (pace.drew((at += 1000), took_ms), pace.every_s));
  assert.deepEqual(draw(2, 90), [1, 1]);
  assert.deepEqual(draw(1, 5), [1]);
  assert.deepEqual([...new Set(draw(9, 90))], [1, 2, 4]);
  assert.equal(draw(40, 5).at(-1), 1);
  assert.deepEqual([pace.mayDraw(at + 500), pace.mayDraw(at + 1000)], [false, true]);
});

// --- what is said in large ------------------------------------------------------------------------------------------------

const NOW_MS = 1_767_268_800_000;
const measure = (text, units) => text.length * units * 0.6;

function seen({ states = {}, silent = [], cut = false, lost = NaN } = {}) {
  const snapshot = JSON.parse(readFileSync(new URL("../vectors/snapshot_s.json", import.meta.url), "utf8"));
  if (!cut) snapshot.columns.peerings.state = snapshot.columns.peerings.state.map((state) => (state === "Disconnected" ? "Connected" : state));
  const graph = new Graph(snapshot);
  const rates = new Rates({ mono: () => 0, wall: () => NOW_MS });
  rates.setSeries(graph.series_revision, graph.series);
  const bits = new Float32Array(graph.series.length).fill(2e9);
  rates.take({ seq: 1, series_revision: graph.series_revision, unix_s: NOW_MS / 1000, bits, packets: bits.map((one) => one / 8000) });
  const traffic = new Traffic(rates);
  traffic.setGraph(graph);
  const facts = { words: "", rules: [], alarm: "", capacity_bits_per_s: 1e10, drops_per_s: null, origin: "agent", interval_s: 1, lag_s: 0, arrived_ms: NOW_MS - 360_000, has_sources: true, is_estimate: false, members: 2, members_missing: 0 };
  const collectors = [...graph.collectors.rowOf].map(([id, row]) => ({ ...facts, id, state: "ok", ...states[graph.collectors.texts.name[row]] }));
  const nics = silent.map((name) => graph.nics.numbers.id[graph.nics.texts.name.indexOf(name)]);
  traffic.setFacts({ collectors, silent: nics.map((id) => ({ id, words: "" })) });
  return { graph, traffic, marks: marksOf(graph, traffic, routesOf(graph).pipes, NOW_MS, () => lost) };
}

test("what is well, and what nobody judges now, has no mark", () => {
  assert.deepEqual(seen().marks, []);
  for (const state of ["unknown", "maintenance", "starting", "none"]) assert.deepEqual(seen({ states: { "ilb-collector-uks": { state } } }).marks, [], state);
});

test("what is broken comes first, with words that say of what and since when", () => {
  const { marks } = seen({ cut: true, silent: ["web-01", "web-02"], states: {
    "ilb-collector-uks": { state: "near", alarm: "A-119" }, "nic-packetlog-01": { state: "stale", alarm: "A-118" } } });
  assert.deepEqual(marks.map((mark) => [mark.kind, isBroken(mark), mark.name, mark.words]), [
    ["collector", true, "nic-packetlog-01", "no report for 6 min · A-118"],
    ["pipe", true, "spoke-iot ↔ hub-uks", "Peering disconnected · 2 mirrors"],
    ["collector", false, "ilb-collector-uks", "21 % of 10 Gb/s · A-119"],
    ["silent", false, "2 sources", "send nothing"],
  ]);
  assert.equal(marks[0].figure, "— no data");
  assert.equal(seen({ silent: ["web-01"] }).marks[0].name, "web-01");
  const words = (more) => seen({ states: { "ilb-collector-uks": more } }).marks[0].words;
  assert.equal(words({ state: "dropping", drops_per_s: 1200 }), "dropping 1.20 k pkt/s");
  assert.equal(seen({ lost: 0.021, states: { "ilb-collector-uks": { state: "dropping", drops_per_s: 1200 } } }).marks[0].words, "dropping 2.1 % of packets");
  assert.equal(words({ state: "degraded", members_missing: 1 }), "1 of 2 members report");
  assert.equal(words({ state: "stale", arrived_ms: null }), "no report");
});

test("marks and names stay in the picture and never cover each other", () => {
  const { marks } = seen({ cut: true, silent: ["web-01", "sql-01", "api-01"], states: { "ilb-collector-uks": { state: "dropping" }, "nic-packetlog-01": { state: "stale" } } });
  for (const screen of [{ w: 1067, h: 600 }, { w: 600, h: 1067 }, { w: 400, h: 300 }]) {
    const view = viewOf(wish({ box: { x: 0, y: 0, w: 1732, h: 698 }, size: screen }));
    const placed = placeMarks(marks, view, screen, 1.8, 1, measure, []);
    assert.equal(placed.length, marks.length);
    const labels = placed.map((one) => one.label).filter((box) => box !== null);
    assert.ok(labels.length >= 2);
    labels.forEach((box, place) => {
      assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.w <= screen.w * 1.8 && box.y + box.h <= screen.h * 1.8);
      for (const other of labels.slice(place + 1)) assert.ok(!overlaps(box, other));
    });
  }
});

test("two that stand on one spot are both seen: the lesser one beside the other", () => {
  const box = { x: 500, y: 300, w: 30, h: 20 };
  const two = [5, 3].map((rank, place) => ({ key: `c${place}`, kind: "collector", id: place, rank, color: "bad", glyph: "⬢", name: "one", words: "dropping", figure: "", box }));
  const [first, second] = placeMarks(two, { x: 500, y: 300, k: 0.1 }, size, 1.8, 1, measure, []);
  assert.deepEqual([first.size, second.size], ["large", "small"]);
  assert.equal(first.ring.w, SIZES.large.ring);
  assert.ok(Math.hypot(second.ring.x + second.ring.w / 2 - first.ring.x - first.ring.w / 2, second.ring.y + second.ring.h / 2 - first.ring.y - first.ring.h / 2) >= SIZES.large.ring / 2);
});

test("of very many the worst are named, the others keep a ring; what is out of the picture has none", () => {
  const many = Array.from({ length: 30 }, (_, place) => ({ key: `c${place}`, kind: "collector", id: place, rank: 5, color: "bad", glyph: "⬢", name: `collector-${place}`, words: "dropping", figure: "", box: { x: (place % 6) * 1500, y: Math.floor(place / 6) * 900, w: 300, h: 100 } }));
  const placed = placeMarks(many, viewOf(wish({ box: { x: 0, y: 0, w: 8000, h: 4500 } })), size, 1.8, 1, measure, []);
  assert.equal(placed.length, 30);
  assert.ok(placed.every((one, place) => place < MOST_NAMED || one.label === null));
  assert.equal(placeMarks(many, { x: 1e6, y: 0, k: 0.1 }, size, 1.8, 1, measure, []).length, 0);
});

test("a long name keeps both ends", () => {
  assert.equal(shortName("ilb-weu-01"), "ilb-weu-01");
  assert.equal(shortName("ilb-collector-westeurope-production-007"), "ilb-collector-wes…tion-007");
  assert.equal(shortNames("ilb-collector-westeurope-production-007 drops packets"), "ilb-collector-westeur…tion-007 drops packets");
});
