import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates, SPARK_S } from "../../static/js/live/rates.js";
import { decodeFrame } from "../../static/js/topology/wire/frames.js";

/** The octets of a frame, as docs/live.md describes them. */
function octetsOf({ seq = 1, series_revision = 7, unix_s = 1000.3, bits, packets = bits }) {
  const octets = new ArrayBuffer(16 + 8 * bits.length);
  const view = new DataView(octets);
  view.setUint32(0, seq, true);
  view.setUint32(4, series_revision, true);
  view.setFloat64(8, unix_s, true);
  [...bits, ...packets].forEach((value, index) => view.setFloat32(16 + 4 * index, value, true));
  return octets;
}

const frameOf = (given) => decodeFrame(octetsOf(given));

function made(series = ["a", "b"], series_revision = 7) {
  const clock = { ms: 0 };
  const rates = new Rates({ mono: () => clock.ms, wall: () => 1_000_000 + clock.ms });
  rates.setSeries(series_revision, series);
  return { rates, clock };
}

test("a frame is read as it is written, and what is none is told from it", () => {
  const frame = frameOf({ seq: 4_000_000_000, series_revision: 3_000_000_000, unix_s: 1_767_225_600.3, bits: [1.5, NaN], packets: [2, 0] });
  assert.deepEqual({ ...frame, bits: [...frame.bits], packets: [...frame.packets] }, { seq: 4_000_000_000, series_revision: 3_000_000_000, unix_s: 1_767_225_600.3, bits: [1.5, NaN], packets: [2, 0] });
  assert.equal(frameOf({ bits: [] }).bits.length, 0);
  for (const octets of [new ArrayBuffer(0), new ArrayBuffer(15), new ArrayBuffer(20), octetsOf({ unix_s: NaN, bits: [1] })]) assert.equal(decodeFrame(octets), null);
});

test("values are found by key; unknown is null and never zero", () => {
  const { rates } = made();
  assert.deepEqual([rates.state(), rates.bitsOf("a"), rates.ageS(), rates.staleSince()], ["none", null, null, null]);
  assert.ok(rates.take(frameOf({ bits: [100, NaN], packets: [3, NaN] })));
  assert.deepEqual([rates.bitsOf("a"), rates.packetsOf("a"), rates.bitsOf("b"), rates.packetsOf("b"), rates.bitsOf("nobody")], [100, 3, null, null, null]);
  assert.deepEqual(rates.knownOf("a"), { bits_per_s: 100, packets_per_s: 3, unix_s: 1000.3 });
  assert.equal(rates.knownOf("b"), null);
  rates.take(frameOf({ unix_s: 1001.3, bits: [NaN, 0] }));
  assert.equal(rates.bitsOf("a"), null);
  assert.deepEqual(rates.knownOf("a"), { bits_per_s: 100, packets_per_s: 3, unix_s: 1000.3 });
  assert.equal(rates.bitsOf("b"), 0);
});

test("a frame of another series_revision or length is never taken, and after five the snapshot is asked for again", () => {
  const { rates, clock } = made();
  rates.take(frameOf({ bits: [1, 2] }));
  clock.ms = 900;
  const asked = [];
  for (let count = 1; count <= 20; count++) {
    assert.ok(!rates.take(frameOf(count % 2 ? { series_revision: 8, bits: [9, 9] } : { bits: [9, 9, 9] })));
    asked.push(rates.isSnapshotOld);
  }
  assert.deepEqual([rates.bitsOf("a"), rates.bitsOf("b"), rates.taken, rates.foreign, rates.ageS()], [1, 2, 1, 20, 0.9]);
  assert.deepEqual(asked.flatMap((is, index) => (is ? [index + 1] : [])), [5, 10, 20]);
  rates.take(frameOf({ bits: [3, 4] }));
  assert.ok(!rates.isSnapshotOld);
});

test("without a frame for five seconds, without a line, or when nobody measures, the last values stay and are stale since they came", () => {
  const { rates, clock } = made();
  rates.take(frameOf({ bits: [1, 2] }));
  clock.ms = 5000;
  assert.equal(rates.state(), "live");
  clock.ms = 5001;
  assert.deepEqual([rates.state(), rates.staleSince(), rates.bitsOf("a")], ["stale", 1_000_000, 1]);
  rates.take(frameOf({ unix_s: 1006.3, bits: [5, 6] }));
  assert.deepEqual([rates.state(), rates.staleSince()], ["live", null]);
  clock.ms = 6001;
  rates.setLine(false);
  assert.deepEqual([rates.state(), rates.staleSince(), rates.bitsOf("a")], ["stale", 1_005_001, 5]);
  rates.setLine(true);
  assert.equal(rates.state(), "live");
  rates.stop();
  assert.deepEqual([rates.state(), rates.staleSince()], ["stale", 1_005_001]);
  rates.take(frameOf({ unix_s: 1007.3, bits: [5, 6] }));
  assert.equal(rates.state(), "live");
});

test("a sparkline holds the last minute with its holes, and a clock that steps leaves nothing wrong in it", () => {
  const { rates } = made(["a"]);
  for (let second = 0; second < 100; second++) if (second !== 97) rates.take(frameOf({ unix_s: 1000.3 + second, bits: [second], packets: [second / 2] }));
  const spark = [...rates.sparkOf("a")];
  assert.equal(spark.length, SPARK_S);
  assert.deepEqual([spark[0], ...spark.slice(-4)], [40, 96, NaN, 98, 99]);
  assert.equal(rates.sparkOf("a", "packets").at(-1), 49.5);
  rates.take(frameOf({ unix_s: 1099.9, bits: [7] }));
  assert.deepEqual([...rates.sparkOf("a").slice(-2)], [98, 7]);
  for (const unix_s of [1099.3 - 3600, 1099.3 + 3600]) {
    rates.take(frameOf({ unix_s, bits: [5] }));
    assert.deepEqual([...rates.sparkOf("a")].filter((value) => !Number.isNaN(value)), [5]);
  }
  assert.ok([...rates.sparkOf("nobody")].every(Number.isNaN));
});

test("another order of series keeps what it knows of those that stay; memory depends on their number alone", () => {
  const { rates } = made(["a", "b", "c"]);
  rates.take(frameOf({ unix_s: 1000.3, bits: [1, 2, 3] }));
  const { octets } = rates;
  assert.ok(!rates.setSeries(7, ["a", "b", "c"]));
  assert.ok(rates.setSeries(8, ["c", "new", "a"]));
  assert.deepEqual(["a", "b", "c", "new"].map((key) => rates.bitsOf(key)), [1, null, 3, null]);
  rates.take(frameOf({ series_revision: 8, unix_s: 1001.3, bits: [30, 20, 10] }));
  assert.deepEqual([...rates.sparkOf("c").slice(-2)], [3, 30]);
  assert.deepEqual([...rates.sparkOf("new").slice(-2)], [NaN, 20]);
  assert.deepEqual(rates.knownOf("a"), { bits_per_s: 10, packets_per_s: 10, unix_s: 1001.3 });
  for (let second = 2; second < 5000; second++) rates.take(frameOf({ series_revision: 8, unix_s: 1000.3 + second, bits: [1, 1, 1] }));
  assert.equal(rates.octets, octets);
  rates.setSeries(9, []);
  assert.ok(rates.take(frameOf({ series_revision: 9, unix_s: 9000, bits: [] })));
  assert.equal(rates.octets, 0);
});
