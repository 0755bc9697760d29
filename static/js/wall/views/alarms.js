// @ts-check
/** The stage of a room: what is broken is the biggest thing. One alarm in full, the others beside it; when none is open, what is known and since when. */

import { AlarmRows } from "../draw/alarm_rows.js";
import { AlarmStage } from "../draw/alarm_stage.js";
import { el, mark, put, show } from "../draw/dom.js";
import { Moments } from "../draw/moments.js";
import { quietWords } from "../store/words.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */

const MOST_LATELY = 5;

/** @implements {WallView} */
export class AlarmsView {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    /** @type {View | null} */
    this.view = null;
    this.stage = new AlarmStage(model);
    this.beside = new AlarmRows(model);
    this.quiet = el("div", "wall-quiet");
    this.quietTitle = el("h1", "wall-quiet__title");
    this.quietTitle.dataset.test = "quiet";
    this.quietWords = el("p", "wall-quiet__words");
    this.lately = new Moments("wall-quiet__lately", (ms) => model.momentOf(ms));
    this.quiet.append(this.quietTitle, this.quietWords, this.lately.element);
    host.append(this.stage.element, this.quiet, this.beside.element);
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.resize();
  }

  update() {
    const { model } = this;
    const { picture } = model;
    if (!picture) return;
    const wanted = this.view?.options.number;
    const alarm = wanted === undefined ? picture.alarms[0] : picture.alarms.find((one) => one.number === wanted);
    const others = picture.alarms.filter((one) => one !== alarm);
    mark(this.host, "alone", String(others.length === 0));
    show(this.stage.element, alarm !== undefined);
    show(this.quiet, alarm === undefined);
    this.beside.set(others, picture.more_alarms);
    if (alarm) {
      this.stage.set(alarm);
      return;
    }
    const { title, words } = quietWords({ picture, feed: model.feed, wanted, trusted_ms: model.trusted_ms, momentOf: (ms) => model.momentOf(ms) });
    put(this.quietTitle, title);
    put(this.quietWords, words);
    this.lately.set(picture.events.slice(0, MOST_LATELY));
  }

  resize() {
    this.stage.refit();
    this.update();
  }

  destroy() {
    this.host.replaceChildren();
  }

  stats() {
    return { beside: this.beside.shown, density: this.stage.element.dataset.density ?? "" };
  }
}
