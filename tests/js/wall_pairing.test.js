import assert from "node:assert/strict";
import { test } from "node:test";
import { stateWords } from "../../static/js/wall/store/pairing_words.js";

test("the pairing page says how long its code is good, by the server's clock", () => {
  const told = (/** @type {number} */ left_s) => stateWords({ state: "waiting", code: "ABC234", ended_ms: 1_000_000 + left_s * 1000, server_ms: 1_000_000 });
  assert.equal(told(300), "Good for 5 minutes; then there is another one.");
  assert.equal(told(61), "Good for 2 minutes; then there is another one.");
  assert.equal(told(59), "Good for less than a minute; then there is another one.");
  assert.equal(told(-5), "Good for less than a minute; then there is another one.");
});

test("every other answer has its sentence", () => {
  assert.equal(stateWords({ state: "full", words: "Wait." }), "Wait.");
  assert.match(stateWords({ state: "lost" }), /does not answer/);
  assert.match(stateWords({ state: "paired" }), /Paired/);
});
