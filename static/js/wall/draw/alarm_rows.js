// @ts-check
/** The alarms beside the one on the stage; what does not fit is counted. Those that somebody has taken step back. */

import { isUntaken } from "../store/slots.js";
import { agoWords, count, ownerWords, severityLook, shortNames } from "../store/words.js";
import { el, fitRows, mark, put, Rows, show } from "./dom.js";

/** @typedef {import("../store/types.js").Alarm} Alarm */

const MOST = 12;

export class AlarmRows {
  /** @param {import("../model.js").WallModel} model */
  constructor(model) {
    this.shown = 0;
    this.element = el("aside", "wall-alarms-side");
    const list = el("ol", "wall-alarms");
    list.dataset.test = "alarms";
    this.more = el("p", "wall-alarms__more");
    this.element.append(list, this.more);
    /** @type {Rows<Alarm, {glyph: HTMLElement, number: HTMLElement, title: HTMLElement, words: HTMLElement}>} */
    this.rows = new Rows(
      list,
      () => {
        const element = el("li", "wall-alarms__row");
        const parts = { glyph: el("i", "wall-alarms__glyph"), number: el("b", "wall-alarms__number"), title: el("span", "wall-alarms__title"), words: el("span", "wall-alarms__words") };
        element.append(parts.glyph, parts.number, parts.words, parts.title);
        return { element, parts };
      },
      (parts, alarm, element) => {
        const look = severityLook(alarm.severity);
        mark(element, "tone", isUntaken(alarm) ? look.tone : "back");
        put(parts.glyph, alarm.is_muted ? "◌" : look.glyph);
        put(parts.number, alarm.spoken);
        put(parts.title, shortNames(alarm.title || alarm.sentence));
        put(parts.words, `${agoWords(alarm.opened_ms, model.now())} · ${ownerWords(alarm, (ms) => model.momentOf(ms))}`);
      },
    );
  }

  /** @param {readonly Alarm[]} alarms @param {number} further how many more the server did not send */
  set(alarms, further) {
    show(this.element, alarms.length > 0);
    if (!alarms.length) return;
    this.rows.set(alarms.slice(0, MOST));
    this.shown = fitRows(this.rows);
    const hidden = alarms.length - this.shown + further;
    put(this.more, hidden > 0 ? `and ${count(hidden, "more alarm")}` : "");
  }
}
