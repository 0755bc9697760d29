// @ts-check
/**
 * The map on a wall: topology's Stage, looked at and never touched. One for a page's life, moved between the views that show it.
 *
 * Rule 1: every word is at least 18 units high: the stage is drawn ZOOM times as large as on a desk. Rule 2: what is broken is the biggest thing
 * (marks.js). Rule 3: it follows the estate without jumping (holding.js). Rule 4: nothing is painted more than once a second unless something
 * moves, and less often where that costs too much (pace.js); no dots.
 */

import { boxAt } from "../../topology/store/graph.js";
import { areRegionNamesAbove } from "../../topology/draw/names.js";
import { readPalette } from "../../topology/draw/palette.js";
import { Stage } from "../../topology/draw/stage.js";
import { levelOf, overlaps, toScreen } from "../../topology/store/view.js";
import { el, mark as tell, put, show } from "../draw/dom.js";
import { boxOfSaved, follow, viewOf } from "../store/holding.js";
import { isBroken, marksOf, placeMarks } from "../store/marks.js";
import { Pace } from "../store/pace.js";
import { shortName } from "../store/words.js";

/** @typedef {import("../../topology/store/graph.js").Graph} Graph */
/** @typedef {import("../../topology/store/types.js").Box} Box */
/** @typedef {import("../../topology/store/types.js").View} View */
/** @typedef {import("../../topology/store/traffic.js").Traffic} Traffic */
/** @typedef {import("../store/holding.js").Held} Held */
/** @typedef {import("../store/holding.js").Wish} Wish */
/** @typedef {import("../store/marks.js").Mark} Mark */
/** @typedef {import("../store/marks.js").PlacedMark} PlacedMark */
/** @typedef {import("../store/types.js").What} What */
/** @typedef {import("../store/types.js").ViewOptions} ViewOptions */
/** @typedef {import("../store/types.js").Picture} Picture */
/**
 * @typedef {{graph: Graph | null, traffic: Traffic, picture: Picture | null, now: () => number, momentOf: (ms: number) => string}} MapModel
 *   now: the server's time, unix ms; momentOf: a moment in the display's zone
 */

/** The smallest type on the stage is 10 px; on a wall it is 18 units. */
const ZOOM = 1.8;
const TYPE_UNITS = 18;
/** The bitmaps are a trifle larger than the window, so that rounding never makes them fall short. */
const MARGIN = 0.01;
/** px of the stage that stay free around what is shown; a region's name stands above its box far away. */
const PAD = 8;
const NAMES_ABOVE = 14;
const HALF_FIGURE = 42;
const K_MOST = 1.25;
/** More newcomers than these come at once, without fading in. */
const MOST_FADING = 40;
/** Where more collectors are seen from far away, those that are well say no figure. */
const MOST_QUIET = 16;
/** So many parts that are old are named. */
const MOST_OLD = 2;
const LAYERS = ["base", "base", "live", "dots", "light", "names"];

export class WallMap {
  /** @param {MapModel} model read only; `graph` is another object after each read of the topology */
  constructor(model) {
    this.model = model;
    this.root = el("div", "wall-map");
    this.root.dataset.test = "wall-map";
    const host = el("div", "wall-map__stage");
    for (const [place, layer] of LAYERS.entries()) {
      const canvas = document.createElement("canvas");
      canvas.hidden = place === 1; // the base that is painted while the other is on show
      canvas.dataset.layer = layer;
      canvas.setAttribute("aria-hidden", "true");
      host.append(canvas);
    }
    this.stageHost = host;
    this.marksHost = el("div", "wall-map__marks");
    this.note = el("p", "wall-map__note");
    this.note.dataset.test = "wall-map-note";
    this.old = el("p", "wall-map__old");
    this.old.dataset.test = "wall-map-old";
    this.root.append(host, this.marksHost, this.note, this.old);
    this.unit = 1;
    this.stage = new Stage(host, model.traffic, { onView: () => this.placeAgain() }, { zoom: () => this.unit * ZOOM, margin: MARGIN, hasDots: false });
    /** @type {Graph | null} */
    this.graph = null;
    /** @type {ViewOptions} */
    this.options = {};
    /** @type {Held | null} */
    this.held = null;
    this.pace = new Pace();
    this.isDue = false;
    /** @type {Mark[]} the worst first */
    this.marks = [];
    /** @type {PlacedMark[]} */
    this.placed = [];
    /** @type {Map<string, Record<"disc" | "glyph" | "label" | "name" | "words" | "figure", HTMLElement>>} */
    this.elements = new Map();
    this.measurer = document.createElement("canvas").getContext("2d");
    this.paletteKey = "";
    this.figures = { draws: 0, moves: 0, jumps: 0 };
    this.stop = new AbortController();
    const { signal } = this.stop;
    document.fonts.ready.then(() => !signal.aborted && this.stage.restyle(), () => undefined);
    document.fonts.addEventListener("loadingdone", () => this.stage.restyle(), { signal });
    document.addEventListener("visibilitychange", () => !document.hidden && this.draw(), { signal });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
  }

