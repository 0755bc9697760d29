import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock, momentWords, timeWords, zoneWords } from "../../static/js/wall/store/clock.js";
import { Pace } from "../../static/js/wall/store/pace.js";
import { agedPicture, isRead, unreadWords, wholePicture } from "../../static/js/wall/store/picture.js";
import { agoMs, isQuiet, isStuck, reloadDue } from "../../static/js/wall/store/reload.js";
import { stateWords } from "../../static/js/topology/draw/cards.js";
import { WallModel } from "../../static/js/wall/model.js";
import { waitBefore } from "../../static/js/wall/store/retry.js";
import { Sleep } from "../../static/js/wall/store/sleep.js";
import { isRunOut, lightAt, slotAt, viewDue } from "../../static/js/wall/store/slots.js";
import { feedOf, isStale, staleSince, trustedMs } from "../../static/js/wall/store/trust.js";
import { alarmsWords, collectorWords, hopWords, knownWords, mutedWords, ownerWords, quietWords, retryWords } from "../../static/js/wall/store/words.js";

const NOW = Date.UTC(2026, 10, 24, 3, 12, 8);
const MINUTE = 60_000;
const momentOf = (ms) => momentWords(ms, NOW, "Europe/London");

test("the server's time goes on with a clock that only goes forward, whatever the screen's own clock says", () => {
  let mono = 100;
  const clock = new Clock({ mono: () => mono, wall: () => NOW - 7 * 3600_000 });
  assert.equal(clock.now(), 0);
  clock.set(NOW, 40); // half of the way there and back
  mono += 1000;
  assert.equal(clock.now(), NOW + 1020);
  assert.equal(clock.offS(), -7 * 3600 - 1.02);
  clock.atLeast(NOW); // said a while ago: no news
  assert.equal(clock.now(), NOW + 1020);
  clock.atLeast(NOW + 3600_000); // the machine slept for an hour, and its clock stood still
  assert.equal(clock.now(), NOW + 3600_000);
  clock.set(NOW); // an exact word may set it back
  assert.equal(clock.now(), NOW);
  assert.equal(clock.at(mono - 500), NOW - 500);
});

test("a moment is told in the display's zone, through the night of a changed clock, and in UTC where the zone is not known", () => {
  assert.equal(timeWords(NOW, "Europe/Berlin"), "04:12:08");
  assert.equal(timeWords(NOW, "Mars/Olympus"), "03:12:08");
  const spring = Date.UTC(2026, 2, 29, 0, 59, 59);
  assert.deepEqual([timeWords(spring, "Europe/London"), timeWords(spring + 1000, "Europe/London")], ["00:59:59", "02:00:00"]);
  assert.deepEqual([zoneWords(spring, "Europe/London"), zoneWords(spring + 1000, "Europe/London")], ["GMT", "BST"]);
  assert.equal(momentOf(NOW + 108 * MINUTE), "05:00");
  assert.equal(momentOf(NOW + 24 * 60 * MINUTE), "Wed 25 Nov 03:12");
  assert.equal(timeWords(Date.UTC(2026, 10, 24), "UTC"), "00:00:00", "midnight is no 24");
});

const slot = (from_s, until_s, view, why = "playlist") => ({ from_ms: NOW + from_s * 1000, until_ms: until_s === null ? null : NOW + until_s * 1000, view, why, by: "" });

test("the slot that is due is shown, and the last one goes on until the server says more", () => {
  const slots = [slot(-5, 15, 1), slot(15, 35, 2)];
  assert.equal(slotAt(slots, NOW)?.view, 1);
  assert.equal(slotAt(slots, NOW + 15_000)?.view, 2);
  assert.equal(slotAt(slots, NOW + 99_000)?.view, 2);
  assert.equal(slotAt(slots, NOW - 60_000)?.view, 1, "a clock that is a little behind shows the first");
  assert.equal(slotAt([], NOW), null);
  assert.deepEqual([isRunOut(slots, NOW), isRunOut(slots, NOW + 35_000), isRunOut([slot(0, null, 1)], NOW + 1e12), isRunOut([], NOW)], [false, true, false, true]);
});

