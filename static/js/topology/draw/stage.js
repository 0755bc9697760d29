// @ts-check
/**
 * The picture: four stacked layers.
 *
 *   base    boxes, pipes, chips: a bitmap larger than the window, moved by CSS while the view moves,
 *           painted again in slices when a zoom ends or its margin runs out (two bitmaps, swapped when the new one is ready)
 *   live    strands and cards, painted again with every number, and the dots on them (live.js)
 *   light   what changes under the pointer: highlighted ways, selection, newcomers fading in, lasso
 *   names   words, crisp at every zoom
 *
 * Rule 1: nothing is painted unless something changed. Rule 2: memory is six canvases of about the window's size, whatever the estate.
 */

import { boxAt } from "../store/graph.js";
import { SpatialIndex } from "../store/hit.js";
import { DOT_X, FEW_PIPES, pathOf, routesOf } from "../store/routes.js";
import { between, boxToScreen, levelOf, overlaps, visibleBox } from "../store/view.js";
import { paintCard } from "./cards.js";
import { isCut, isStill } from "./flow.js";
import { LiveLayer } from "./live.js";
import { paintRegionName, paintSubnetName, paintVnetName } from "./names.js";
import { hatchTile, paintChip, paintDots, paintInFlight, paintPipe, paintPorts, paintRegion, paintSelected, paintSubnet, paintVnet, trace } from "./paint.js";
import { readPalette } from "./palette.js";
import { mirrorsOfPipes, paintCardPills, paintPipeLabels } from "./pills.js";
import { forgetWidths, widthsKept } from "./text.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").Size} Size */
/** @typedef {import("../store/routes.js").Routes} Routes */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/routes.js").Strand} Strand */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/** @typedef {import("./paint.js").Pen} Pen */
/** @typedef {{canvas: HTMLCanvasElement, view: View, size: Size, isReady: boolean}} Bitmap */
/**
 * @typedef {object} StageOptions  for a picture that nobody moves with a pointer
 * @property {() => number} [zoom] CSS px of the window that one px of the stage takes up, where its host is scaled by a transform
 * @property {number} [margin] how much larger than the window its bitmaps are, a share on each side
 * @property {boolean} [hasDots]
 */
/** @typedef {{nics: Set<number>, mirrors: Set<number>, collectors: Set<number>, pipes: Set<Pipe>, nodes: Set<number>}} Highlight */

const MARGIN = 0.25;
const SLICE_MS = 7;
const REST_MS = 110;
const FADE_MS = 900;
const FLIGHT_MS = 520;
/** A newcomer that has faded in: it stays in the light layer until the base has it. */
const SETTLED = -1;

/** @param {HTMLCanvasElement} canvas @returns {CanvasRenderingContext2D} */
function context(canvas) {
  const ctx = canvas.getContext("2d");
  if (!ctx) throw new Error("This browser gives no 2D canvas, so the map cannot be drawn. The table shows the same data.");
  return ctx;
}

