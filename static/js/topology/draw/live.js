// @ts-check
/**
 * The live layer: strands, collectors' cards and marks of silent NICs on a bitmap a little larger than the window, and the dots above it.
 *
 * It is painted again when a number changed (once a second), and like the base moved by CSS while the view moves.
 */

import { boxAt } from "../store/graph.js";
import { levelOf, overlaps, visibleBox } from "../store/view.js";
import { paintCard } from "./cards.js";
import { Dots, farWays, nearWays, paintWays } from "./flow.js";
import { paintSilent } from "./paint.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/types.js").Size} Size */
/** @typedef {import("../store/routes.js").Routes} Routes */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/** @typedef {import("./flow.js").Way} Way */
/** @typedef {import("./paint.js").Pen} Pen */

const MOST_MARGIN = 0.2;

export class LiveLayer {
  /**
   * @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} dots
   * @param {() => {view: View, size: Size, palette: import("./palette.js").Palette}} look what the stage shows now
   * @param {number} margin how much larger than the window the bitmap is, a share on each side
   */
  constructor(canvas, dots, look, margin) {
    this.canvas = canvas;
    this.dots = new Dots(dots, look);
    this.look = look;
    this.margin = Math.min(MOST_MARGIN, margin);
    /** @type {View} */
    this.view = { x: 0, y: 0, k: 1 };
    /** @type {Size} */
    this.size = { w: 0, h: 0 };
    this.isOld = true;
    this.isPainted = false;
    /** @type {{near: Way[], far: Way[] | null}} */
    this.ways = { near: [], far: null };
    /** @type {Routes | null} */
    this.routes = null;
    this.figures = { live_ms: 0, live_paints: 0, ways: 0 };
  }

  destroy() {
    this.dots.destroy();
    this.canvas.width = this.canvas.height = 0;
    this.ways = { near: [], far: null };
    this.routes = null;
  }

  /** Forgets what it painted. */
  clear() {
    this.routes = null;
    this.ways = { near: [], far: null };
    this.isPainted = false;
    this.canvas.width = this.canvas.height = 0;
  }

  /** @param {Routes} routes @param {Graph} graph */
  setRoutes(routes, graph) {
    this.routes = routes;
    this.ways = { near: nearWays(routes, graph), far: null };
    this.isOld = true;
  }

  /** @returns {number} px between the window's edge and the bitmap's; negative: it does not cover the window */
  spare() {
    const { view, size } = this.look();
    const half = { w: ((this.size.w / this.view.k) * view.k) / 2, h: ((this.size.h / this.view.k) * view.k) / 2 };
    return Math.min(half.w - Math.abs(view.x - this.view.x) * view.k - size.w / 2, half.h - Math.abs(view.y - this.view.y) * view.k - size.h / 2);
  }

  /** @returns {boolean} whether what is shown is of another zoom or does not cover the window */
  isWorn() {
    return !this.isPainted || this.look().view.k !== this.view.k || this.spare() < 0;
  }

  /** @param {Graph} graph @returns {Way[]} what is drawn at this zoom */
  waysAt(graph, /** @type {number} */ k) {
    if (levelOf(k) >= 2) return this.ways.near;
    return (this.ways.far ??= this.routes ? farWays(this.routes, graph) : []);
  }

  /**
   * @param {(ctx: CanvasRenderingContext2D, view: View, size: Size) => Pen} penOf @param {number} dpr
   * @param {(seen: Box, level: 0 | 1 | 2 | 3) => Set<Pipe>} pipesIn the pipes that the base draws there: no lane without its pipe
   */
  paint(penOf, dpr, pipesIn) {
    const ctx = this.canvas.getContext("2d");
    if (!ctx) return;
    const started = performance.now();
    const { view, size } = this.look();
    this.view = { ...view };
    this.size = { w: Math.ceil(size.w * (1 + 2 * this.margin)), h: Math.ceil(size.h * (1 + 2 * this.margin)) };
    const w = Math.round(this.size.w * dpr);
    const h = Math.round(this.size.h * dpr);
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.width = `${this.size.w}px`;
      this.canvas.style.height = `${this.size.h}px`;
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, w, h);
    const pen = penOf(ctx, this.view, this.size);
    const { graph, traffic } = pen;
    const seen = visibleBox(this.view, this.size);
    const pipes = pen.level >= 2 ? pipesIn(seen, pen.level) : null;
    // Far away a way without a known peering is not drawn: thousands of them would hide what runs as it should.
    const isDrawn = (/** @type {Way} */ way) => !way.pipe || (pipes ? pipes.has(way.pipe) : way.pipe.state !== "missing");
    const ways = this.waysAt(graph, this.view.k).filter((way) => overlaps(way.box, seen) && isDrawn(way));
    paintWays(pen, ways);
    if (pen.level >= 2) {
      for (const id of traffic.silent.keys()) {
        const row = graph.nics.rowOf.get(id);
        if (row !== undefined && overlaps({ x: graph.nicX[row], y: graph.nicY[row], w: graph.chipW, h: graph.chipH }, seen)) paintSilent(pen, row);
      }
    }
    for (let row = 0; row < graph.collectors.size; row++) if (overlaps(boxAt(graph.collectors, row), seen)) paintCard(pen, row);
    this.dots.plan(ways, traffic);
    this.isOld = false;
    this.isPainted = true;
    this.figures = { live_ms: performance.now() - started, live_paints: this.figures.live_paints + 1, ways: ways.length };
  }

  /** Moves the bitmap to where the view is. @param {number} dpr @param {number} opacity */
  place(dpr, opacity) {
    const { view, size } = this.look();
    const scale = view.k / this.view.k;
    const snap = (/** @type {number} */ value) => (scale === 1 ? Math.round(value * dpr) / dpr : value);
    const x = snap((this.view.x - view.x) * view.k + size.w / 2 - (this.size.w * scale) / 2);
    const y = snap((this.view.y - view.y) * view.k + size.h / 2 - (this.size.h * scale) / 2);
    this.canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.canvas.style.opacity = this.dots.canvas.style.opacity = String(opacity);
    if (!this.dots.isRunning) this.dots.draw();
  }
}
