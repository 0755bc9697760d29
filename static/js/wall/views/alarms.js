// @ts-check
/**
 * The stage of a room: what is broken is the biggest thing. One alarm in full, the others beside it, small; those that somebody has taken step back.
 */

import { agoWords, count, ownerWords, severityLook } from "../store/words.js";
import { el, mark, put, Rows, show } from "../draw/dom.js";
import { isUntaken } from "../store/slots.js";

/** @typedef {import("../store/types.js").Alarm} Alarm */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */

const MOST_BESIDE = 7;

/** @implements {WallView} */
export class AlarmsView {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.model = model;
    /** @type {View | null} */
    this.view = null;
    this.stage = el("article", "wall-alarm");
    this.stage.dataset.test = "alarm";
    this.head = el("div", "wall-alarm__head");
    this.glyph = el("i", "wall-alarm__glyph");
    this.number = el("b", "wall-alarm__number");
    this.age = el("span", "wall-alarm__age");
    this.head.append(this.glyph, this.number, this.age);
    this.title = el("h1", "wall-alarm__title");
    this.sentence = el("p", "wall-alarm__sentence");
    this.facts = el("dl", "wall-alarm__facts");
    this.hop = this.#fact("First broken hop");
    this.owner = this.#fact("Owner");
    this.children = this.#fact("With it");
    this.before = el("ul", "wall-alarm__before");
    /** @type {Rows<{at_ms: number, words: string}, HTMLLIElement>} */
    this.beforeRows = new Rows(
      this.before,
      () => {
        const element = el("li");
        return { element, parts: element };
      },
      (element, row) => put(element, `${this.model.momentOf(row.at_ms)}  ${row.words}`),
    );
    this.qr = el("img", "wall-alarm__qr");
    this.qr.alt = "";
    const low = el("div", "wall-alarm__low");
    const told = el("div", "wall-alarm__told");
    told.append(this.facts, this.before);
    low.append(told, this.qr);
    this.stage.append(this.head, this.title, this.sentence, low);

    this.beside = el("ol", "wall-alarms");
    this.beside.dataset.test = "alarms";
    /** @type {Rows<Alarm, {glyph: HTMLElement, number: HTMLElement, title: HTMLElement, words: HTMLElement}>} */
    this.rows = new Rows(
      this.beside,
      () => {
        const element = el("li", "wall-alarms__row");
        const parts = { glyph: el("i", "wall-alarms__glyph"), number: el("b", "wall-alarms__number"), title: el("span", "wall-alarms__title"), words: el("span", "wall-alarms__words") };
        element.append(parts.glyph, parts.number, parts.title, parts.words);
        return { element, parts };
      },
      (parts, alarm, element) => {
        const look = severityLook(alarm.severity);
        mark(element, "tone", isUntaken(alarm) ? look.tone : "back");
        put(parts.glyph, alarm.is_muted ? "◌" : look.glyph);
        put(parts.number, alarm.spoken);
        put(parts.title, alarm.title);
        put(parts.words, `${agoWords(alarm.opened_ms, this.model.now())} · ${ownerWords(alarm)}`);
      },
    );
    this.more = el("p", "wall-alarms__more");
    const side = el("aside", "wall-alarms-side");
    side.append(this.beside, this.more);
    this.side = side;

    this.quiet = el("div", "wall-quiet");
    this.quietTitle = el("h1", "wall-quiet__title");
    this.quietTitle.dataset.test = "quiet";
    this.quietWords = el("p", "wall-quiet__words");
    this.quiet.append(this.quietTitle, this.quietWords);
    host.append(this.stage, side, this.quiet);
    this.host = host;
    this.shown = 0;
  }

  /** @param {string} name */
  #fact(name) {
    const term = el("dt", "", name);
    const words = el("dd");
    this.facts.append(term, words);
    return { term, words };
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.update();
  }

  update() {
    const { picture } = this.model;
    if (!picture) return;
    const wanted = this.view?.options.number;
    const alarm = (wanted === undefined ? undefined : picture.alarms.find((one) => one.number === wanted)) ?? (wanted === undefined ? picture.alarms[0] : undefined);
    show(this.stage, alarm !== undefined);
    show(this.quiet, alarm === undefined);
    const others = picture.alarms.filter((one) => one !== alarm);
    const isAlone = others.length === 0;
    show(this.side, !isAlone);
    mark(this.host, "alone", String(isAlone));
    this.rows.set(others.slice(0, MOST_BESIDE));
    const hidden = Math.max(0, others.length - MOST_BESIDE) + picture.more_alarms;
    show(this.more, hidden > 0);
    if (hidden > 0) put(this.more, `and ${count(hidden, "more alarm")}`);
    this.shown = alarm ? 1 + Math.min(others.length, MOST_BESIDE) : 0;
    if (alarm) this.#stage(alarm);
    else this.#quiet(wanted);
  }

  /** @param {Alarm} alarm */
  #stage(alarm) {
    const now = this.model.now();
    const look = severityLook(alarm.severity);
    mark(this.stage, "tone", isUntaken(alarm) ? look.tone : "back");
    mark(this.stage, "number", String(alarm.number));
    put(this.glyph, alarm.is_muted ? "◌" : look.glyph);
    put(this.number, alarm.spoken);
    put(this.age, `open for ${agoWords(alarm.opened_ms, now)}, since ${this.model.momentOf(alarm.opened_ms)}`);
    put(this.title, alarm.title);
    put(this.sentence, alarm.sentence);
    show(this.sentence, alarm.sentence !== "");
    const hop = alarm.broken_hop;
    show(this.hop.term, hop !== null);
    show(this.hop.words, hop !== null);
    if (hop) put(this.hop.words, `${hop.name}: ${hop.words}${hop.since_ms === null ? "" : `, for ${agoWords(hop.since_ms, now)}`}`);
    put(this.owner.words, ownerWords(alarm));
    mark(this.owner.words, "untaken", String(isUntaken(alarm)));
    const hasChildren = alarm.child_count > 0;
    show(this.children.term, hasChildren);
    show(this.children.words, hasChildren);
    if (hasChildren) put(this.children.words, `${count(alarm.child_count, "more alarm")} that this one explains`);
    this.beforeRows.set(alarm.happened_before.slice(0, 3));
    show(this.before, alarm.happened_before.length > 0);
    show(this.qr, alarm.qr !== "");
    if (alarm.qr && this.qr.getAttribute("src") !== alarm.qr) this.qr.src = alarm.qr;
  }

  /** @param {number | undefined} wanted a number that is not open any more */
  #quiet(wanted) {
    const { picture } = this.model;
    if (!picture) return;
    put(this.quietTitle, wanted === undefined ? "No alarm is open." : `A-${wanted} is not open any more.`);
    const { totals } = picture;
    const seen = totals.of ? `${totals.known} of ${count(totals.of, "mirror")} ${totals.known === 1 ? "is" : "are"} measured.` : "Nothing is mirrored yet.";
    const last = picture.events.find((event) => event.kind === "cleared");
    put(this.quietWords, last ? `${seen} Last: ${last.words}, ${this.model.momentOf(last.at_ms)}.` : seen);
  }

  resize() {}

  destroy() {}

  stats() {
    return { shown: this.shown };
  }
}