  /** Moves the map into a host, which it fills. @param {HTMLElement} host */
  attach(host) {
    host.append(this.root);
    this.resize();
  }

  /** Takes it out of the page; it keeps what it knows, not its bitmaps. */
  detach() {
    this.root.remove();
  }

  destroy() {
    this.stop.abort();
    this.observer.disconnect();
    this.stage.destroy();
    this.elements.clear();
    this.root.remove();
  }

  /** @param {ViewOptions} options what to look at: a saved view, a node, or everything */
  show(options) {
    this.options = options;
    this.model.traffic.unit = options.unit === "packets" ? "packets" : "bits";
    this.takeGraph();
    this.look();
    this.draw();
  }

  /** @param {What} what has changed in the model */
  update(what) {
    if (what === "state") this.restyle();
    if (what === "topology") this.takeGraph();
    if (what !== "second") this.isDue = true;
    this.look();
    if (this.isDue && this.pace.mayDraw(performance.now())) this.draw();
  }

  /** Sizes may have changed: the host's, or the unit's. */
  resize() {
    if (!this.root.isConnected || !this.root.clientWidth) return;
    this.unit = (parseFloat(getComputedStyle(this.root).fontSize) || TYPE_UNITS) / TYPE_UNITS;
    const zoom = this.unit * ZOOM;
    const { style } = this.stageHost;
    style.width = `${this.root.clientWidth / zoom}px`;
    style.height = `${this.root.clientHeight / zoom}px`;
    style.transform = `scale(${zoom})`;
    this.stage.resize();
    if (this.held) this.stage.setView(this.held.view); // what was out of the page had no size
    this.look();
    this.draw();
  }

  /** Another theme has other colours. */
  restyle() {
    const key = JSON.stringify(readPalette(this.stageHost));
    if (key === this.paletteKey) return;
    this.paletteKey = key;
    this.stage.restyle();
  }

  takeGraph() {
    const { graph } = this.model;
    const before = this.graph;
    if (graph === null) this.forget();
    this.root.dataset.ready = String(graph !== null);
    this.note.textContent = graph === null ? "The map has not been read yet." : graph.counts.vnets === 0 ? "No virtual network here yet." : "";
    if (graph === null || graph === before) return;
    this.graph = graph;
    const added = before ? [...graph.nics.rowOf.keys()].filter((id) => !before.nics.rowOf.has(id)) : [];
    if (!before) this.look();
    this.stage.show(graph, added.length > MOST_FADING ? [] : added);
    this.isDue = true;
  }

  /** Nothing of what it showed stays: another viewer may stand there now. */
  forget() {
    if (!this.graph) return;
    this.graph = null;
    this.held = null;
    this.marks = [];
    this.placed = [];
    for (const { disc, label } of this.elements.values()) {
      disc.remove();
      label.remove();
    }
    this.elements.clear();
    put(this.old, "");
    this.stage.clear();
  }

  /** @returns {{question: string, box: Box, kMax: number}} what matters, in world units */
  wanted() {
    const graph = /** @type {Graph} */ (this.graph);
    const { x, y, k, node } = this.options;
    const all = graph.bounds();
    if (node !== undefined) {
      const box = this.boxAround(node);
      if (box) return { question: `node ${node}`, box, kMax: K_MOST };
    } else if (x !== undefined && y !== undefined && k !== undefined && k > 0) {
      const box = boxOfSaved({ x, y, k });
      if (overlaps(box, all)) return { question: `view ${x} ${y} ${k}`, box, kMax: Infinity };
    }
    return { question: "all", box: all, kMax: K_MOST };
  }

