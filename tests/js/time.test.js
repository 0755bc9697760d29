import assert from "node:assert/strict";
import { test } from "node:test";
import { age, moment } from "../../static/js/ui/time.js";

test("ages have one unit and never go below zero", () => {
  assert.equal(age(42_000), "42 s ago");
  assert.equal(age(-5), "0 s ago");
  assert.equal(age(6 * 60_000), "6 min ago");
  assert.equal(age(5 * 3_600_000), "5 h ago");
  assert.equal(age(72 * 3_600_000), "3 d ago");
});

test("a moment is told in the viewer's zone, and its day only when it is another one", () => {
  const now = new Date("2026-11-22T12:00:00Z");
  assert.equal(moment(new Date("2026-11-22T09:03:04Z"), now, "Europe/Berlin"), "today 10:03:04");
  assert.equal(moment(new Date("2026-11-21T23:30:00Z"), now, "UTC"), "2026-11-21 23:30:00");
});