const alarm = (more = {}) => ({
  number: 117, spoken: "A-117", severity: "alarm", title: "", sentence: "", opened_ms: NOW - MINUTE, changed_ms: NOW - MINUTE, owner: "", is_taken: false, is_acknowledged: false,
  is_muted: false, muted_until_ms: null, rules: [], broken_hop: null, child_count: 0, happened_before: [], collector: "", qr: "", ...more,
});
const picture = (more = {}) => wholePicture({ kind: "picture", at_ms: NOW, totals: { bits_per_s: null, packets_per_s: null, known: 2, of: 2, mirrors: 18, nics: 24, silent: 0 }, meter: { state: "live", since_ms: null }, counts: { alarms: 0, untaken: 0, notices: 0, muted: 0, muted_next_ends_ms: null }, judging: { evaluated_ms: NOW - 800, settled_ms: NOW - 60 * MINUTE, blind_since_ms: null, blind_reason: "" }, ...more });
const judgedAs = (more) => picture({ judging: { ...picture().judging, ...more } });
const state = (role, slots, scene = "normal") => ({ display: { role }, scene, slots, views: { 1: { id: 1, name: "Map", kind: "map", options: {} }, 4: { id: 4, name: "Alarms", kind: "alarms", options: {} } } });
const shown = (...given) => {
  const { view, isTakenByAlarm } = viewDue(...given);
  return `${view?.kind} ${isTakenByAlarm}`;
};

test("a new alarm takes the stage of a room, and no other screen; what is pushed and visitors come before it", () => {
  const alarmed = picture({ alarms: [alarm()] });
  assert.equal(shown(state("stage", [slot(-5, null, 1)]), alarmed, NOW), "alarms true");
  assert.equal(shown(state("picture", [slot(-5, null, 1)]), alarmed, NOW), "map false");
  assert.equal(shown(state("stage", [slot(-5, null, 1, "pushed")]), alarmed, NOW), "map false");
  assert.equal(shown(state("stage", [slot(-5, null, 1)], "visitors"), alarmed, NOW), "map false");
  assert.equal(shown(state("stage", [slot(-5, null, 1)]), alarmed, NOW + 10 * MINUTE), "map false", "no longer new: the strip keeps it in sight");
  for (const done of [{ is_taken: true }, { is_acknowledged: true }, { is_muted: true }, { severity: "notice" }])
    assert.equal(shown(state("stage", [slot(-5, null, 1)]), picture({ alarms: [alarm(done)] }), NOW), "map false");
  const unnamed = { ...state("stage", [slot(-5, null, 1)]), views: { 1: { id: 1, name: "Map", kind: "map", options: {} } } };
  assert.equal(shown(unnamed, alarmed, NOW), "alarms true", "the server names only views that are due");
  assert.equal(shown(state("stage", [slot(-5, null, 9)]), picture(), NOW), "undefined false");
});

test("the darkest of the hours that are due counts, and never leaves a screen black", () => {
  const dims = [{ from_ms: NOW, until_ms: NOW + MINUTE, percent: 40 }, { from_ms: NOW, until_ms: NOW + MINUTE, percent: 0 }];
  assert.deepEqual([lightAt([], NOW), lightAt(dims.slice(0, 1), NOW), lightAt(dims, NOW), lightAt(dims, NOW + MINUTE)], [100, 40, 5, 100]);
});

test("tries are close together at first and half a minute apart in the end, spread by chance, for ever", () => {
  const most = (attempt, lost_for_ms) => waitBefore(attempt, lost_for_ms, 1);
  assert.deepEqual([most(0, 0), most(1, 500), most(2, 1500), most(3, 3500), most(9, 119_000)], [500, 1000, 2000, 3000, 3000]);
  assert.deepEqual([most(40, 120_000), most(1e6, 86_400_000)], [30_000, 30_000]);
  assert.equal(waitBefore(9, 0, 0), 1500);
});

test("how far the picture is trusted", () => {
  const seen = { hasPicture: true, isOpen: true, silent_ms: 500, isMeasured: true, isStopped: false, frame_age_ms: 500 };
  const feed = (more) => feedOf({ ...seen, ...more });
  assert.equal(feed({}), "live");
  assert.equal(feed({ hasPicture: false }), "starting");
  assert.equal(feed({ isOpen: false }), "lost");
  assert.equal(feed({ silent_ms: 3100, frame_age_ms: 3100 }), "lost", "a word a second was due");
  assert.equal(feed({ silent_ms: 3100, frame_age_ms: null }), "live", "a picture is due within 5 s");
  assert.equal(feed({ silent_ms: 8100, frame_age_ms: null }), "lost");
  assert.equal(feed({ isStopped: true }), "stopped");
  assert.equal(feed({ frame_age_ms: 6100 }), "stopped", "pictures come, but no numbers");
  assert.equal(feed({ isMeasured: false }), "live", "frames say more than the picture of before");
  assert.equal(feed({ isMeasured: false, frame_age_ms: null }), "stopped");
});

