import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Graph, NIC } from "../../static/js/topology/store/graph.js";
import { SpatialIndex } from "../../static/js/topology/store/hit.js";
import { BUFFER_LIMIT, sequenceReceive, sequenceSnapshot, sequenceStart } from "../../static/js/topology/store/sequence.js";
import { children, outline, parent, roots, walk } from "../../static/js/topology/store/tree.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8"));
const graphS = () => new Graph(read("snapshot_s.json"));
const idOf = (table, name) => table.numbers.id[table.texts.name.indexOf(name)];

for (const { name, before, events, after } of read("topology_deltas.json")) {
  test(`apply(before, events) == after: ${name}`, () => {
    const graph = new Graph(before);
    for (const event of events) {
      graph.apply(event.delta);
      graph.apply(event.delta); // a delta that comes twice changes nothing more
    }
    assert.deepEqual(graph.toPlain(), new Graph(after).toPlain());
  });
}

test("columns of differences are summed; every NIC lies inside its subnet, every subnet inside its VNet", () => {
  const graph = graphS();
  assert.equal(graph.nics.size, graph.counts.nics);
  const isInside = (inner, outer) => inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.w <= outer.x + outer.w && inner.y + inner.h <= outer.y + outer.h;
  for (const [id, row] of graph.nics.rowOf) assert.ok(isInside(graph.boxOf(id), graph.boxOf(graph.nics.numbers.subnet[row])), graph.nameOf(id));
  for (const [id, row] of graph.subnets.rowOf) assert.ok(isInside(graph.boxOf(id), graph.boxOf(graph.subnets.numbers.vnet[row])), graph.nameOf(id));
});

test("counts agree with the rows", () => {
  const graph = graphS();
  const mirrored = graph.nics.numbers.state.filter((bits) => bits & NIC.mirrored).length;
  assert.equal(mirrored, new Set(graph.mirrors.numbers.nic).size);
  for (const [id, row] of graph.collectors.rowOf) assert.equal(graph.mirrorsOfCollector.get(id).length, graph.collectors.numbers.mirrors[row]);
});

test("what a node stands in is lit with it", () => {
  const graph = graphS();
  for (const [id, row] of graph.nics.rowOf) assert.deepEqual(graph.aroundOf(id), [graph.nics.numbers.subnet[row], graph.vnetIdOfNic(row)]);
  for (const [id, row] of graph.collectors.rowOf) assert.equal(graph.aroundOf(id)[1], graph.collectors.numbers.vnet[row]);
  for (const id of graph.vnets.rowOf.keys()) assert.deepEqual(graph.aroundOf(id), []);
});

test("a newcomer is told, so that it can fade in", () => {
  const { before, events } = read("topology_deltas.json")[0];
  const graph = new Graph(before);
  const added = graph.apply(events[0].delta);
  assert.ok(added.some((id) => graph.nics.rowOf.has(id)));
});

test("hit test: the deepest thing drawn at this zoom", () => {
  const graph = graphS();
  const index = new SpatialIndex(graph);
  for (const id of graph.nics.rowOf.keys()) {
    const box = graph.boxOf(id);
    const at = (level) => index.at(box.x + box.w / 2, box.y + box.h / 2, level);
    assert.deepEqual(at(3), { kind: "nic", id });
    assert.equal(at(1).kind, "subnet");
    assert.equal(at(0).kind, "vnet");
  }
  assert.equal(index.at(-500, -500, 3), null);
  const [collector] = graph.collectors.rowOf.keys();
  const card = graph.boxOf(collector);
  assert.deepEqual(index.at(card.x + 5, card.y + 5, 0), { kind: "collector", id: collector });
});

test("lasso: the NICs whose middle it holds", () => {
  const graph = graphS();
  const index = new SpatialIndex(graph);
  const subnet = idOf(graph.subnets, "snet-web");
  const { x, y, w, h } = graph.boxOf(subnet);
  const caught = index.lasso([{ x, y }, { x: x + w, y }, { x: x + w, y: y + h }, { x, y: y + h }]);
  assert.deepEqual(caught.sort((a, b) => a - b), graph.nicIdsUnder(subnet).sort((a, b) => a - b));
  assert.deepEqual(index.lasso([{ x, y }, { x: x + 10, y }]), []);
});