export class Stage {
  /**
   * @param {HTMLElement} host holds canvases [data-layer=base] ×2, live, dots, light, names
   * @param {Traffic} traffic @param {{onView: (view: View) => void}} told @param {StageOptions} [options]
   */
  constructor(host, traffic, told, { zoom = () => 1, margin = MARGIN, hasDots = true } = {}) {
    this.host = host;
    this.zoom = zoom;
    this.margin = margin;
    this.traffic = traffic;
    this.told = told;
    const layer = (/** @type {string} */ name) => /** @type {HTMLCanvasElement[]} */ ([...host.querySelectorAll(`canvas[data-layer="${name}"]`)]);
    /** @type {Bitmap[]} the first is on show */
    this.bitmaps = layer("base").map((canvas) => ({ canvas, view: { x: 0, y: 0, k: 1 }, size: { w: 0, h: 0 }, isReady: false }));
    this.live = new LiveLayer(layer("live")[0], layer("dots")[0], () => this, margin);
    this.light = layer("light")[0];
    this.names = layer("names")[0];
    /** @type {Graph | null} */
    this.graph = null;
    /** @type {Routes} */
    this.routes = { pipes: [], strands: [], strandsOfVnet: new Map(), strandOfMirror: new Map() };
    /** @type {import("./pills.js").MirrorsOfPipe} */
    this.mirrorsOfPipes = new Map();
    /** @type {SpatialIndex | null} */
    this.index = null;
    /** @type {View} */
    this.view = { x: 0, y: 0, k: 1 };
    /** @type {Size} */
    this.size = { w: 1, h: 1 };
    this.dpr = 1;
    this.isSized = false;
    this.palette = readPalette(host);
    /** @type {CanvasPattern | null} */
    this.hatch = null;
    /** @type {ReadonlySet<number>} */
    this.selection = new Set();
    /** @type {Highlight | null} */
    this.highlight = null;
    /** @type {ReadonlySet<number> | null} search hits; the rest is dimmed */
    this.hits = null;
    /** @type {ReadonlySet<number> | null} what may be chosen now, with what it stands in; the rest is dimmed */
    this.lit = null;
    /** @type {ReadonlyMap<number, number>} node id of a NIC → the running change that writes to it now */
    this.inFlight = new Map();
    /** @type {Array<{x: number, y: number}>} world */
    this.lassoLine = [];
    /** @type {ReadonlySet<number>} nodes that somebody else names: they get no words of ours */
    this.named = new Set();
    /** @type {Map<number, number>} node id → ms when it came */
    this.newcomers = new Map();
    /** @type {Array<{box: Box, text: string, id: number}>} */
    this.labels = [];
    this.isFew = true;
    /** @type {number | null} */
    this.pausedAt = null;
    this.figures = { first_picture_ms: 0, raster_ms: 0, rasters: 0, drawn_nics: 0, frames: 0, frame_ms: 0 };
    /** @type {{steps: Generator<void>, bitmap: Bitmap, ms: number} | null} */
    this.job = null;
    /** @type {{from: View, to: View, at: number} | null} */
    this.flight = null;
    this.isDirty = true;
    this.isBaseOld = true;
    this.movedAt = -Infinity;
    this.frameId = 0;
    this.timer = 0;
    /** @type {Array<() => void>} */
    this.waiting = [];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.live.dots.isCalm = this.calm.matches;
    this.live.dots.isOff = !hasDots;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(host);
    this.resize();
  }

  destroy() {
    this.observer.disconnect();
    this.live.destroy();
    cancelAnimationFrame(this.frameId);
    clearTimeout(this.timer);
    for (const canvas of [...this.bitmaps.map((bitmap) => bitmap.canvas), this.light, this.names]) canvas.width = canvas.height = 0;
    this.graph = null;
    this.index = null;
    this.waiting.forEach((resolve) => resolve());
    this.waiting = [];
  }

  /** Forgets the graph and everything that was painted of it; the next one is a first picture again. */
  clear() {
    this.graph = null;
    this.index = null;
    this.job = null;
    this.routes = { pipes: [], strands: [], strandsOfVnet: new Map(), strandOfMirror: new Map() };
    this.mirrorsOfPipes = new Map();
    this.newcomers.clear();
    this.labels = [];
    this.figures.first_picture_ms = 0;
    this.live.clear();
    for (const bitmap of this.bitmaps) {
      bitmap.isReady = false;
      bitmap.canvas.width = bitmap.canvas.height = 0;
    }
    for (const canvas of [this.light, this.names]) context(canvas).clearRect(0, 0, canvas.width, canvas.height);
  }

  /** @returns {Record<string, number>} sizes of what could grow in a long session */
  kept() {
    return { newcomers: this.newcomers.size, waiting: this.waiting.length, widths: widthsKept(), labels: this.labels.length, canvases: this.host.querySelectorAll("canvas").length };
  }

  now() {
    return this.pausedAt ?? performance.now();
  }

  /** Stops the clock of all animation at a time, or lets it run again. @param {number | null} t ms */
  pauseTime(t) {
    this.pausedAt = t;
    this.#holdDots();
    this.touch();
  }

  /** Numbers changed, or what is known of them. */
  refreshLive() {
    this.live.isOld = true;
    this.#holdDots();
    this.touch();
  }