test("a collector is stale by its own source's interval, since its last number", () => {
  const collector = { state: "ok", heard_ms: NOW - 40_000, measured_ms: NOW - 41_000, stale_after_s: 45 };
  assert.deepEqual([isStale(collector, NOW), isStale(collector, NOW + 6000), isStale({ ...collector, stale_after_s: 3 }, NOW)], [false, true, true]);
  assert.deepEqual([staleSince(collector, NOW), staleSince(collector, NOW + 6000)], [null, NOW - 41_000]);
  assert.equal(isStale({ ...collector, state: "silent" }, NOW), true);
  assert.equal(isStale({ ...collector, heard_ms: null }, NOW), false, "never heard is not stale: it has no numbers at all");
  assert.equal(trustedMs(picture({ collectors: [collector, { ...collector, measured_ms: NOW - 1000 }] }), null), NOW - 1000);
  assert.equal(trustedMs(picture({ meter: { state: "stopped", since_ms: NOW - 9000 } }), null), NOW - 9000);
  assert.equal(trustedMs(picture(), NOW - 5), NOW - 5);
  assert.equal(trustedMs(picture(), null), null);
});

test("a page is read anew for a new version or the day, never while people look at an alarm", () => {
  const seen = { version: "a", serverVersion: "b", sinceNew_ms: 150_000, spread: 0.5, picture: picture(), next_reload_ms: NOW + MINUTE, loaded_ms: NOW - 3600_000, now_ms: NOW };
  const due = (more) => reloadDue({ ...seen, ...more });
  assert.equal(due({}), "version");
  assert.equal(due({ sinceNew_ms: 149_000 }), "", "spread over five minutes");
  assert.equal(due({ serverVersion: "a", sinceNew_ms: null }), "");
  assert.equal(due({ serverVersion: "a", sinceNew_ms: null, now_ms: NOW + MINUTE }), "daily");
  assert.equal(due({ serverVersion: "a", sinceNew_ms: null, now_ms: NOW + MINUTE, loaded_ms: NOW + MINUTE }), "", "it was read anew since");
  const fresh = picture({ alarms: [alarm({ changed_ms: NOW - 59_000 })] });
  assert.deepEqual([due({ picture: fresh }), isQuiet(fresh, NOW), isQuiet(fresh, NOW + 2000), isQuiet(null, NOW)], ["", false, true, true]);
  assert.equal(isQuiet(picture({ alarms: [alarm({ changed_ms: NOW, is_muted: true })] }), NOW), true);
  assert.deepEqual([due({ picture: fresh, sinceNew_ms: 23 * 60 * MINUTE }), due({ picture: fresh, sinceNew_ms: 24 * 60 * MINUTE })], ["", "version"], "alarms that never stop coming hold it up for a day");
});

test("a page that hangs is read anew once in ten minutes, and only while somebody could see it", () => {
  const stuck = (isVisible, drawn_ago_ms, reloaded_ago_ms) => isStuck({ isVisible, drawn_ago_ms, reloaded_ago_ms });
  assert.deepEqual([stuck(true, 31_000, null), stuck(true, 29_000, null), stuck(false, 31_000, null), stuck(true, 31_000, 9 * MINUTE), stuck(true, 31_000, 11 * MINUTE)], [true, false, false, false, true]);
});

test("the map on a wall says moments in the zone of its display, whatever the machine's own is", () => {
  const model = new WallModel({ mono: () => 0, wall: () => NOW });
  const card = { style: { key: "stale", words: "not reporting" }, facts: { arrived_ms: NOW }, share: NaN };
  model.state = { display: { time_zone: "Asia/Kolkata" } };
  assert.equal(stateWords(card, model.traffic.timeOf), "no report since 08:42:08");
  model.state = { display: { time_zone: "America/New_York" } };
  assert.equal(stateWords(card, model.traffic.timeOf), "no report since 22:12:08");
});

test("what was read some time ago is told as of then, also where frames come and no picture does", () => {
  const healthy = wholePicture(picture({ at_ms: NOW - 20_000, counts: { alarms: 0, untaken: 0, notices: 0, muted: 0, muted_next_ends_ms: null }, unread: { events: { why: "The database does not answer.", since_ms: NOW - 3 * MINUTE } } }));
  const old = agedPicture(healthy);
  assert.deepEqual(old.unread.events, healthy.unread.events);
  assert.deepEqual(old.unread.judging, { why: "No newer picture comes.", since_ms: NOW - 20_000 });
  assert.equal(isRead(old, "judging"), true);
  const quiet = (seen) => quietWords({ picture: seen, feed: "live", wanted: undefined, trusted_ms: NOW, momentOf });
  assert.equal(quiet(healthy).title, "No alarm is open.");
  assert.deepEqual(quiet(old), { title: "No alarm was open at 03:11.", words: "No newer picture comes. What happened since is not known." });
});

