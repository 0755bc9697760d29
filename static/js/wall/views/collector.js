// @ts-check
/** One collector in full: how it is, its rate with its age, its share of what, the last 15 minutes and what sends to it. */

import { rateParts, rateWords, roundWords } from "../../topology/store/units.js";
import { el, mark, put, Rows, show } from "../draw/dom.js";
import { asOf, LoadBar } from "../draw/loads.js";
import { SourceRows } from "../draw/source_rows.js";
import { drawTrend } from "../draw/trend.js";
import { collectorNow, dropWords, innerLimit, originWords, rateLine, shareParts, sourceTable, stateWords, toneNow } from "../store/figures.js";
import { agoWords, count, ownerWords, severityLook, shortName, shortNames } from "../store/words.js";
import { unitOf } from "./overview.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").Collector} Collector */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../store/figures.js").Now} Now */
/** @typedef {import("../model.js").WallModel} WallModel */

const LONGEST_NAME = 44; // letters: two lines beside the sources
const ROW_UNITS = 56;
const MOST_SOURCES = 14;

/** @implements {WallView} */
export class CollectorView {
  /** @param {HTMLElement} host @param {WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    /** @type {View | null} */
    this.view = null;
    host.classList.add("one");
    this.body = el("div", "one__body");
    this.none = el("p", "wall-said");
    host.append(this.body, this.none);

    const head = el("header", "one__head");
    this.name = el("h1", "one__name");
    this.state = el("p", "one__state");
    head.append(this.name, this.state);

    this.alarm = el("section", "one__alarm");
    this.alarm.dataset.test = "one-alarm";
    const title = el("b", "one__alarm-title");
    this.alarmNumber = el("span", "one__alarm-number");
    this.alarmTitle = el("span");
    title.append(this.alarmNumber, this.alarmTitle);
    this.alarmWords = el("p", "one__alarm-words");
    this.sentence = el("p", "one__sentence");
    this.alarm.append(title, this.alarmWords);

    const figures = el("section", "one__figures");
    const rate = el("div", "one__rate");
    const rateLineHost = el("p", "one__rate-line");
    this.rate = el("b", "one__rate-figure");
    this.rateUnit = el("span", "one__rate-unit");
    this.rate.dataset.test = "one-rate";
    this.rateOf = el("p", "one__small");
    rateLineHost.append(this.rate, this.rateUnit);
    rate.append(rateLineHost, this.rateOf);
    const share = el("div", "one__share");
    this.share = el("b", "one__share-figure");
    this.shareOf = el("p", "one__small");
    share.append(this.share, this.shareOf);
    this.bar = new LoadBar();
    figures.append(rate, share, this.bar.element);
    this.figures = figures;

    const chart = el("section", "one__chart");
    this.trend = el("canvas", "one__trend");
    this.top = el("span", "one__axis one__axis--top");
    this.limit = el("span", "one__axis one__axis--limit");
    this.from = el("span", "one__axis one__axis--from");
    this.until = el("span", "one__axis one__axis--until");
    this.noTrend = el("p", "one__small one__no-trend");
    chart.append(this.trend, this.top, this.limit, this.from, this.until, this.noTrend);

