// @ts-check
/** The largest sources: of all that is mirrored, or of one collector. */

import { el, put, show } from "../draw/dom.js";
import { asOf } from "../draw/loads.js";
import { SourceRows } from "../draw/source_rows.js";
import { sourceTable } from "../store/figures.js";
import { unitOf } from "./overview.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../model.js").WallModel} WallModel */

/** A row is at least so high; as many as fit are shown, of 30 at the most. */
const ROW_UNITS = 52;
const MOST = 30;

/** @implements {WallView} */
export class SourcesView {
  /** @param {HTMLElement} host @param {WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    host.classList.add("sources-view");
    const head = el("header", "sources-view__head");
    this.title = el("h1", "sources-view__title");
    this.words = el("p", "sources-view__words");
    head.append(this.title, this.words);
    const body = el("div", "sources-view__body");
    this.body = body;
    this.rows = new SourceRows(body);
    this.none = el("p", "wall-said");
    host.append(head, body, this.none);
    /** @type {View | null} */
    this.view = null;
    this.most = MOST;
    this.fit = MOST;
    this.shown = 0;
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.resize();
  }

  update() {
    const { picture } = this.model;
    if (!picture) return;
    const unit = this.view?.options.unit ?? "bits";
    const key = this.view?.options.collector;
    const collector = key === undefined ? null : (picture.collectors ?? []).find((one) => one.key === key);
    const table = collector === undefined ? { title: "Largest sources", words: "", rows: [], none: "The collector of this view is not among those that this screen is told of." } : sourceTable(this.model, collector, { unit, most: this.most, as_of_ms: asOf(this.model) });
    put(this.title, table.title);
    put(this.words, table.words);
    put(this.none, table.none);
    show(this.none, table.none !== "");
    show(this.body, table.none === "");
    this.rows.draw(table.rows, unit, asOf(this.model), this.fit);
    this.shown = table.rows.length;
  }

  resize() {
    if (this.host.clientWidth) {
      const u = unitOf(this.host);
      const isTall = this.host.clientHeight > this.host.clientWidth;
      this.fit = Math.max(5, Math.floor((this.host.clientHeight / u - 100) / ROW_UNITS));
      this.most = Math.min(MOST, isTall ? this.fit : 2 * this.fit);
    }
    this.update();
  }

  destroy() {
    this.host.replaceChildren();
  }

  stats() {
    return { shown: this.shown, rows: this.rows.rows.made.length };
  }
}
