import assert from "node:assert/strict";
import { test } from "node:test";
import { stretches } from "../../static/js/charts/spark.js";
import { Points } from "../../static/js/charts/points.js";

const START = "2026-11-23T12:00:00Z";
const FROM = Date.parse(START) / 1000;

/** @param {(number | null)[]} values @param {number} step_s */
function loaded(values, step_s = 1) {
  const points = new Points();
  points.load({ start_at: START, step_s, count: values.length, bits_per_s: values, packets_per_s: values.map((value) => (value === null ? null : value / 10)) });
  return points;
}

test("what was not measured is a hole, at either end and between", () => {
  const points = loaded([null, 5, null, null, 8, null]);
  assert.deepEqual(points.holes("bits"), [[FROM, FROM + 1], [FROM + 2, FROM + 4], [FROM + 5, FROM + 6]]);
  assert.deepEqual(points.data("packets"), [[0, 1, 2, 3, 4, 5].map((at) => FROM + at), [null, 0.5, null, null, 0.8, null]]);
  assert.deepEqual(loaded([1, 2]).holes("bits"), []);
});

test("a second more moves the window on, and its memory stays the same", () => {
  const points = loaded([1, 2, 3]);
  assert.equal(points.append(FROM + 3.5, 4, 0.4), true);
  assert.deepEqual(points.data("bits"), [[FROM + 1, FROM + 2, FROM + 3], [2, 3, 4]]);
  for (let second = 4; second < 5000; second++) points.append(FROM + second, second, null);
  assert.deepEqual(points.values.bits, [4997, 4998, 4999]);
  assert.deepEqual(points.values.packets, [null, null, null]);
  assert.equal(points.start_s, FROM + 4997);
});

test("seconds that nobody told are holes; a clock that stepped changes nothing", () => {
  const points = loaded([1, 2, 3, 4]);
  points.append(FROM + 6, 7, 0.7);
  assert.deepEqual(points.values.bits, [4, null, null, 7]);
  assert.equal(points.append(FROM - 3600, 9, 9), false);
  assert.equal(points.append(FROM + 7200, 9, 9), false);
  points.append(FROM + 7, null, null);
  assert.deepEqual(points.values.bits, [null, null, 7, null]);
});

test("means of longer steps come from the server alone", () => {
  assert.equal(loaded([1, 2], 60).append(FROM + 120, 3, 1), false);
});

test("a sparkline's line ends where nothing is known", () => {
  assert.deepEqual(stretches([NaN, 1, 2, NaN, NaN, 3]), [[1, 3], [5, 6]]);
  assert.deepEqual(stretches([NaN]), []);
});