    this.facts = el("dl", "one__facts");
    /** @type {Rows<{label: string, words: string, tone: string}, {label: HTMLElement, words: HTMLElement}>} */
    this.factRows = new Rows(
      this.facts,
      () => {
        const element = el("div", "one__fact");
        const parts = { label: el("dt"), words: el("dd") };
        element.append(parts.label, parts.words);
        return { element, parts };
      },
      (parts, row, element) => {
        put(parts.label, row.label);
        put(parts.words, row.words);
        mark(element, "tone", row.tone);
      },
    );
    const sources = el("section", "one__sources");
    const sourcesHead = el("h2", "part-head", "Largest sources");
    this.sourcesOf = el("span", "part-head__of");
    sourcesHead.append(this.sourcesOf);
    this.sourcesNone = el("p", "one__small");
    sources.append(sourcesHead, this.sourcesNone);
    this.sources = new SourceRows(sources);
    this.sourcesHost = sources;
    this.body.append(head, this.alarm, this.sentence, figures, chart, this.facts, sources);
    this.most = MOST_SOURCES;
    this.u = 1;
    /** @type {readonly unknown[] | null} */
    this.drawn = null;
    this.look = "";
    this.observer = new ResizeObserver(() => {
      this.look = "";
      this.resize();
    });
    this.observer.observe(this.trend);
    this.observer.observe(sources);
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.look = "";
    this.resize();
  }

  update() {
    const { model } = this;
    const { picture } = model;
    if (!picture) return;
    const key = this.view?.options.collector ?? "";
    const all = picture.collectors ?? [];
    // Visitors are not told which one the view is about: they see the one that comes first.
    const collector = (model.state?.is_masked && !key ? all[0] : all.find((one) => one.key === key)) ?? null;
    show(this.body, collector !== null);
    show(this.none, collector === null);
    if (!collector) {
      put(this.none, key ? "This screen is not told of this view's collector: it is gone, or it could not be read." : "This view names no collector. Choose one for it at the desk.");
      return;
    }
    const as_of = asOf(model);
    const now = collectorNow(collector, model.traffic, as_of);
    const tone = toneNow(now);
    mark(this.host, "tone", tone);
    mark(this.host, "state", now.style.key);
    put(this.name, shortName(collector.name, LONGEST_NAME));
    const since = now.since_ms === null ? "" : ` · since ${model.momentOf(now.since_ms)}`;
    put(this.state, `${now.style.glyph} ${stateWords(collector, now, as_of)}${since}`);
    this.#drawAlarm(collector);
    this.#drawFigures(collector, now);
    this.#drawFacts(collector, now);
    this.#drawTrend(collector, tone);
    const unit = this.view?.options.unit ?? "bits";
    const table = sourceTable(model, collector, { unit, most: this.most, as_of_ms: as_of });
    put(this.sourcesOf, table.words);
    put(this.sourcesNone, table.none);
    show(this.sourcesNone, table.none !== "");
    mark(this.host, "sources", table.none === "" ? "some" : "none");
    this.sources.draw(table.rows, unit, as_of, this.most);
  }

  /** @param {Collector} collector */
  #drawAlarm(collector) {
    const { model } = this;
    const alarm = model.picture?.alarms?.find((one) => one.spoken === collector.alarm) ?? model.picture?.alarms?.find((one) => one.collector === collector.key && !one.is_muted) ?? null;
    mark(this.host, "alarmed", String(alarm !== null));
    show(this.alarm, alarm !== null);
    put(this.sentence, alarm ? "" : collector.words);
    show(this.sentence, !alarm && collector.words !== "");
    if (!alarm) return;
    const look = severityLook(alarm.severity);
    mark(this.alarm, "tone", look.tone);
    const isMasked = model.state?.is_masked ?? false;
    put(this.alarmNumber, `${look.glyph} ${alarm.spoken} `);
    put(this.alarmTitle, shortNames(alarm.title || alarm.sentence));
    put(this.alarmWords, [`open for ${agoWords(alarm.opened_ms, model.now())}`, isMasked ? "" : ownerWords(alarm, (ms) => model.momentOf(ms)), alarm.title ? alarm.sentence : ""].filter(Boolean).join(" · "));
  }

  /** @param {Collector} collector @param {Now} now */
  #drawFigures(collector, now) {
    const unit = this.view?.options.unit ?? "bits";
    const { figure, unit: words } = rateParts((unit === "bits" ? now.bits_per_s : now.packets_per_s) ?? NaN, unit);
    const isKnown = words !== "";
    mark(this.figures, "known", isKnown ? "yes" : "no");
    put(this.rate, isKnown ? figure : now.isStale ? "no data" : "not known");
    put(this.rateUnit, words);
    const line = rateLine(collector, now, this.model.now(), unit);
    const other = unit === "bits" ? (now.packets_per_s === null ? "" : rateWords(now.packets_per_s, "packets")) : now.bits_per_s === null ? "" : rateWords(now.bits_per_s, "bits");
    const age = now.measured_ms === null ? "" : `${agoWords(now.measured_ms, this.model.now())} old`;
    put(this.rateOf, isKnown ? [collector.is_estimate ? "estimate, of all that its NIC receives" : "mirrored traffic received", other, age].filter(Boolean).join(" · ") : line);
    const share = shareParts(collector, now);
    mark(this.figures, "share", share.figure === "—" ? "no" : "yes");
    put(this.share, share.figure);
    put(this.shareOf, share.of === "capacity not known" ? share.of : `${share.of} capacity, wrapping included`);
    this.bar.set(now.share);
  }

  /** @param {Collector} collector @param {Now} now */
  #drawFacts(collector, now) {
    const drops = now.isStale || collector.drops_per_s === null ? "not known" : collector.drops_per_s === 0 ? "none" : `${rateWords(collector.drops_per_s, "packets")}${collector.drops_share === null ? "" : `, ${dropWords(collector.drops_share)} of packets`}`;
    const reporting = collector.members - (collector.members_missing ?? 0);
    this.factRows.set([
      { label: "Drops", words: drops, tone: drops === "none" || drops === "not known" ? "" : "bad" },
      { label: "Members", words: now.isStale ? `${count(collector.members, "member")}, none reports` : collector.members_missing === null ? count(collector.members, "member") : `${reporting} of ${collector.members} report`, tone: collector.members_missing && !now.isStale ? "warn" : "" },
      { label: "Mirrors", words: collector.mirrors?.toLocaleString("en-GB") ?? "not known", tone: "" },
      { label: "Counted by", words: originWords(collector), tone: "" },
    ]);
  }

  /** @param {Collector} collector @param {string} tone */
  #drawTrend(collector, tone) {
    const now = this.model.picture?.at_ms ?? this.model.now();
    const spark = collector.spark ?? [];
    const span = (spark.length - 1) * collector.spark_step_s * 1000;
    const look = `${tone} ${this.model.state?.display.theme ?? ""} ${this.u}`;
    if (collector.spark === this.drawn && look === this.look) return;
    this.drawn = collector.spark;
    this.look = look;
    const limit = innerLimit(collector);
    const scale = drawTrend(this.trend, { values: spark, limit }, this.u);
    const isDrawn = scale.knownCount > 1;
    put(this.noTrend, isDrawn ? "" : spark.length ? "Nothing is known of the last 15 minutes." : "The last 15 minutes are not kept for this collector here.");
    for (const axis of [this.top, this.limit, this.from, this.until]) show(axis, isDrawn);
    if (!isDrawn) return;
    put(this.top, `${rateWords(scale.top, "bits")}`);
    show(this.top, scale.limit === null);
    put(this.limit, `100 % = ${roundWords(collector.capacity_bits_per_s ?? 0)}`);
    show(this.limit, scale.limit !== null);
    if (scale.limit !== null) this.limit.style.setProperty("top", `${(100 * (1 - scale.limit / scale.top)).toFixed(1)}%`);
    put(this.from, this.model.minuteOf(now - span));
    put(this.until, `${this.model.minuteOf(now)} · last 15 min`);
  }

  resize() {
    if (this.host.clientWidth) {
      this.u = unitOf(this.host);
      const room = this.sourcesHost.clientHeight / this.u - 50;
      if (room > 0) this.most = Math.max(1, Math.min(MOST_SOURCES, Math.floor(room / ROW_UNITS)));
    }
    this.update();
  }

  destroy() {
    this.observer.disconnect();
    this.host.replaceChildren();
  }

  stats() {
    return { sources: this.sources.rows.made.length, tone: this.host.dataset.tone ?? "", most: this.most };
  }
}
