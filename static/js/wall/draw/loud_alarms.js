// @ts-check
/** What is broken, first and largest: up to three alarms with number, age, sentence, first broken hop and owner; the rest is counted. Nothing when all is well. */

import { loudAlarms } from "../store/figures.js";
import { unreadWords } from "../store/picture.js";
import { agoWords, count, hopWords, ownerWords, severityLook, shortNames } from "../store/words.js";
import { el, mark, put, Rows, show } from "./dom.js";

/** @typedef {import("../store/types.js").Alarm} Alarm */
/** @typedef {import("../model.js").WallModel} WallModel */
/** @typedef {{glyph: HTMLElement, number: HTMLElement, age: HTMLElement, owner: HTMLElement, title: HTMLElement, sentence: HTMLElement, hop: HTMLElement}} Parts */

export const MOST_LARGE = 3;

/** @returns {{element: HTMLElement, parts: Parts}} */
function makeCard() {
  const element = el("li", "loud");
  element.dataset.test = "loud-alarm";
  const parts = { glyph: el("i"), number: el("b"), age: el("span", "loud__age"), owner: el("span", "loud__owner"), title: el("b", "loud__title"), sentence: el("p", "loud__sentence"), hop: el("p", "loud__hop") };
  const head = el("p", "loud__head");
  head.append(parts.glyph, parts.number, parts.age, parts.owner);
  element.append(head, parts.title, parts.sentence, parts.hop);
  return { element, parts };
}

export class LoudAlarms {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.classList.add("louds");
    this.list = el("ul", "louds__cards");
    this.more = el("p", "louds__more");
    this.more.dataset.test = "loud-more";
    host.append(this.list, this.more);
    this.rows = new Rows(this.list, makeCard, (parts, /** @type {{alarm: Alarm, model: WallModel}} */ row, element) => fill(parts, row.alarm, row.model, element));
  }

  /** In a room one screen takes the alarms: the others say in one line that there are some. @param {WallModel} model */
  draw(model) {
    const { picture, state } = model;
    if (!picture) return;
    const { large, more, acknowledged } = loudAlarms(picture, MOST_LARGE);
    const room = state?.display.role === "picture" ? state.display.group : null;
    const shown = room ? [] : large;
    this.rows.set(shown.map((alarm) => ({ alarm, model })));
    mark(this.host, "count", String(shown.length));
    const words = [];
    if (room && large.length) words.push(`⬢ ${large.map((one) => one.spoken).join(", ")}${more ? ` and ${more} more` : ""}, on the stage of ${room.name}`);
    else if (more) words.push(`and ${count(more, "more alarm")}`);
    if (words.length && acknowledged) words.push(`${acknowledged} acknowledged`);
    const [old] = unreadWords(picture, (ms) => model.momentOf(ms), ["judging"]);
    if (old) words.push(`◌ ${old}`);
    put(this.more, words.join(" · "));
    show(this.more, words.length > 0);
    mark(this.host, "old", old ? "yes" : "no");
    show(this.host, large.length > 0 || old !== undefined);
  }
}

/** @param {Parts} parts @param {Alarm} alarm @param {WallModel} model @param {HTMLElement} element */
function fill(parts, alarm, model, element) {
  const now = model.now();
  const look = severityLook(alarm.severity);
  mark(element, "tone", look.tone);
  mark(element, "number", String(alarm.number));
  put(parts.glyph, look.glyph);
  put(parts.number, alarm.spoken);
  put(parts.age, `open for ${agoWords(alarm.opened_ms, now)}`);
  // Visitors are told no names, so that nobody took it would be no truth either.
  put(parts.owner, model.state?.is_masked ? "" : ownerWords(alarm, (ms) => model.momentOf(ms)));
  put(parts.title, shortNames(alarm.title || alarm.sentence));
  put(parts.sentence, alarm.title ? alarm.sentence : "");
  const hop = alarm.broken_hop;
  const words = [];
  if (hop) words.push(`First broken: ${hopWords(hop, ", ")}${hop.since_ms === null ? "" : `, since ${model.momentOf(hop.since_ms)}`}`);
  if (alarm.child_count > 0) words.push(`explains ${count(alarm.child_count, "more alarm")}`);
  put(parts.hop, words.join(" · "));
}
