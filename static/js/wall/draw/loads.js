// @ts-check
/** Collectors by load: a row each with state, bar to 130 % of the capacity, the last 15 minutes and a share of what. Rows are made once; their height follows the room. */

import { barOf, collectorNow, innerLimit, rateLine, restWords, rowsFor, shareParts, stateWords, toneNow } from "../store/figures.js";
import { unreadWords } from "../store/picture.js";
import { isRead } from "../store/picture.js";
import { shortName } from "../store/words.js";
import { el, mark, put, Rows, show } from "./dom.js";
import { drawTrend } from "./trend.js";

/** @typedef {import("../store/types.js").Collector} Collector */
/** @typedef {import("../../topology/store/units.js").Unit} Unit */
/** @typedef {import("../model.js").WallModel} WallModel */
/** @typedef {{name: HTMLElement, state: HTMLElement, bar: LoadBar, trend: HTMLCanvasElement, share: HTMLElement, of: HTMLElement, rate: HTMLElement, drawn: string, spark: readonly unknown[] | null}} Parts */

const LONGEST_LARGE = 44; // letters of a name where a row has two lines for it

/** The bar of a load with its tick at 100 %. */
export class LoadBar {
  constructor() {
    this.element = el("div", "load-bar");
    this.fill = el("i", "load-bar__fill");
    this.element.append(this.fill, el("i", "load-bar__tick"));
    this.width = "";
  }

  /** @param {number | null} share null: not known, an empty hatched bar */
  set(share) {
    mark(this.element, "known", share === null ? "no" : "yes");
    const width = `${(100 * barOf(share)).toFixed(1)}%`;
    if (width !== this.width) this.fill.style.setProperty("width", width);
    this.width = width;
  }
}

/** @param {WallModel} model @returns {number} the moment that what is shown is of: while the feed is away, the last one that can be trusted */
export function asOf(model) {
  return model.feed === "live" || model.feed === "starting" ? model.now() : (model.trusted_ms ?? model.now());
}

/** @returns {{element: HTMLElement, parts: Parts}} */
function makeRow() {
  const element = el("li", "load");
  const head = el("div", "load__head");
  const figures = el("div", "load__figures");
  const parts = { name: el("b", "load__name wall-name"), state: el("span", "load__state"), bar: new LoadBar(), trend: el("canvas", "load__trend"), share: el("b", "load__share"), of: el("span", "load__of"), rate: el("span", "load__rate"), drawn: "", spark: null };
  head.append(parts.name, parts.state, parts.bar.element);
  figures.append(parts.share, parts.of, parts.rate);
  element.append(head, parts.trend, figures);
  return { element, parts };
}

export class Loads {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.host = host;
    host.classList.add("loads");
    const head = el("h2", "part-head", "Collectors by load");
    this.of = el("span", "part-head__of");
    head.append(this.of);
    this.list = el("ul", "loads__rows");
    this.rest = el("p", "loads__rest");
    this.none = el("p", "loads__none");
    host.append(head, this.list, this.rest, this.none);
    /** @type {Unit} */
    this.unit = "bits";
    this.u = 1;
    this.units = 600;
    this.shown = 0;
    this.rows = new Rows(this.list, makeRow, (parts, /** @type {{collector: Collector, model: WallModel}} */ row, element) => this.#fill(parts, row.collector, row.model, element));
  }

  /** Reads how much room there is. Once after every change of the layout, never while nothing changed. @param {number} u px of one unit of the wall */
  measure(u) {
    this.u = u;
    if (!this.list.clientHeight) return;
    this.units = (this.list.clientHeight + (this.rest.hidden ? 0 : this.rest.offsetHeight)) / u;
    for (const { parts } of this.rows.made) parts.drawn = "";
  }

  /** @param {WallModel} model @param {Unit} unit */
  draw(model, unit) {
    const picture = model.picture;
    if (!picture) return;
    this.unit = unit;
    const collectors = picture.collectors ?? [];
    const counts = picture.collector_counts ?? {};
    const count = Math.max(counts.total ?? 0, collectors.length);
    const [old] = unreadWords(picture, (ms) => model.momentOf(ms), ["inventory", "judging", "live"]);
    mark(this.host, "old", old ? "yes" : "no");
    put(this.of, old ? `◌ ${old}` : "last 15 min");
    const { tier, shown } = rowsFor(count, this.units);
    mark(this.host, "tier", tier);
    const some = collectors.slice(0, shown);
    this.shown = some.length;
    this.rows.set(some.map((collector) => ({ collector, model })));
    const rest = restWords({ ...counts, total: count }, some);
    put(this.rest, rest);
    show(this.rest, rest !== "");
    show(this.none, count === 0);
    show(this.list, count > 0);
    put(this.none, count > 0 ? "" : isRead(picture, "inventory") ? "No collector is known yet. A collector is the NIC or internal load balancer that a TAP sends to." : "Not known: the collectors could not be read.");
  }

  /** @param {Parts} parts @param {Collector} collector @param {WallModel} model @param {HTMLElement} element */
  #fill(parts, collector, model, element) {
    const now = collectorNow(collector, model.traffic, asOf(model));
    const tone = toneNow(now);
    mark(element, "tone", tone);
    mark(element, "state", now.style.key);
    put(parts.name, shortName(collector.name, this.host.dataset.tier === "large" ? LONGEST_LARGE : undefined));
    put(parts.state, `${now.style.glyph} ${stateWords(collector, now, asOf(model))}`);
    parts.bar.set(now.share);
    const { figure, of } = shareParts(collector, now);
    put(parts.share, figure);
    put(parts.of, of);
    put(parts.rate, rateLine(collector, now, model.now(), this.unit));
    const look = `${tone} ${model.state?.display.theme ?? ""} ${this.host.dataset.tier}`;
    if (collector.spark === parts.spark && look === parts.drawn) return;
    parts.spark = collector.spark;
    parts.drawn = look;
    show(parts.trend, collector.spark !== null && collector.spark.length > 1);
    drawTrend(parts.trend, { values: collector.spark ?? [], limit: innerLimit(collector) }, this.u);
  }
}
