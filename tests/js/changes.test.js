import assert from "node:assert/strict";
import { test } from "node:test";
import { inHours, localText } from "../../static/js/taps/when.js";
import { eventsOf } from "../../static/js/ui/live.js";

test("a preset ends on a whole five minutes, never earlier than asked", () => {
  assert.equal(inHours(new Date("2026-11-23T12:01:10Z"), 8).toISOString(), "2026-11-23T20:05:00.000Z");
  assert.equal(inHours(new Date("2026-11-23T12:05:00Z"), 24).toISOString(), "2026-11-24T12:05:00.000Z");
});

test("the field holds the wall clock of the zone, on both sides of a change of clocks", () => {
  assert.equal(localText(new Date("2026-10-24T20:00:00Z"), "Europe/Berlin"), "2026-10-24T22:00");
  assert.equal(localText(new Date("2026-10-25T20:00:00Z"), "Europe/Berlin"), "2026-10-25T21:00");
  assert.equal(localText(new Date("2026-11-23T00:00:00Z"), "UTC"), "2026-11-23T00:00");
});

test("a message about a change moves the list and that change's page, and nothing else", () => {
  assert.deepEqual(eventsOf({ kind: "change", change_id: 12 }), ["vtap:change", "vtap:change-12"]);
  assert.deepEqual(eventsOf({ kind: "change_state", change_id: 3 }), ["vtap:change", "vtap:change-3"]);
  assert.deepEqual(eventsOf({ kind: "sync_progress" }), ["vtap:sync"]);
  assert.deepEqual(eventsOf({ kind: "health" }), ["vtap:health"]);
  assert.deepEqual(eventsOf({ kind: "wall" }), ["vtap:wall"]);
  assert.deepEqual(eventsOf({ kind: "tick" }), []);
});

test("what was missed is read again everywhere", () => {
  assert.deepEqual(eventsOf({ kind: "refetch" }), ["vtap:sync", "vtap:change", "vtap:health", "vtap:wall", "vtap:missed"]);
});