test("a machine that slept is noticed by either of its clocks", () => {
  const sleep = new Sleep();
  assert.equal(sleep.isOver(0, NOW), false);
  assert.equal(sleep.isOver(1000, NOW + 1000), false);
  assert.equal(sleep.isOver(2000, NOW + 3600_000), true, "one clock stood still");
  assert.equal(sleep.isOver(3000, NOW + 3601_000), false);
  assert.equal(sleep.isOver(33_000, NOW + 3631_000), true);
  assert.equal(sleep.isOver(34_000, NOW), false, "somebody set the clock back");
});

test("what takes too long to draw is drawn every second or fourth second, until it is quick again", () => {
  const pace = new Pace();
  assert.equal(pace.mayDraw(0), true);
  pace.drew(0, 51);
  assert.equal(pace.mayDraw(1000), true, "one slow one alone is the first, or a neighbour's work");
  pace.drew(0, 51);
  pace.drew(0, 51);
  assert.deepEqual([pace.every_s, pace.mayDraw(1900), pace.mayDraw(2000)], [2, false, true]);
  for (let at = 1; at < 9; at++) pace.drew(at, 80);
  assert.equal(pace.every_s, 4);
  for (let at = 0; at < 40; at++) pace.drew(at, 20);
  assert.equal(pace.every_s, 1);
});

test("what could never be read is no zero", () => {
  const blank = picture({ counts: null, alarms: null, collectors: null, events: null, unread: { judging: { why: "the database does not answer", since_ms: null } } });
  assert.deepEqual([blank.alarms, blank.collectors, blank.events, blank.collector_counts], [[], [], [], {}]);
  assert.equal(isRead(blank, "judging"), false);
  assert.deepEqual(unreadWords(blank, momentOf), ["alarms not known: the database does not answer"]);
  assert.match(quietWords({ picture: blank, feed: "live", wanted: undefined, trusted_ms: null, momentOf }).title, /not known/);
  const old = picture({ unread: { judging: { why: "", since_ms: NOW - 5 * MINUTE }, sources: { why: "no frame", since_ms: null } } });
  assert.deepEqual([isRead(old, "judging"), unreadWords(old, momentOf)], [true, ["alarms as of 03:07"]]);
  const both = picture({ unread: { events: { why: "", since_ms: null }, judging: { why: "Redis does not answer.", since_ms: NOW - 5 * MINUTE } } });
  assert.deepEqual(unreadWords(both, momentOf, ["inventory", "judging"]), ["alarms as of 03:07: Redis does not answer."], "only those that are asked for");
  assert.deepEqual(unreadWords(both, momentOf, ["inventory"]), []);
});

test("a stage without an alarm says no more than is known", () => {
  const said = (told, feed = "live", wanted = undefined) => quietWords({ picture: told, feed, wanted, trusted_ms: NOW - 5 * MINUTE, momentOf });
  assert.deepEqual(said(picture()), { title: "No alarm is open.", words: "18 mirrors, all 2 collectors measured." });
  assert.equal(said(picture(), "lost").title, "No alarm was open at 03:07.");
  assert.equal(said(picture({ judging: { evaluated_ms: null, blind_since_ms: NOW - 5 * MINUTE, blind_reason: "no numbers arrive" } })).words, "No numbers arrive. No alarm was open then; a new one would not be seen.");
  assert.equal(said(picture({ totals: { mirrors: 0 } })).title, "Nothing is mirrored yet.");
  assert.equal(said(judgedAs({ evaluated_ms: null, settled_ms: null })).title, "Nothing has been judged yet.");
  assert.deepEqual(said(judgedAs({ settled_ms: NOW + 2 * MINUTE })), { title: "No alarm is open yet.", words: "vtapweb has only just begun to look: until 03:14 its rules wait before they call anything silent." });
  assert.equal(said(judgedAs({ settled_ms: null })).words, "Nothing is measured now: what breaks is not seen.");
  assert.equal(said(picture(), "live", 99).title, "A-99 is not open any more.");
});