  #holdDots() {
    this.live.dots.isCalm = this.calm.matches;
    this.live.dots.hold(this.pausedAt !== null || this.traffic.isStopped);
  }

  /** A theme or typeface changed. */
  restyle() {
    this.palette = readPalette(this.host);
    this.live.dots.restyle();
    this.live.isOld = true;
    this.hatch = null;
    forgetWidths();
    this.isBaseOld = true;
    this.touch();
  }

  resize() {
    const box = this.host.getBoundingClientRect(); // as it is on the screen, after any transform
    const zoom = this.zoom();
    const before = this.size;
    const size = { w: Math.max(1, Math.round(box.width / zoom)), h: Math.max(1, Math.round(box.height / zoom)) };
    const dpr = Math.min(3, window.devicePixelRatio || 1) * zoom;
    if (size.w === before.w && size.h === before.h && dpr === this.dpr && this.isSized) return;
    this.isSized = true;
    this.size = size;
    // The corner stays where it is when the panel opens: nothing jumps.
    if (before.w > 1) this.view = { ...this.view, x: this.view.x + (this.size.w - before.w) / 2 / this.view.k, y: this.view.y + (this.size.h - before.h) / 2 / this.view.k };
    this.dpr = dpr;
    for (const canvas of [this.light, this.names]) {
      canvas.width = Math.round(this.size.w * this.dpr);
      canvas.height = Math.round(this.size.h * this.dpr);
      canvas.style.width = `${this.size.w}px`;
      canvas.style.height = `${this.size.h}px`;
    }
    this.live.dots.resize(this.size);
    this.live.isOld = true;
    this.isBaseOld = true;
    this.touch();
  }

  /**
   * Shows a graph. With `added` those nodes fade in; without, the picture is a first one.
   *
   * @param {Graph} graph @param {number[]} [added]
   */
  show(graph, added = []) {
    const started = performance.now();
    this.graph = graph;
    this.routes = routesOf(graph);
    this.live.setRoutes(this.routes, graph);
    this.mirrorsOfPipes = mirrorsOfPipes(this.routes);
    this.isFew = this.routes.pipes.length <= FEW_PIPES;
    this.index = new SpatialIndex(graph);
    this.highlight = null;
    if (!this.calm.matches) for (const id of added.slice(0, 500)) this.newcomers.set(id, this.now());
    this.isBaseOld = true;
    if (!this.figures.first_picture_ms) {
      this.#rasterNow();
      this.figures.first_picture_ms = performance.now() - started;
    }
    this.touch();
  }

  /** @param {View} view */
  setView(view) {
    this.flight = null;
    this.#move(view);
  }

  /** Flies there, or jumps when motion is unwanted. @param {View} to */
  flyTo(to) {
    if (this.calm.matches) return this.setView(to);
    this.flight = { from: this.view, to, at: this.now() };
    this.touch();
  }

  /** @param {View} view */
  #move(view) {
    if (view.k !== this.view.k) this.movedAt = performance.now();
    this.view = view;
    this.told.onView(view);
    this.touch();
  }

  touch() {
    this.isDirty = true;
    if (!this.frameId) this.frameId = requestAnimationFrame(() => this.#frame());
  }

  /** @returns {Promise<void>} when nothing moves and the base is the one of this view */
  idle() {
    if (!this.#isBusy()) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  #isBusy() {
    return this.isDirty || this.isBaseOld || this.live.isOld || (this.graph !== null && this.live.isWorn()) || this.job !== null || (this.pausedAt === null && (this.flight !== null || this.newcomers.size > 0)) || this.#isWorn();
  }

  /** @returns {boolean} the bitmap on show is of another zoom or does not cover the window */
  #isWorn() {
    const bitmap = this.bitmaps[0];
    return this.graph !== null && (!bitmap.isReady || bitmap.view.k !== this.view.k || this.#spare(bitmap) < 0);
  }

  /** @param {Bitmap} bitmap @returns {number} px between the window's edge and the bitmap's */
  #spare(bitmap) {
    const scale = this.view.k;
    const half = { w: (bitmap.size.w / bitmap.view.k) * scale / 2, h: (bitmap.size.h / bitmap.view.k) * scale / 2 };
    const dx = Math.abs(this.view.x - bitmap.view.x) * scale;
    const dy = Math.abs(this.view.y - bitmap.view.y) * scale;
    return Math.min(half.w - dx - this.size.w / 2, half.h - dy - this.size.h / 2);
  }

  #frame() {
    this.frameId = 0;
    const started = performance.now();
    if (!this.graph) return;
    if (this.flight) {
      const t = Math.min(1, Math.max(0, (this.now() - this.flight.at) / FLIGHT_MS));
      const eased = t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2;
      const { from, to } = this.flight;
      if (t >= 1) this.flight = null;
      this.#move(between(from, to, eased));
    }
    this.isDirty = false;
    this.#rasterSome();
    this.#placeBase();
    this.#paintLive();
    this.#paintLight();
    this.#paintNames();
    this.figures.frames++;
    this.figures.frame_ms = performance.now() - started;
    const isMoving = this.pausedAt === null && (this.flight !== null || this.newcomers.size > 0);
    if (isMoving || this.job) this.touch();
    else if (this.isBaseOld || this.#isWorn() || this.live.isWorn()) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.touch(), REST_MS);
    }
    if (!this.#isBusy()) {
      const waiting = this.waiting;
      this.waiting = [];
      waiting.forEach((resolve) => resolve());
    }
  }

  // --- base -----------------------------------------------------------------------------------------------------------

  #rasterNow() {
    this.job = this.#newJob();
    for (const step of this.job.steps) void step;
    this.#finishJob();
  }

  #rasterSome() {
    const bitmap = this.bitmaps[0];
    const hasRested = performance.now() - this.movedAt >= REST_MS && !this.flight;
    const reach = Math.min(this.size.w, this.size.h) * this.margin;
    const isShort = bitmap.isReady && this.#spare(bitmap) < reach * 0.5;
    const isOtherZoom = bitmap.isReady && bitmap.view.k !== this.view.k;
    const isWanted = !bitmap.isReady || this.isBaseOld || (isOtherZoom ? hasRested || this.#spare(bitmap) < -reach : isShort);
    if (isWanted && (!this.job || this.isBaseOld || (isOtherZoom && hasRested && this.job.bitmap.view.k !== this.view.k))) this.job = this.#newJob();
    if (!this.job) return;
    const until = performance.now() + SLICE_MS;
    const started = performance.now();
    let isDone = false;
    while (!isDone && performance.now() < until) isDone = this.job.steps.next().done === true;
    this.job.ms += performance.now() - started;
    if (isDone) this.#finishJob();
  }

  #newJob() {
    this.isBaseOld = false;
    const bitmap = this.bitmaps[1];
    bitmap.view = { ...this.view };
    bitmap.size = { w: Math.ceil(this.size.w * (1 + 2 * this.margin)), h: Math.ceil(this.size.h * (1 + 2 * this.margin)) };
    bitmap.isReady = false;
    const w = Math.round(bitmap.size.w * this.dpr);
    const h = Math.round(bitmap.size.h * this.dpr);
    if (bitmap.canvas.width !== w || bitmap.canvas.height !== h) {
      bitmap.canvas.width = w;
      bitmap.canvas.height = h;
    }
    bitmap.canvas.style.width = `${bitmap.size.w}px`;
    bitmap.canvas.style.height = `${bitmap.size.h}px`;
    return { steps: this.#paintBase(bitmap), bitmap, ms: 0 };
  }

  #finishJob() {
    if (!this.job) return;
    this.job.bitmap.isReady = true;
    for (const [id, since] of this.newcomers) if (since === SETTLED) this.newcomers.delete(id);
    this.figures.raster_ms = this.job.ms;
    this.figures.rasters++;
    this.job = null;
    this.bitmaps.reverse();
    this.bitmaps[0].canvas.hidden = false;
    this.bitmaps[1].canvas.hidden = true;
    this.#placeBase();
  }

  #placeBase() {
    const { canvas, view, size, isReady } = this.bitmaps[0];
    if (!isReady) return;
    const scale = this.view.k / view.k;
    const snap = (/** @type {number} */ value) => (scale === 1 ? Math.round(value * this.dpr) / this.dpr : value);
    const x = snap((view.x - this.view.x) * this.view.k + this.size.w / 2 - (size.w * scale) / 2);
    const y = snap((view.y - this.view.y) * this.view.k + this.size.h / 2 - (size.h * scale) / 2);
    canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    canvas.style.opacity = this.highlight || this.hits || this.lit ? "0.3" : "1";
  }

  #paintLive() {
    const { live } = this;
    const hasRested = performance.now() - this.movedAt >= REST_MS && !this.flight;
    const isShort = live.spare() < (live.view.k === this.view.k ? 0 : -Math.min(this.size.w, this.size.h) * this.margin);
    if (live.isOld || !live.isPainted || isShort || (hasRested && live.isWorn())) live.paint((ctx, view, size) => this.#pen(ctx, view, size), this.dpr, (seen, level) => new Set(this.#visiblePipes(seen, level)));
    live.place(this.dpr, this.highlight || this.hits || this.lit ? 0.3 : 1);
  }

  /** @param {CanvasRenderingContext2D} ctx @param {View} view @param {Size} size @returns {Pen} in world units */
  #pen(ctx, view, size) {
    const scale = view.k * this.dpr;
    ctx.setTransform(scale, 0, 0, scale, (size.w / 2 - view.x * view.k) * this.dpr, (size.h / 2 - view.y * view.k) * this.dpr);
    if (!this.hatch) this.hatch = ctx.createPattern(hatchTile(this.palette), "repeat");
    return { ctx, palette: this.palette, graph: /** @type {Graph} */ (this.graph), k: view.k, level: levelOf(view.k), hatch: this.hatch, traffic: this.traffic };
  }

  /**
   * What is drawn of the peerings: all where they are few; else those that carry mirrors or are broken, near at hand the quiet ones of
   * the VNets in the picture too. Drawn in full, thousands would be a hairball.
   *
   * @param {Box} box world @param {0 | 1 | 2 | 3} level @returns {Pipe[]}
   */
  #visiblePipes(box, level) {
    const { pipes } = this.routes;
    if (this.isFew) return pipes.filter((pipe) => overlaps(pipe.box, box));
    const graph = /** @type {Graph} */ (this.graph);
    const index = /** @type {SpatialIndex} */ (this.index);
    const inPicture = new Set(level >= 2 ? index.vnetRows(box).map((row) => graph.vnets.numbers.id[row]) : []);
    return pipes.filter((pipe) => overlaps(pipe.box, box)
      && (level >= 2 ? inPicture.has(pipe.from) || inPicture.has(pipe.to) : pipe.state !== "missing" && (pipe.mirrors > 0 || this.#isHubToHub(pipe))));
  }

  /** @param {Pipe} pipe */
  #isHubToHub(pipe) {
    const vnets = /** @type {Graph} */ (this.graph).vnets;
    const role = (/** @type {number} */ id) => vnets.texts.role[vnets.rowOf.get(id) ?? -1];
    return role(pipe.from) === "hub" && role(pipe.to) === "hub";
  }

  /** @param {Bitmap} bitmap @returns {Generator<void>} */
  *#paintBase(bitmap) {
    const graph = /** @type {Graph} */ (this.graph);
    const index = /** @type {SpatialIndex} */ (this.index);
    const ctx = context(bitmap.canvas);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, bitmap.canvas.width, bitmap.canvas.height);
    const pen = this.#pen(ctx, bitmap.view, bitmap.size);
    const { level } = pen;
    const seen = visibleBox(bitmap.view, bitmap.size);
    if (level >= 2) this.#paintGrid(bitmap, ctx);
    for (let row = 0; row < graph.regions.size; row++) if (overlaps(boxAt(graph.regions, row), seen)) paintRegion(pen, row);
    yield;
    const pipes = this.#visiblePipes(seen, level);
    const isThin = (/** @type {Pipe} */ pipe) => level < 2 || (!this.isFew && !pipe.mirrors && pipe.state === "Connected");
    for (const pipe of pipes) paintPipe(pen, pipe, isThin(pipe));
    yield;
    let dots = 0;
    for (const vnetRow of index.vnetRows(seen)) {
      paintVnet(pen, vnetRow);
      if (level === 0) continue;
      const subnets = (graph.subnetsOfVnet.get(graph.vnets.numbers.id[vnetRow]) ?? []).filter((row) => overlaps(boxAt(graph.subnets, row), seen));
      for (const row of subnets) paintSubnet(pen, row);
      if (level >= 2) {
        for (const row of subnets) {
          const nics = graph.nicsOfSubnet.get(graph.subnets.numbers.id[row]) ?? [];
          dots += nics.length;
          if (level === 2) paintDots(pen, nics);
          else for (const nic of nics) if ((this.newcomers.get(graph.nics.numbers.id[nic]) ?? SETTLED) === SETTLED) paintChip(pen, nic);
          yield;
        }
      }
      yield;
    }
    for (const pipe of pipes) if (!isThin(pipe)) paintPorts(pen, pipe);
    yield;
    this.figures.drawn_nics = dots;
  }

  /** Faint dots that move with the map. @param {Bitmap} bitmap @param {CanvasRenderingContext2D} ctx */
  #paintGrid(bitmap, ctx) {
    const step = 28 * bitmap.view.k * this.dpr * (bitmap.view.k < 0.6 ? 2 : 1);
    const tile = document.createElement("canvas");
    tile.width = tile.height = Math.max(8, Math.round(step));
    const dot = context(tile);
    dot.fillStyle = this.palette.grid;
    dot.beginPath();
    dot.arc(tile.width / 2, tile.height / 2, this.dpr, 0, Math.PI * 2);
    dot.fill();
    const pattern = ctx.createPattern(tile, "repeat");
    if (!pattern) return;
    const shift = (/** @type {number} */ value) => -(((value * bitmap.view.k * this.dpr) % tile.width) + tile.width) % tile.width;
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, shift(bitmap.view.x), shift(bitmap.view.y));
    ctx.fillStyle = pattern;
    ctx.fillRect(-tile.width, -tile.height, bitmap.canvas.width + 3 * tile.width, bitmap.canvas.height + 3 * tile.height);
    ctx.restore();
  }

  // --- light ----------------------------------------------------------------------------------------------------------

  #paintLight() {
    const graph = /** @type {Graph} */ (this.graph);
    const ctx = context(this.light);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.light.width, this.light.height);
    const pen = this.#pen(ctx, this.view, this.size);
    const seen = visibleBox(this.view, this.size);
    if (this.highlight) this.#paintHighlight(pen, this.highlight, seen);
    for (const id of this.lit ?? []) {
      const nic = graph.nics.rowOf.get(id);
      if (nic !== undefined && pen.level >= 2) paintChip(pen, nic, pen.level === 3);
      const collector = graph.collectors.rowOf.get(id);
      if (collector !== undefined) paintCard(pen, collector);
    }
    for (const id of this.hits ?? []) {
      const nic = graph.nics.rowOf.get(id);
      if (nic !== undefined && pen.level >= 2) paintChip(pen, nic, pen.level === 3);
      const collector = graph.collectors.rowOf.get(id);
      if (collector !== undefined) paintCard(pen, collector);
      const box = graph.boxOf(id);
      if (box) this.#paintRing(pen, box);
    }
    this.#paintNewcomers(pen);
    for (const id of this.inFlight.keys()) {
      const nic = graph.nics.rowOf.get(id);
      if (nic !== undefined) paintInFlight(pen, nic);
    }
    if (this.selection.size) this.#paintSelection(pen, seen);
    if (this.lassoLine.length > 1) {
      ctx.beginPath();
      ctx.moveTo(this.lassoLine[0].x, this.lassoLine[0].y);
      for (const point of this.lassoLine) ctx.lineTo(point.x, point.y);
      ctx.closePath();
      ctx.fillStyle = this.palette.acc;
      ctx.globalAlpha = 0.1;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.strokeStyle = this.palette.acc;
      ctx.lineWidth = 1.5 / pen.k;
      ctx.setLineDash([6 / pen.k, 4 / pen.k]);
      ctx.stroke();
      ctx.setLineDash([]);
    }
  }

  /** @param {Pen} pen @param {Box} box */
  #paintRing(pen, box) {
    const { ctx, palette, k } = pen;
    const by = 6 / k;
    ctx.beginPath();
    ctx.roundRect(box.x - by, box.y - by, box.w + 2 * by, box.h + 2 * by, 10 / k + 4);
    ctx.strokeStyle = palette.acc;
    ctx.lineWidth = 2.5 / k;
    ctx.stroke();
  }

  /** @param {Pen} pen @param {Highlight} highlight @param {Box} seen */
  #paintHighlight(pen, highlight, seen) {
    const graph = /** @type {Graph} */ (this.graph);
    const { ctx, palette, level } = pen;
    for (const pipe of highlight.pipes) if (overlaps(pipe.box, seen)) paintPipe(pen, pipe);
    /** @type {Set<number>} */
    const vnets = new Set();
    for (const pipe of highlight.pipes) {
      vnets.add(pipe.from);
      vnets.add(pipe.to);
    }
    for (const id of vnets) {
      const row = graph.vnets.rowOf.get(id);
      if (row === undefined) continue;
      const box = boxAt(graph.vnets, row);
      ctx.beginPath();
      ctx.roundRect(box.x, box.y, box.w, box.h, 16);
      ctx.strokeStyle = graph.vnets.texts.role[row] === "hub" ? palette.hub : palette.line2;
      ctx.lineWidth = Math.max(1.75, 1 / pen.k);
      ctx.stroke();
    }
    for (const pipe of highlight.pipes) paintPorts(pen, pipe);
    for (const id of highlight.mirrors) {
      const strand = this.routes.strandOfMirror.get(id);
      const row = graph.mirrors.rowOf.get(id);
      if (!strand || row === undefined || !overlaps(strand.box, seen)) continue;
      const isDead = isStill(strand, graph) || isCut(strand, graph);
      ctx.beginPath();
      trace(ctx, pathOf(graph, strand, row));
      ctx.lineCap = ctx.lineJoin = "round";
      if (!isDead) {
        ctx.strokeStyle = palette.flow;
        ctx.globalAlpha = 0.25;
        ctx.lineWidth = Math.max(7, 4 / pen.k);
        ctx.stroke();
        ctx.globalAlpha = 1;
      } else ctx.setLineDash([4, 4]);
      ctx.strokeStyle = isDead ? palette.stale : palette.flow;
      ctx.lineWidth = Math.max(2.4, 1.6 / pen.k);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    for (const id of highlight.collectors) {
      const row = graph.collectors.rowOf.get(id);
      if (row !== undefined) paintCard(pen, row);
    }
    if (level >= 2) {
      for (const id of highlight.nics) {
        const row = graph.nics.rowOf.get(id);
        if (row === undefined || !overlaps({ x: graph.nicX[row], y: graph.nicY[row], w: graph.chipW, h: graph.chipH }, seen)) continue;
        if (level === 3) paintChip(pen, row);
        else paintDots(pen, [row]);
      }
    }
  }

  /** @param {Pen} pen */
  #paintNewcomers(pen) {
    const graph = /** @type {Graph} */ (this.graph);
    const now = this.now();
    for (const [id, since] of this.newcomers) {
      const t = Math.max(0, (now - since) / FADE_MS);
      const box = graph.boxOf(id);
      if (!box) {
        this.newcomers.delete(id);
        continue;
      }
      const row = graph.nics.rowOf.get(id);
      if (t >= 1 && since !== SETTLED) {
        this.newcomers.set(id, SETTLED);
        this.isBaseOld = true;
      }
      if (this.newcomers.get(id) === SETTLED) {
        if (row !== undefined && pen.level === 3) paintChip(pen, row);
        continue;
      }
      pen.ctx.globalAlpha = t;
      if (row !== undefined && pen.level === 3) paintChip(pen, row);
      pen.ctx.globalAlpha = 1 - t;
      this.#paintRing(pen, box);
      pen.ctx.globalAlpha = 1;
    }
    if (this.isBaseOld) this.isDirty = true;
  }

  /** @param {Pen} pen @param {Box} seen */
  #paintSelection(pen, seen) {
    const graph = /** @type {Graph} */ (this.graph);
    const { ctx, palette, level, k } = pen;
    ctx.beginPath();
    for (const id of this.selection) {
      const row = graph.nics.rowOf.get(id);
      if (row === undefined) continue;
      const box = { x: graph.nicX[row], y: graph.nicY[row], w: graph.chipW, h: graph.chipH };
      if (!overlaps(box, seen)) continue;
      if (level === 3) paintSelected(pen, box, 8);
      else {
        const r = level === 2 ? Math.max(10, 4 / k) : Math.max(box.h / 2, 2 / k);
        ctx.beginPath();
        ctx.arc(level === 2 ? box.x + DOT_X : box.x + box.w / 2, box.y + box.h / 2, r, 0, Math.PI * 2);
        ctx.strokeStyle = palette.sel;
        ctx.lineWidth = 1.75 / k;
        ctx.stroke();
      }
    }
  }

  // --- names ----------------------------------------------------------------------------------------------------------

  #paintNames() {
    const graph = /** @type {Graph} */ (this.graph);
    const index = /** @type {SpatialIndex} */ (this.index);
    const ctx = context(this.names);
    ctx.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    ctx.clearRect(0, 0, this.size.w, this.size.h);
    const level = levelOf(this.view.k);
    const seen = visibleBox(this.view, this.size);
    const lit = this.highlight?.nodes ?? this.lit ?? this.hits;
    const alphaOf = (/** @type {number} */ id) => (!lit || lit.has(id) ? 1 : 0.35);
    const pen = { ctx, palette: this.palette, graph, view: this.view, size: this.size, level, alphaOf, traffic: this.traffic };
    for (let row = 0; row < graph.regions.size; row++) if (overlaps(boxAt(graph.regions, row), seen)) paintRegionName(pen, row);
    const cards = Array.from({ length: graph.collectors.size }, (_, row) => row).filter((row) => overlaps(boxAt(graph.collectors, row), seen) && !this.named.has(graph.collectors.numbers.id[row]));
    if (level === 0) {
      this.labels = paintCardPills(pen, cards);
      return;
    }
    const vnets = index.vnetRows(seen);
    for (const row of vnets) {
      paintVnetName(pen, row);
      if (level < 2) continue;
      for (const subnet of graph.subnetsOfVnet.get(graph.vnets.numbers.id[row]) ?? []) {
        if (overlaps(boxAt(graph.subnets, subnet), seen)) paintSubnetName(pen, subnet);
      }
    }
    // Labels may touch a VNet's rim, not what stands in it.
    /** @type {Box[]} */
    const obstacles = [];
    const block = (/** @type {Box} */ box) => obstacles.push(boxToScreen(this.view, this.size, box));
    /** @type {Box[]} */
    const words = [];
    const rim = graph.geometry.vnet_pad - 1;
    for (const row of vnets) {
      const { x, y, w, h } = boxAt(graph.vnets, row);
      block({ x: x + rim, y, w: w - 2 * rim, h: h - rim });
      words.push(boxToScreen(this.view, this.size, { x, y, w, h: graph.geometry.vnet_head }));
      for (const subnet of level < 2 ? [] : (graph.subnetsOfVnet.get(graph.vnets.numbers.id[row]) ?? [])) {
        words.push(boxToScreen(this.view, this.size, { ...boxAt(graph.subnets, subnet), h: graph.geometry.subnet_head }));
      }
    }
    for (let row = 0; row < graph.collectors.size; row++) {
      block(boxAt(graph.collectors, row));
      words.push(boxToScreen(this.view, this.size, boxAt(graph.collectors, row)));
    }
    const pipes = this.isFew ? this.#visiblePipes(seen, level) : level < 2 ? [] : this.#visiblePipes(seen, level).filter((pipe) => pipe.state !== "missing" && (pipe.mirrors > 0 || pipe.state !== "Connected"));
    const far = level < 2 ? paintCardPills(pen, cards) : [];
    for (const { box } of far) obstacles.push(box);
    this.labels = [...far, ...paintPipeLabels(pen, pipes.filter((pipe) => !this.named.has(pipe.id)), this.mirrorsOfPipes, obstacles, words)];
  }
}
