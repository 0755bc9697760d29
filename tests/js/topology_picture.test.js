import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Graph } from "../../static/js/topology/store/graph.js";
import { placeLabels } from "../../static/js/topology/store/labels.js";
import { pathOf, routesOf, spread } from "../../static/js/topology/store/routes.js";
import { add, existing, idsFromText, idsToText, summary, toggle } from "../../static/js/topology/store/selection.js";
import { collectorState, count, nicWords, peeringState } from "../../static/js/topology/store/states.js";
import { between, fit, levelOf, overlaps, pan, toScreen, toWorld, viewFromText, viewToText, zoomAt } from "../../static/js/topology/store/view.js";
import { addressOf, readAddress } from "../../static/js/topology/wire/address.js";
import { waitBefore } from "../../static/js/topology/wire/socket.js";

const JS = new URL("../../static/js/topology/", import.meta.url);
const graphS = () => new Graph(JSON.parse(readFileSync(new URL("../vectors/snapshot_s.json", import.meta.url), "utf8")));
const size = { w: 1380, h: 842 };

test("store imports neither draw nor wire nor the DOM", () => {
  for (const file of readdirSync(new URL("store/", JS))) {
    const text = readFileSync(new URL(`store/${file}`, JS), "utf8");
    assert.doesNotMatch(text, /from "\.\.\//, file);
    assert.doesNotMatch(text, /\b(document|window|location|fetch|performance|Date\.now|Math\.random)\b\s*[.(]/, file);
  }
});

test("no colour outside the style sheet", () => {
  for (const folder of ["store/", "draw/"]) {
    for (const file of readdirSync(new URL(folder, JS))) {
      const text = readFileSync(new URL(folder + file, JS), "utf8");
      assert.deepEqual(text.match(/#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/gi)?.filter((colour) => colour !== "#808080") ?? [], [], file);
    }
  }
});

test("zoom keeps the point under the pointer; pan moves by px; screen and world are inverse", () => {
  const view = { x: 100, y: 50, k: 0.8 };
  const before = toWorld(view, size, 300, 200);
  const after = toWorld(zoomAt(view, size, 1.7, 300, 200), size, 300, 200);
  assert.ok(Math.abs(before.x - after.x) < 1e-9 && Math.abs(before.y - after.y) < 1e-9);
  const on = toScreen(pan(view, 30, -10), size, 100, 50);
  assert.deepEqual([Math.round(on.x), Math.round(on.y)], [size.w / 2 + 30, size.h / 2 - 10]);
});

test("fit shows everything, S with readable chips on 1440 × 900", () => {
  const graph = graphS();
  const bounds = graph.bounds();
  const view = fit(bounds, size, { pad: 22, bottom: 26 });
  assert.equal(levelOf(view.k), 3);
  for (const [x, y] of [[bounds.x, bounds.y], [bounds.x + bounds.w, bounds.y + bounds.h]]) {
    const on = toScreen(view, size, x, y);
    assert.ok(on.x >= 0 && on.x <= size.w && on.y >= 0 && on.y <= size.h);
  }
});

test("a flight starts here and ends there", () => {
  const from = { x: 0, y: 0, k: 0.1 };
  const to = { x: 900, y: 400, k: 1 };
  const start = between(from, to, 0);
  assert.deepEqual([start.x, start.y], [0, 0]);
  assert.ok(Math.abs(start.k - 0.1) < 1e-9);
  assert.deepEqual(between(from, to, 1), to);
});

test("the address bar restores view, selection and open node, and keeps what is not ours", () => {
  const state = { view: { x: 120, y: -40, k: 0.75 }, selection: new Set([12, 13, 14, 40]), node: 30, pick: "destination", unit: "packets" };
  const query = addressOf("?theme=x", state);
  assert.equal(query, "?theme=x&at=120,-40,0.75&sel=c-e.14&node=30&pick=destination&unit=packets");
  assert.deepEqual(readAddress(query), { view: state.view, selection: [12, 13, 14, 40], node: 30, pick: "destination", unit: "packets" });
  assert.deepEqual(readAddress("?at=rubbish&sel=!!&node=-1&unit=apples"), { view: null, selection: [], node: null, pick: "", unit: "bits" });
  assert.equal(viewFromText("1,2"), null);
  assert.equal(viewToText({ x: 0.4, y: 1, k: 0.123456 }), "0,1,0.1235");
});

test("an endless run in the address is cut", () => {
  assert.equal(idsFromText("0-zzzzzzzzz", 1000).length, 1000);
  assert.equal(idsToText([]), "");
});

test("selection: toggling a group adds what is missing, then takes all away; what is gone is dropped", () => {
  const graph = graphS();
  const [a, b] = graph.nics.rowOf.keys();
  assert.deepEqual([...toggle(new Set([a]), [a, b])], [a, b]);
  assert.deepEqual([...toggle(new Set([a, b]), [a, b])], []);
  assert.deepEqual([...existing(add(new Set([a]), [987_654]), graph)], [a]);
});

test("the selection bar says how many, where, and how many are mirrored already", () => {
  const graph = graphS();
  const vnet = graph.vnets.numbers.id[graph.vnets.texts.name.indexOf("spoke-crm")];
  const row = graph.vnets.rowOf.get(vnet);
  const told = summary(new Set(graph.nicIdsUnder(vnet)), graph);
  assert.deepEqual(told, { nics: graph.vnets.numbers.nics[row], vnets: ["spoke-crm"], subnets: 2, mirrored: graph.vnets.numbers.mirrored[row] });
});

test("every mirror has a way from its chip to its card, through the pipe of its peering", () => {
  const graph = graphS();
  const routes = routesOf(graph);
  assert.equal(routes.strandOfMirror.size, graph.mirrors.size);
  for (let row = 0; row < graph.mirrors.size; row++) {
    const strand = routes.strandOfMirror.get(graph.mirrors.numbers.id[row]);
    const line = pathOf(graph, strand, row);
    const chip = graph.boxOf(graph.mirrors.numbers.nic[row]);
    const card = graph.boxOf(strand.collector);
    assert.ok(line[0] >= chip.x && line[0] <= chip.x + chip.w && line[1] === chip.y + chip.h, "starts under its chip");
    const [x, y] = line.slice(-2);
    assert.ok(x >= card.x - 1 && x <= card.x + card.w + 1 && y >= card.y - 1 && y <= card.y + card.h + 1, "ends at its card");
    assert.ok(line.every(Number.isFinite));
    assert.ok(strand.pipe && strand.pipe.id > 0);
  }
});

test("no strand runs along the hub's edge", () => {
  const graph = graphS();
  for (const strand of routesOf(graph).strands) {
    const hub = graph.boxOf(strand.pipe.to);
    for (let i = 0; i + 3 < strand.last.length; i += 2) {
      const [x0, y0, x1, y1] = strand.last.slice(i, i + 4);
      const isOnEdge = [hub.x, hub.x + hub.w].some((edge) => Math.abs(x0 - edge) < 1 && Math.abs(x1 - edge) < 1);
      assert.ok(!isOnEdge || Math.abs(y1 - y0) < 4);
    }
    const heights = Array.from(strand.last).filter((_, index) => index % 2);
    assert.ok(Math.max(...heights) - Math.min(...heights) <= 70, "enters at the height of its card");
  }
});

test("a pipe between neighbours is short and straight; none runs over a box unless it is painted faintly", () => {
  const graph = graphS();
  const boxes = [...graph.vnets.rowOf.keys()].map((id) => ({ id, box: graph.boxOf(id) }));
  const { pipes } = routesOf(graph);
  for (const pipe of pipes) {
    if (pipe.start.side === "bottom" && pipe.end.side === "top") assert.equal(pipe.start.x, pipe.end.x);
    if (pipe.isBehind || pipe.mirrors) continue;
    for (const { id, box } of boxes) {
      if (id === pipe.from || id === pipe.to) continue;
      for (let i = 0; i < pipe.points.length; i += 2) {
        const isInside = pipe.points[i] > box.x + 3 && pipe.points[i] < box.x + box.w - 3 && pipe.points[i + 1] > box.y + 3 && pipe.points[i + 1] < box.y + box.h - 3;
        assert.ok(!isInside, `${graph.nameOf(pipe.from)} - ${graph.nameOf(pipe.to)} runs through ${graph.nameOf(id)}`);
      }
    }
  }
  assert.ok(pipes.some((pipe) => pipe.start.side === "bottom" || pipe.start.side === "top"));
});

test("ports keep their distance and lie on the edge of their VNet", () => {
  const graph = graphS();
  const ports = new Map();
  for (const pipe of routesOf(graph).pipes) {
    for (const [vnet, port] of [[pipe.from, pipe.start], [pipe.to, pipe.end]]) {
      const box = graph.boxOf(vnet);
      assert.ok(port.x >= box.x && port.x <= box.x + box.w && port.y >= box.y && port.y <= box.y + box.h);
      const key = `${vnet}:${port.side}`;
      ports.set(key, [...(ports.get(key) ?? []), port.y]);
    }
  }
  for (const ys of ports.values()) ys.sort((a, b) => a - b).forEach((y, index) => assert.ok(index === 0 || y - ys[index - 1] >= 7.99));
});

test("spread keeps the order and the gap, and squeezes where there is no room", () => {
  assert.deepEqual(spread([10, 10], 0, 100, 20).map((y, index, all) => (index ? y - all[0] : 0)), [0, 20]);
  const tight = spread([5, 5, 5, 5, 5], 0, 20, 34);
  assert.deepEqual(tight, [0, 5, 10, 15, 20]);
  assert.deepEqual(spread([], 0, 1, 1), []);
});

test("labels: the most important first, no two over each other", () => {
  const box = (x) => ({ box: { x, y: 0, w: 10, h: 10 }, of: x });
  const placed = placeLabels([
    { rank: 1, isNeeded: false, places: [box(0), box(50)] },
    { rank: 9, isNeeded: true, places: [box(0)] },
    { rank: 0, isNeeded: false, places: [box(2)] },
  ], []);
  assert.deepEqual(placed.map((one) => one.of), [0, 50]);
  assert.equal(placeLabels([{ rank: 1, isNeeded: false, places: [box(0)] }], [{ x: 0, y: 0, w: 5, h: 5 }]).length, 0);
  assert.equal(placeLabels([{ rank: 1, isNeeded: true, places: [box(0)] }], [{ x: 0, y: 0, w: 5, h: 5 }]).length, 1);
  const words = { x: 0, y: 0, w: 5, h: 5 };
  const needed = (places, free) => placeLabels([{ rank: 1, isNeeded: true, places }], [words, { x: 20, y: 0, w: 10, h: 10 }], free)[0].of;
  assert.equal(needed([box(1), box(20)], []), 1, "where it hides least");
  assert.equal(needed([box(1), box(20)], [words]), 20, "a heading is worse to hide than a box");
  assert.ok(overlaps({ x: 0, y: 0, w: 2, h: 2 }, { x: 1, y: 1, w: 2, h: 2 }));
});

test("a state we do not know looks unknown and keeps its word; words say all that is true", () => {
  assert.deepEqual([peeringState("Updating").line, peeringState("Updating").words], ["dotted", "Updating"]);
  assert.equal(collectorState("new").key, "unknown");
  assert.equal(nicWords(1 | 16 | 64), "mirrored · provisioning did not succeed · stale");
  assert.equal(nicWords(0), "not mirrored");
  assert.equal(count(1, "NIC"), "1 NIC");
});

test("waiting before a reconnect doubles, with chance, up to half a minute", () => {
  assert.deepEqual([waitBefore(0, 0), waitBefore(0, 1), waitBefore(3, 0)], [500, 1000, 4000]);
  assert.ok(waitBefore(40, 1) <= 30_000);
});
