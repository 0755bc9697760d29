// @ts-check
/** The foot of the wall: what is muted, always, and what happened lately. What does not fit comes in turn; nothing runs. */

import { isRead, unreadWords } from "../store/picture.js";
import { agoWords, mutedWords, severityLook, shortNames } from "../store/words.js";
import { el, mark, put, Rows, show } from "./dom.js";

/** @typedef {import("../model.js").WallModel} WallModel */
/** @typedef {import("../store/types.js").Happening} Happening */

const STEP_MS = 12_000;
const MOST = 12;

export class Foot {
  /** @param {HTMLElement} host @param {WallModel} model */
  constructor(host, model) {
    this.model = model;
    this.host = host;
    this.muted = el("b", "wall-foot__muted");
    this.muted.dataset.test = "muted";
    this.blind = el("span", "wall-foot__blind");
    this.blind.dataset.test = "blind";
    this.list = el("div", "wall-foot__events");
    this.list.dataset.test = "events";
    host.append(this.muted, this.blind, this.list);
    this.from = 0;
    this.steppedAt = 0;
    /** @type {Rows<Happening, {glyph: HTMLElement, time: HTMLElement, words: HTMLElement}>} */
    this.rows = new Rows(
      this.list,
      () => {
        const element = el("span", "wall-event");
        const parts = { glyph: el("i", "wall-event__glyph"), time: el("span", "wall-event__time"), words: el("span", "wall-event__words") };
        element.append(parts.glyph, parts.time, parts.words);
        return { element, parts };
      },
      (parts, event, element) => {
        const look = severityLook(event.severity);
        const isBroken = event.kind === "alarm";
        put(parts.glyph, isBroken ? look.glyph : event.kind === "cleared" ? "○" : "·");
        mark(element, "tone", isBroken ? look.tone : "quiet");
        put(parts.time, model.minuteOf(event.at_ms));
        put(parts.words, shortNames(event.words));
      },
    );
  }

  update() {
    const { picture } = this.model;
    show(this.host, picture !== null);
    if (!picture) return;
    const now = this.model.now();
    put(this.muted, isRead(picture, "judging") ? mutedWords(picture.counts, (ms) => this.model.momentOf(ms)) : "muted —");
    mark(this.muted, "some", String(picture.counts.muted > 0));
    const { blind_since_ms, blind_reason } = picture.judging;
    const lacks = unreadWords(picture, (ms) => this.model.momentOf(ms));
    if (blind_since_ms !== null) lacks.unshift(`nothing is judged since ${this.model.momentOf(blind_since_ms)}, ${agoWords(blind_since_ms, now)}${blind_reason ? `: ${blind_reason}` : ""}`);
    show(this.blind, lacks.length > 0);
    if (lacks.length) put(this.blind, `◌ ${lacks.join(" · ")}`);
    this.#events(picture.events);
  }

  /** @param {readonly Happening[]} events newest first */
  #events(events) {
    const at = this.model.mono();
    if (at - this.steppedAt >= STEP_MS) {
      this.steppedAt = at;
      this.from = this.from + this.#fitting() < events.length ? this.from + this.#fitting() : 0;
    }
    if (this.from >= events.length) this.from = 0;
    this.rows.set(events.slice(this.from, this.from + MOST));
  }

  /** Rows that do not fit into the one line stand below it, out of sight. @returns {number} ≥ 1 */
  #fitting() {
    const top = this.rows.made[0]?.element.offsetTop ?? 0;
    return Math.max(1, this.rows.made.filter(({ element }) => !element.hidden && element.offsetTop === top).length);
  }
}