  /** The box with what stands far away in place of cards: a figure, wider than the card. @param {Box} box world @param {number} k @returns {Box} */
  withFigures(box, k) {
    const { collectors } = /** @type {Graph} */ (this.graph);
    let [left, right] = [box.x, box.x + box.w];
    for (let row = 0; row < collectors.size; row++) {
      const { x, w } = boxAt(collectors, row);
      left = Math.min(left, x + w / 2 - HALF_FIGURE / k);
      right = Math.max(right, x + w / 2 + HALF_FIGURE / k);
    }
    return { ...box, x: left, w: right - left };
  }

  /** A node with what belongs to it: of a collector the VNets that send to it. @param {number} id @returns {Box | null} */
  boxAround(id) {
    const graph = /** @type {Graph} */ (this.graph);
    const own = graph.boxOf(id);
    if (!own) return null;
    const row = graph.collectors.rowOf.get(id);
    const vnets = new Set(row === undefined ? [] : [graph.collectors.numbers.vnet[row]]);
    for (const mirror of (row === undefined ? undefined : graph.mirrorsOfCollector.get(id)) ?? []) {
      const nic = graph.nics.rowOf.get(graph.mirrors.numbers.nic[mirror]);
      if (nic !== undefined) vnets.add(graph.vnetIdOfNic(nic));
    }
    const boxes = [own, ...[...vnets].map((vnet) => graph.boxOf(vnet))].filter((box) => box !== null);
    const x = Math.min(...boxes.map((box) => box.x));
    const y = Math.min(...boxes.map((box) => box.y));
    return { x, y, w: Math.max(...boxes.map((box) => box.x + box.w)) - x, h: Math.max(...boxes.map((box) => box.y + box.h)) - y };
  }

  /** Looks where it should, when it should. */
  look() {
    const { graph, stage } = this;
    if (!graph || !this.root.isConnected || !this.root.clientWidth) return;
    const wanted = this.wanted();
    /** @type {Wish} */
    let wish = { ...wanted, size: stage.size, pad: PAD, top: 0 };
    const { k } = viewOf(wish);
    if (areRegionNamesAbove(graph, k)) wish = { ...wish, top: NAMES_ABOVE };
    if (wanted.question === "all" && levelOf(k) === 0 && graph.collectors.size <= MOST_QUIET) wish = { ...wish, box: this.withFigures(wish.box, k) };
    const step = follow(this.held, wish, performance.now());
    this.held = step.held;
    if (!step.isMove) return;
    this.figures.moves++;
    if (step.isJump) {
      this.figures.jumps++;
      stage.setView(step.held.view);
    } else stage.flyTo(step.held.view);
  }

  /** Paints numbers and marks anew. */
  draw() {
    const { stage, graph } = this;
    if (!graph || !this.root.isConnected) return;
    this.pace.drew(performance.now(), stage.figures.frame_ms); // what the last one cost tells how soon the next may come
    this.isDue = false;
    this.figures.draws++;
    const lost = new Map((this.model.picture?.collectors ?? []).map((one) => [one.id ?? 0, one.drops_share ?? NaN]));
    this.marks = marksOf(graph, this.model.traffic, stage.routes.pipes, this.model.now(), (id) => lost.get(id) ?? NaN);
    this.placeAgain();
    this.sayOld();
    stage.refreshLive();
  }

  /** Parts of the map that Azure was not asked about lately, by name and since when: they are hatched. */
  sayOld() {
    const stale = (this.graph?.subscriptions ?? []).filter((one) => one.stale_since > 0).sort((a, b) => a.stale_since - b.stale_since);
    const words = stale.slice(0, MOST_OLD).map((one) => `${one.name} not read since ${this.model.momentOf(one.stale_since * 1000)}`);
    if (stale.length > MOST_OLD) words.push(`and ${stale.length - MOST_OLD} more`);
    put(this.old, words.length ? `◌ ${words.join(" · ")}` : "");
  }

  // --- marks ----------------------------------------------------------------------------------------------------------

  /** The view or the marks changed. */
  placeAgain() {
    const { graph, stage, unit } = this;
    if (!graph) return;
    const cards = Array.from({ length: graph.collectors.size }, (_, row) => boxAt(graph.collectors, row));
    this.placed = placeMarks(this.marks, stage.view, stage.size, unit * ZOOM, unit, (text, units, weight) => this.measure(text, units, weight), cards);
    const named = new Set(this.placed.map((one) => one.mark.id));
    // Healthy is quiet: where there are very many, the words are for those in trouble.
    if (levelOf(stage.view.k) === 0 && graph.collectors.size > MOST_QUIET) for (const id of graph.collectors.rowOf.keys()) named.add(id);
    for (const [id, row] of graph.collectors.rowOf) if (this.isUnderRing(boxAt(graph.collectors, row))) named.add(id);
    if (named.size !== stage.named.size || [...named].some((id) => !stage.named.has(id))) {
      stage.named = named;
      stage.touch();
    }
    const keys = new Set(this.placed.map((one) => one.mark.key));
    for (const [key, { disc, label }] of this.elements) {
      if (keys.has(key)) continue;
      disc.remove();
      label.remove();
      this.elements.delete(key);
    }
    for (const one of this.placed) this.putMark(one);
  }