test("arrow keys walk VNet > subnet > NIC and back", () => {
  const graph = graphS();
  const vnet = { kind: "vnet", id: idOf(graph.vnets, "spoke-crm") };
  const subnet = walk(graph, vnet, "ArrowRight");
  assert.equal(subnet.kind, "subnet");
  const nic = walk(graph, subnet, "ArrowRight");
  assert.equal(nic.kind, "nic");
  assert.deepEqual(walk(graph, nic, "ArrowRight"), nic);
  assert.deepEqual(walk(graph, walk(graph, nic, "ArrowDown"), "ArrowUp"), nic);
  assert.deepEqual(walk(graph, walk(graph, nic, "ArrowLeft"), "ArrowLeft"), vnet);
  assert.deepEqual(walk(graph, null, "ArrowDown"), roots(graph)[0]);
  assert.deepEqual(walk(graph, { kind: "nic", id: 999_999 }, "ArrowDown"), roots(graph)[0]);
});

test("the outline says level, place and number of siblings", () => {
  const graph = graphS();
  const subnet = { kind: "subnet", id: idOf(graph.subnets, "snet-web") };
  const nic = children(graph, subnet)[1];
  const items = outline(graph, nic);
  assert.deepEqual(items.map((item) => item.level), [1, 2, ...children(graph, subnet).map(() => 3)]);
  const here = items.find((item) => item.ref.id === nic.id);
  assert.deepEqual([here.position, here.count], [2, children(graph, subnet).length]);
  assert.deepEqual(parent(graph, nic), subnet);
});

const topology = (seq, more = {}) => ({ kind: "topology", seq, delta: {}, ...more });
const play = (state, messages) => {
  const applied = [];
  let refetches = 0;
  for (const message of messages) {
    const step = sequenceReceive(state, message);
    state = step.state;
    applied.push(...step.apply.map((one) => one.seq));
    refetches += step.refetch ? 1 : 0;
  }
  return { state, applied, refetches };
};

test("before the snapshot events are kept; those it holds are dropped, the rest applied", () => {
  const { state } = play(sequenceStart(), [{ kind: "hello", seq: 7 }, topology(6), topology(7), topology(8), topology(9)]);
  const step = sequenceSnapshot(state, 7);
  assert.deepEqual(step.apply.map((one) => one.seq), [8, 9]);
  assert.deepEqual([step.state.seq, step.refetch], [9, false]);
});

test("live: old ignored, next applied, a gap asks again", () => {
  const live = sequenceSnapshot(sequenceStart(), 10).state;
  assert.deepEqual(play(live, [topology(9), topology(10), topology(11), topology(12)]).applied, [11, 12]);
  const gap = play(live, [topology(12)]);
  assert.deepEqual([gap.refetches, gap.applied, gap.state.phase], [1, [], "buffering"]);
  assert.deepEqual(sequenceSnapshot(gap.state, 11).apply.map((one) => one.seq), [12]);
});

test("a tick moves the seq or shows that something is missing", () => {
  const live = sequenceSnapshot(sequenceStart(), 10).state;
  assert.equal(play(live, [{ kind: "tick", seq: 10 }]).state.seq, 10);
  assert.equal(play(live, [{ kind: "tick", seq: 11 }, topology(12)]).state.seq, 12);
  assert.equal(play(live, [{ kind: "tick", seq: 13 }]).refetches, 1);
});

test("is_refetch and refetch ask for the snapshot; a progress message without seq goes through", () => {
  const live = sequenceSnapshot(sequenceStart(), 10).state;
  assert.equal(play(live, [topology(11, { is_refetch: true, delta: null })]).refetches, 1);
  assert.equal(play(live, [{ kind: "refetch" }]).refetches, 1);
  assert.equal(sequenceReceive(live, { kind: "sync_progress" }).apply.length, 1);
});

test("a hello after a reconnect waits for the resume; one below our seq is another server's", () => {
  const live = sequenceSnapshot(sequenceStart(), 10).state;
  assert.equal(play(live, [{ kind: "hello", seq: 14 }, topology(11)]).state.seq, 11);
  assert.equal(play(live, [{ kind: "hello", seq: 3 }]).refetches, 1);
});

test("the buffer has an end", () => {
  const { refetches, state } = play(sequenceStart(), Array.from({ length: BUFFER_LIMIT + 1 }, (_, seq) => topology(seq)));
  assert.equal(refetches, 1);
  assert.ok(state.buffer.length <= BUFFER_LIMIT);
});