test("that no alarm is open is said so only after everything was looked at for long enough", () => {
  const said = (told) => Object.values(alarmsWords(told, momentOf));
  assert.deepEqual(said(picture()), ["0", "none open"]);
  assert.deepEqual(said(judgedAs({ evaluated_ms: null, settled_ms: null })), ["—", "not judged yet"]);
  assert.deepEqual(said(judgedAs({ settled_ms: NOW + 2 * MINUTE })), ["0", "none yet, rules wait until 03:14"]);
  assert.deepEqual(said(judgedAs({ settled_ms: NOW - 500 })), ["0", "none yet, rules wait until 03:12"], "nobody has judged since");
  assert.deepEqual(said(judgedAs({ settled_ms: NOW - 900 })), ["0", "none open"]);
  assert.deepEqual(said(judgedAs({ settled_ms: null })), ["0", "none open, nothing is measured"]);
  assert.deepEqual(said(judgedAs({ blind_since_ms: NOW - 5 * MINUTE })), ["—", "not judged since 03:07"]);
  const counts = { alarms: 2, untaken: 1, notices: 1, muted: 0, muted_next_ends_ms: null };
  assert.deepEqual(said(picture({ counts, alarms: [alarm({ is_acknowledged: true })] })), ["2", "1 not taken · 1 acknowledged · 1 notice"]);
  assert.deepEqual(said({ ...judgedAs({ blind_since_ms: NOW - 5 * MINUTE }), counts }), ["2", "1 not taken · not judged since 03:07 · 1 notice"]);
  assert.deepEqual(said(picture({ counts: null, alarms: null })), ["—", "not known"]);
});

test("what a clock timed that was put back since is long ago", () => {
  assert.deepEqual([agoMs(NOW, NOW), agoMs(NOW, NOW + 5000), agoMs(NOW, NOW - 6 * 3600_000)], [0, 5000, Infinity]);
  assert.equal(isStuck({ isVisible: true, drawn_ago_ms: 31_000, reloaded_ago_ms: agoMs(NOW, NOW - 1) }), true);
});

test("totals say of what; a broken collector never stands beside one that says that all is well", () => {
  assert.deepEqual(collectorWords({ total: 5, ok: 3, dropping: 1, near: 1 }), { figure: "1", of: "of 5 collectors", words: "dropping · 1 near capacity", tone: "bad" });
  assert.deepEqual(collectorWords({ total: 5, ok: 5 }), { figure: "5", of: "collectors", words: "all ok", tone: "quiet" });
  assert.deepEqual(collectorWords({ total: 2, ok: 1, stale: 1 }), { figure: "1", of: "of 2 collectors", words: "no report", tone: "warn" });
  assert.equal(collectorWords({}).words, "none is known");
  assert.equal(collectorWords({ total: 2, ok: 1, melting: 1 }).words, "melting", "a state of a newer server");
  assert.deepEqual([knownWords({ known: 2, of: 5 }), knownWords({ known: null, of: null })], ["2 of 5 collectors measured", "collectors not known"]);
});

test("who has an alarm, what is muted, when it is tried again", () => {
  assert.equal(ownerWords(alarm(), momentOf), "nobody has taken it");
  assert.equal(ownerWords(alarm({ is_taken: true, owner: "m.ortiz" }), momentOf), "m.ortiz has it");
  assert.equal(ownerWords(alarm({ is_taken: true }), momentOf), "somebody has it", "visitors are told no names");
  assert.equal(ownerWords(alarm({ is_acknowledged: true }), momentOf), "seen, nobody has taken it");
  assert.equal(ownerWords(alarm({ is_muted: true, muted_until_ms: NOW + 108 * MINUTE }), momentOf), "muted until 05:00");
  assert.equal(mutedWords({ muted: 3, muted_next_ends_ms: NOW + 108 * MINUTE }, momentOf), "muted 3 · next ends 05:00");
  assert.equal(mutedWords({ muted: 0, muted_next_ends_ms: null }, momentOf), "muted 0");
  assert.deepEqual([retryWords(3200), retryWords(-5)], ["next try in 4 s", "trying now"]);
});

test("the first broken hop has its name, or for visitors a sentence", () => {
  assert.equal(hopWords({ kind: "member", name: "vm-01", words: "its interface is full" }), "vm-01: its interface is full");
  assert.equal(hopWords({ kind: "agent", name: "", words: "An agent does not report." }), "An agent does not report");
  assert.equal(hopWords({ kind: "peering", name: "", words: "" }), "peering");
});