  /** @param {Box} card world @returns {boolean} a mark of another one covers it */
  isUnderRing(card) {
    const { stage } = this;
    const zoom = this.unit * ZOOM;
    const at = toScreen(stage.view, stage.size, card.x + card.w / 2, card.y + card.h / 2);
    const [x, y] = [at.x * zoom, at.y * zoom];
    return this.placed.some(({ ring, isFrame }) => !isFrame && x >= ring.x && y >= ring.y && x <= ring.x + ring.w && y <= ring.y + ring.h);
  }

  /** @param {string} text @param {number} units @param {number} weight @returns {number} px */
  measure(text, units, weight) {
    if (!this.measurer) return text.length * units * this.unit * 0.6;
    this.measurer.font = `${weight} ${units * this.unit}px ${this.stage.palette.font}`;
    return this.measurer.measureText(text.replace(/\d/g, "0")).width; // figures are as wide as each other on the page
  }

  /** @param {PlacedMark} placed */
  putMark({ mark, size, ring, isFrame, isInside, label: box }) {
    let elements = this.elements.get(mark.key);
    if (!elements) {
      elements = { disc: el("div", "wall-mark"), glyph: el("span"), label: el("div", "wall-mark__label"), name: el("strong"), words: el("span"), figure: el("em") };
      elements.disc.append(elements.glyph);
      elements.label.append(elements.name, elements.words, elements.figure);
      this.elements.set(mark.key, elements);
      this.marksHost.append(elements.disc, elements.label);
    }
    const { disc, glyph, label, name, words, figure } = elements;
    for (const element of [disc, label]) {
      tell(element, "key", mark.key);
      tell(element, "kind", mark.kind);
      tell(element, "tone", mark.color);
      tell(element, "size", size);
      tell(element, "shape", isFrame ? "frame" : "disc");
    }
    tell(label, "place", isInside ? "inside" : "outside");
    put(glyph, isFrame && box ? "" : mark.glyph);
    putAt(disc, ring);
    show(label, box !== null);
    if (!box) return;
    put(name, isFrame ? `${mark.glyph} ${shortName(mark.name)}` : shortName(mark.name));
    put(words, mark.words);
    put(figure, isInside ? mark.figure : "");
    putAt(label, box);
  }

  /** @returns {boolean} something on the map is broken */
  get isAnythingBroken() {
    return this.marks.some(isBroken);
  }

  /** @returns {Record<string, unknown>} for the page's report and for tests */
  stats() {
    const { stage } = this;
    return {
      ...this.figures, every_s: this.pace.every_s, frames: stage.figures.frames, frame_ms: stage.figures.frame_ms, live_ms: stage.live.figures.live_ms, raster_ms: stage.figures.raster_ms,
      rasters: stage.figures.rasters, dots: stage.live.dots.dots.length, view: { ...stage.view }, size: { ...stage.size }, dpr: stage.dpr, unit: this.unit, level: levelOf(stage.view.k),
      nics: this.graph?.nics.size ?? 0, revision: this.graph?.revision ?? "", isMoving: stage.flight !== null,
      marks: this.placed.map(({ mark, size, ring, label }) => ({ key: mark.key, kind: mark.kind, id: mark.id, name: mark.name, words: mark.words, size, ring, label })), kept: { ...stage.kept(), elements: this.elements.size },
    };
  }

  /** @returns {Promise<void>} when nothing moves and everything is painted */
  idle() {
    return this.stage.idle();
  }
}

/** @param {HTMLElement} element @param {Box} box px of the host */
function putAt({ style }, box) {
  const set = (/** @type {"transform" | "width" | "height"} */ name, /** @type {string} */ value) => {
    if (style[name] !== value) style[name] = value;
  };
  set("transform", `translate(${Math.round(box.x)}px, ${Math.round(box.y)}px)`);
  set("width", `${Math.round(box.w)}px`);
  set("height", `${Math.round(box.h)}px`);
}
