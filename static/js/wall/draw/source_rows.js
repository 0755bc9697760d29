// @ts-check
/** The largest sources, a bar each beside the largest of them. Rows are made once. */

import { rateWords } from "../../topology/store/units.js";
import { columnRows } from "../store/figures.js";
import { agoWords } from "../store/words.js";
import { el, put, Rows } from "./dom.js";

/** @typedef {import("../store/figures.js").SourceRow} SourceRow */
/** @typedef {import("../../topology/store/units.js").Unit} Unit */
/** A figure older than this says its age in its own row; younger ones share the age in the heading. */
const OLD_MS = 10_000;

/** @returns {{element: HTMLElement, parts: {place: HTMLElement, name: HTMLElement, where: HTMLElement, rate: HTMLElement, fill: HTMLElement}}} */
function makeRow() {
  const element = el("li", "source");
  const parts = { place: el("span", "source__place"), name: el("b", "source__name wall-name"), where: el("span", "source__where wall-name"), rate: el("b", "source__rate"), fill: el("i", "source__fill") };
  element.append(parts.fill, parts.place, parts.name, parts.where, parts.rate);
  return { element, parts };
}

export class SourceRows {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.list = el("ol", "sources-list");
    host.append(this.list);
    this.most = 1;
    this.now_ms = 0;
    /** @type {Unit} */
    this.unit = "bits";
    this.rows = new Rows(this.list, makeRow, (parts, /** @type {SourceRow} */ row, _, place) => {
      put(parts.place, String(place + 1));
      put(parts.name, row.name);
      const isOld = row.measured_ms !== null && this.now_ms - row.measured_ms > OLD_MS;
      put(parts.where, isOld ? `${row.where} · ${agoWords(row.measured_ms, this.now_ms)} old` : row.where);
      put(parts.rate, row.rate === null ? "not known" : rateWords(row.rate, this.unit));
      const width = `${((100 * (row.rate ?? 0)) / this.most).toFixed(1)}%`;
      if (parts.fill.style.getPropertyValue("width") !== width) parts.fill.style.setProperty("width", width);
    });
  }

  /** @param {readonly SourceRow[]} rows the largest first @param {Unit} unit @param {number} now_ms the moment that ages count to @param {number} fit rows that one column has room for */
  draw(rows, unit, now_ms, fit) {
    const high = String(columnRows(rows.length, fit));
    if (this.list.style.getPropertyValue("--rows") !== high) this.list.style.setProperty("--rows", high);
    this.unit = unit;
    this.now_ms = now_ms;
    this.most = Math.max(1, rows[0]?.rate ?? 0);
    this.rows.set(rows);
  }
}
