// @ts-check
/** One alarm in full: number, title, sentence, age, who has it, the first broken hop, what it explains, and the way to it for a phone. */

import { isUntaken } from "../store/slots.js";
import { agoWords, count, hopWords, ownerWords, severityLook } from "../store/words.js";
import { el, mark, put, show } from "./dom.js";
import { Moments } from "./moments.js";

/** @typedef {import("../store/types.js").Alarm} Alarm */

const MOST_BEFORE = 3;
/** How dense the stage may become until all of an alarm fits: the type gets smaller, never below 18 u. */
const DENSITIES = ["0", "1", "2"];

export class AlarmStage {
  /** @param {import("../model.js").WallModel} model */
  constructor(model) {
    this.model = model;
    this.fitted = "";
    this.element = el("article", "wall-alarm");
    this.element.dataset.test = "alarm";
    const head = el("div", "wall-alarm__head");
    this.glyph = el("i", "wall-alarm__glyph");
    this.number = el("b", "wall-alarm__number");
    this.age = el("span", "wall-alarm__age");
    head.append(this.glyph, this.number, this.age);
    this.title = el("h1", "wall-alarm__title");
    this.sentence = el("p", "wall-alarm__sentence");
    this.facts = el("dl", "wall-alarm__facts");
    this.owner = this.#fact("Owner");
    this.hop = this.#fact("First broken hop");
    this.children = this.#fact("With it");
    const low = el("div", "wall-alarm__low");
    const told = el("div", "wall-alarm__told");
    this.beforeTitle = el("h2", "wall-alarm__before-title", "What happened before");
    this.before = new Moments("wall-alarm__before", (ms) => model.momentOf(ms));
    told.append(this.beforeTitle, this.before.element);
    this.phone = el("figure", "wall-alarm__phone");
    this.qr = el("img", "wall-alarm__qr");
    this.qr.alt = "";
    this.phoneWords = el("figcaption");
    this.phone.append(this.qr, this.phoneWords);
    low.append(told, this.phone);
    this.element.append(head, this.title, this.sentence, this.facts, low);
  }

  /** @param {string} name */
  #fact(name) {
    const fact = { term: el("dt", "", name), words: el("dd") };
    this.facts.append(fact.term, fact.words);
    return fact;
  }

  /** @param {Alarm} alarm */
  set(alarm) {
    const { model } = this;
    const now = model.now();
    const look = severityLook(alarm.severity);
    mark(this.element, "tone", isUntaken(alarm) ? look.tone : "back");
    mark(this.element, "number", String(alarm.number));
    put(this.glyph, alarm.is_muted ? "◌" : look.glyph);
    put(this.number, alarm.spoken);
    put(this.age, `open for ${agoWords(alarm.opened_ms, now)}, since ${model.momentOf(alarm.opened_ms)}`);
    put(this.title, alarm.title || alarm.sentence);
    put(this.sentence, alarm.sentence);
    show(this.sentence, alarm.title !== "" && alarm.sentence !== "");
    put(this.owner.words, ownerWords(alarm, (ms) => model.momentOf(ms)));
    mark(this.owner.words, "untaken", String(isUntaken(alarm)));
    const hop = alarm.broken_hop;
    tell(this.hop, hop ? `${hopWords(hop)}${hop.since_ms === null ? "" : `, for ${agoWords(hop.since_ms, now)}`}` : "");
    tell(this.children, alarm.child_count ? `${count(alarm.child_count, "more alarm")} that this one explains` : "");
    this.before.set(alarm.happened_before.slice(0, MOST_BEFORE));
    show(this.beforeTitle, alarm.happened_before.length > 0);
    show(this.phone, alarm.qr !== "");
    if (alarm.qr && this.qr.getAttribute("src") !== alarm.qr) this.qr.src = alarm.qr;
    put(this.phoneWords, `${alarm.spoken} on a phone`);
    this.#fit([alarm.title, alarm.sentence, this.hop.words.textContent?.length, alarm.child_count, alarm.happened_before.length, alarm.qr].join("|"));
  }

  /** The room is another one. */
  refit() {
    this.fitted = "";
  }

  /** Makes the type smaller until all fits; only when the words or the room are other ones. @param {string} words */
  #fit(words) {
    if (words === this.fitted || !this.element.clientHeight) return;
    this.fitted = words;
    for (const density of DENSITIES) {
      mark(this.element, "density", density);
      if (this.element.scrollHeight <= this.element.clientHeight + 1) return;
    }
  }
}

/** @param {{term: HTMLElement, words: HTMLElement}} fact @param {string} words "": it is left out */
function tell(fact, words) {
  show(fact.term, words !== "");
  show(fact.words, words !== "");
  put(fact.words, words);
}
