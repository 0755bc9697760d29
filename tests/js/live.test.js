import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../../static/js/ui/live.js";

test("tries double up to half a minute and are spread", () => {
  assert.equal(backoff(0, 0.5), 1000);
  assert.equal(backoff(3, 0.5), 8000);
  assert.equal(backoff(20, 0.5), 30_000);
  assert.ok(backoff(3, 0) < backoff(3, 1));
});
