// @ts-check
/**
 * What runs to the collectors: strands near at hand, far away one line for each VNet and collector. Width, and the dots that travel along it, tell
 * the measured rate; a line without a number has no dots and no width, and never looks like one that carries nothing.
 */

import { boxAt, NIC } from "../store/graph.js";
import { piece } from "../store/routes.js";
import { STRAND_LOOKS } from "../store/states.js";
import { magnitude, strandWidth } from "../store/traffic.js";
import { overlaps } from "../store/view.js";
import { px, trace } from "./paint.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").Size} Size */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/routes.js").Routes} Routes */
/** @typedef {import("../store/routes.js").Strand} Strand */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/** @typedef {import("./paint.js").Pen} Pen */
/**
 * @typedef {object} Way  a line that is drawn as one and along which dots travel
 * @property {string} key stays the same while the same thing is meant
 * @property {Float64Array} points world
 * @property {Float64Array} lengths of the line up to each point
 * @property {number[]} mirrors rows
 * @property {number} collector id
 * @property {Strand | null} strand null: the sum of a VNet's mirrors to one collector
 * @property {Pipe | null} pipe
 * @property {Box} box
 * @property {Box[]} covers what it runs behind: no dot is seen there
 */

/** Most dots at once, whatever the estate. */
export const MOST_DOTS = 240;
const SPACING_PX = [120, 26];
const SPEED_PX_S = [34, 150];
const LONGEST_STEP_S = 0.1;
const SPRITE_PX = 14;
const FIGURES_KEPT = 120;

/** @param {Strand} strand @param {Graph} graph @returns {boolean} all its NICs are stale */
export function isStill(strand, graph) {
  const state = graph.nics.numbers.state;
  return strand.nics.every((row) => (state[row] & NIC.stale) !== 0);
}

/** @param {{pipe: Pipe | null, collector: number}} way @param {Graph} graph @returns {boolean} the way itself is broken, or its end is gone */
export function isCut(way, graph) {
  const row = graph.collectors.rowOf.get(way.collector);
  return (way.pipe !== null && way.pipe.state !== "Connected") || (row !== undefined && graph.collectors.texts.state[row] === "gone");
}

/** @param {Float64Array} points @returns {Float64Array} */
function lengthsOf(points) {
  const lengths = new Float64Array(points.length / 2);
  for (let i = 1; i < lengths.length; i++) lengths[i] = lengths[i - 1] + Math.hypot(points[2 * i] - points[2 * i - 2], points[2 * i + 1] - points[2 * i - 1]);
  return lengths;
}

/** @param {Graph} graph @param {Pipe | null} pipe @param {Box} box of the way @returns {Box[]} VNets in front of a pipe that runs behind them */
function coversOf(graph, pipe, box) {
  if (!pipe?.isBehind) return [];
  const { id } = graph.vnets.numbers;
  const rows = Array.from({ length: graph.vnets.size }, (_, row) => row).filter((row) => id[row] !== pipe.from && id[row] !== pipe.to);
  return rows.map((row) => boxAt(graph.vnets, row)).filter((one) => overlaps(one, box));
}

/** @param {Routes} routes @param {Graph} graph @returns {Way[]} one for each strand */
export function nearWays(routes, graph) {
  return routes.strands.map((strand, index) => ({
    key: `${strand.vnet}:${strand.collector}:${strand.nics[0] ?? index}:${index}`, points: strand.trunk, lengths: lengthsOf(strand.trunk),
    mirrors: strand.mirrors, collector: strand.collector, strand, pipe: strand.pipe, box: strand.box,
    covers: coversOf(graph, strand.pipe, strand.box),
  }));
}

/** One for each VNet and collector: through the pipe, then straight to the card. @param {Routes} routes @param {Graph} graph @returns {Way[]} */
export function farWays(routes, graph) {
  /** @type {Map<string, Way>} */
  const ways = new Map();
  for (const strand of routes.strands) {
    const key = `${strand.vnet}:${strand.collector}`;
    const known = ways.get(key);
    if (known) {
      known.mirrors.push(...strand.mirrors);
      continue;
    }
    const points = farLine(strand, graph);
    const xs = points.filter((_, index) => index % 2 === 0);
    const ys = points.filter((_, index) => index % 2 === 1);
    const x = Math.min(...xs);
    const y = Math.min(...ys);
    ways.set(key, {
      key, points, lengths: lengthsOf(points), mirrors: [...strand.mirrors], collector: strand.collector, strand: null, pipe: strand.pipe,
      box: { x, y, w: Math.max(...xs) - x + 1, h: Math.max(...ys) - y + 1 }, covers: [],
    });
  }
  return [...ways.values()];
}

/** @param {Strand} strand @param {Graph} graph */
function farLine(strand, graph) {
  const card = /** @type {Box} */ (graph.boxOf(strand.collector));
  /** The point of the card that is nearest. @param {number} x @param {number} y */
  const endFrom = (x, y) => [Math.min(card.x + card.w, Math.max(card.x, x)), Math.min(card.y + card.h * 0.8, Math.max(card.y + card.h * 0.2, y))];
  const { pipe } = strand;
  if (!pipe || pipe.from !== strand.vnet) {
    const from = strand.trunk;
    return Float64Array.from([from[0], from[1], ...endFrom(from[0], from[1])]);
  }
  const steps = Math.min(12, pipe.points.length / 2 - 1);
  /** @type {number[]} */
  const line = [];
  for (let step = 0; step <= steps; step++) {
    const at = 2 * Math.round((step / steps) * (pipe.points.length / 2 - 1));
    line.push(pipe.points[at], pipe.points[at + 1]);
  }
  return Float64Array.from([...line, ...endFrom(line[line.length - 2], line[line.length - 1])]);
}

/** @param {Pen} pen @param {Way[]} ways that are in the picture */
export function paintWays(pen, ways) {
  const { ctx } = pen;
  ctx.lineCap = ctx.lineJoin = "round";
  for (const way of ways) {
    const strand = way.strand;
    if (!strand) paintFar(pen, way);
    else if (way.pipe?.isBehind) {
      ctx.save();
      ctx.beginPath();
      ctx.rect(way.box.x - 1e4, way.box.y - 1e4, way.box.w + 2e4, way.box.h + 2e4);
      for (const box of way.covers) ctx.rect(box.x, box.y, box.w, box.h);
      ctx.clip("evenodd");
      paintStrand(pen, strand);
      ctx.restore();
    } else paintStrand(pen, strand);
  }
  ctx.globalAlpha = 1;
  ctx.setLineDash([]);
}

/** @param {Pen} pen @param {Way} way */
function paintFar(pen, way) {
  const { ctx, palette, graph, traffic } = pen;
  const flow = traffic.flowOf(way.mirrors);
  const isDead = flow.look !== "flowing" && isCut(way, graph);
  const look = isDead ? STRAND_LOOKS.stale : STRAND_LOOKS[flow.look];
  ctx.beginPath();
  trace(ctx, way.points);
  ctx.strokeStyle = palette[look.color];
  ctx.globalAlpha = look.key === "flowing" ? 0.9 : 0.7;
  ctx.lineWidth = px(pen, look.key === "flowing" ? 1.25 + 3.75 * magnitude(flow.rate, traffic.unit) : 1.1);
  if (look.line === "dashed") ctx.setLineDash([px(pen, 4), px(pen, 4)]);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

/** The width of a strand in the pipe, world units, as it is painted. @param {Strand} strand @param {Traffic} traffic */
export function widthOfStrand(strand, traffic) {
  const flow = traffic.flowOf(strand.mirrors);
  return flow.look === "flowing" ? strandWidth(flow.rate, traffic.unit) : 1.3;
}

/** @param {Pen} pen @param {Strand} strand */
export function paintStrand(pen, strand) {
  const { ctx, palette, graph, traffic } = pen;
  const flow = traffic.flowOf(strand.mirrors);
  const isDead = flow.look !== "flowing" && (isStill(strand, graph) || isCut(strand, graph)); // what is measured does flow, whatever was read of the way
  const look = isDead ? STRAND_LOOKS.stale : STRAND_LOOKS[flow.look];
  const flows = look.key === "flowing";
  const width = flows ? strandWidth(flow.rate, traffic.unit) : 1.3;
  const least = px(pen, 1.1);
  const inside = Math.max(least, flows ? Math.min(3.6, width * 0.75) : width);
  const lanes = strand.pipe?.state === "Disconnected" ? [piece(strand.lane, 0, 0.4), piece(strand.lane, 0.6, 1)] : [strand.lane];
  if (look.line === "dashed") ctx.setLineDash([2.5, 4]);
  const stroke = (/** @type {Float64Array[]} */ lines, /** @type {string} */ color, /** @type {number} */ w, /** @type {number} */ alpha) => {
    ctx.beginPath();
    for (const one of lines) if (one.length) trace(ctx, one);
    ctx.strokeStyle = palette[color];
    ctx.lineWidth = w;
    ctx.globalAlpha = alpha;
    ctx.stroke();
  };
  if (!flows) stroke([strand.way, ...lanes, strand.last, ...strand.stubs], look.color, Math.max(least, width), isDead ? 0.75 : 0.85);
  else {
    const stubs = strand.stubs.filter((_, index) => traffic.rateOf(graph.mirrors.numbers.id[strand.mirrors[index]]) > 0);
    const still = strand.stubs.filter((stub) => !stubs.includes(stub));
    stroke(still, "flow2", Math.max(least, 1.3), 0.8);
    const lane = Math.max(least, width);
    stroke([strand.way, ...stubs], "flow2", inside, 1);
    stroke([...lanes, strand.last], "flow2", lane, 1);
    stroke([strand.way, ...stubs], "flow", Math.max(least * 0.8, inside * 0.5), 0.95);
    stroke([...lanes, strand.last], "flow", Math.max(least * 0.8, lane * 0.5), 0.95);
  }
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

/** @typedef {{way: Way, spacing: number, speed: number, credit: number}} Source */
/** @typedef {{source: Source, s: number, at: number}} Dot */

/** The dots: sprites on a canvas of their own, moved every frame while anything flows and somebody looks. */
export class Dots {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => {view: View, size: Size, palette: import("./palette.js").Palette}} look what the stage shows now
   */
  constructor(canvas, look) {
    this.canvas = canvas;
    this.look = look;
    /** @type {Map<string, Source>} */
    this.sources = new Map();
    /** @type {Dot[]} */
    this.dots = [];
    /** @type {HTMLCanvasElement | null} */
    this.sprite = null;
    this.isHeld = false;
    this.isCalm = false;
    /** None at all, whatever flows. */
    this.isOff = false;
    this.frameId = 0;
    this.last = 0;
    this.drawn = 0;
    /** ms between the last frames, and spent in them. @type {{between: number[], spent: number[]}} */
    this.figures = { between: [], spent: [] };
  }

  /** @param {Size} size CSS px; dots are soft, so device pixels would be wasted on them */
  resize(size) {
    if (this.isOff) size = { w: 0, h: 0 };
    this.canvas.width = size.w;
    this.canvas.height = size.h;
    this.canvas.style.width = `${size.w}px`;
    this.canvas.style.height = `${size.h}px`;
  }

  restyle() {
    this.sprite = null;
  }

  destroy() {
    cancelAnimationFrame(this.frameId);
    this.canvas.width = this.canvas.height = 0;
    this.dots = [];
    this.sources.clear();
  }

  /** Stopped where they are: the feed is old, or a test holds time. @param {boolean} isHeld */
  hold(isHeld) {
    this.isHeld = isHeld;
    this.#wake();
  }

  /** How many there should be where, and how fast. @param {Way[]} ways in the picture @param {Traffic} traffic */
  plan(ways, traffic) {
    if (this.isOff) return;
    const { k } = this.look().view;
    /** @type {Array<{way: Way, m: number, rate: number}>} */
    const flowing = [];
    for (const way of ways) {
      const { rate, look } = traffic.flowOf(way.mirrors);
      if (look === "flowing") flowing.push({ way, m: magnitude(rate, traffic.unit), rate });
    }
    flowing.sort((a, b) => b.rate - a.rate);
    flowing.length = Math.min(flowing.length, MOST_DOTS);
    const blend = (/** @type {number[]} */ [low, high], /** @type {number} */ m) => low * (high / low) ** m;
    const wanted = flowing.reduce((sum, { way, m }) => sum + Math.max(1, (way.lengths[way.lengths.length - 1] * k) / blend(SPACING_PX, m)), 0);
    const stretch = Math.max(1, wanted / MOST_DOTS);
    const before = this.sources;
    this.sources = new Map();
    for (const { way, m } of flowing) {
      const source = before.get(way.key) ?? { way, spacing: Infinity, speed: 0, credit: 0 };
      const spacing = (blend(SPACING_PX, m) * stretch) / k;
      const isNew = source.way.points !== way.points || Math.abs(Math.log2(source.spacing / spacing)) > 0.8;
      source.way = way;
      source.spacing = spacing;
      source.speed = blend(SPEED_PX_S, m) / k;
      this.sources.set(way.key, source);
      if (isNew) this.#fill(source);
    }
    this.dots = this.dots.filter((dot) => this.sources.get(dot.source.way.key) === dot.source);
    if (!flowing.length) this.#clear();
    if (this.isCalm || this.isHeld || document.hidden) this.draw();
    this.#wake();
  }

  /** @param {Source} source gets its dots at once, evenly */
  #fill(source) {
    this.dots = this.dots.filter((dot) => dot.source !== source);
    const length = source.way.lengths[source.way.lengths.length - 1];
    let phase = 0;
    for (const letter of source.way.key) phase = (phase * 31 + letter.charCodeAt(0)) % 997;
    for (let s = (phase / 997) * Math.min(length, source.spacing); s < length && this.dots.length < MOST_DOTS; s += source.spacing) this.dots.push({ source, s, at: 0 });
  }

  get isRunning() {
    return !this.isOff && !this.isHeld && !this.isCalm && !document.hidden && this.sources.size > 0;
  }

  #wake() {
    if (this.frameId || !this.isRunning) return;
    this.last = 0;
    this.frameId = requestAnimationFrame((now) => this.#frame(now));
  }

  /** @param {number} now ms */
  #frame(now) {
    this.frameId = 0;
    if (!this.isRunning) return;
    const started = performance.now();
    const dt = this.last ? Math.min(LONGEST_STEP_S, (now - this.last) / 1000) : 0;
    if (this.last) keep(this.figures.between, now - this.last);
    this.last = now;
    this.#move(dt);
    this.draw();
    keep(this.figures.spent, performance.now() - started);
    this.frameId = requestAnimationFrame((next) => this.#frame(next));
  }

  /** @param {number} dt s */
  #move(dt) {
    let kept = 0;
    for (const dot of this.dots) {
      dot.s += dot.source.speed * dt;
      const { lengths } = dot.source.way;
      if (dot.s >= lengths[lengths.length - 1]) continue;
      this.dots[kept++] = dot;
    }
    this.dots.length = kept;
    for (const source of this.sources.values()) {
      source.credit += (source.speed * dt) / source.spacing;
      if (source.credit < 1) continue;
      source.credit -= Math.floor(source.credit);
      if (this.dots.length < MOST_DOTS) this.dots.push({ source, s: 0, at: 0 });
    }
  }

  #clear() {
    this.canvas.getContext("2d")?.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawn = 0;
  }

  draw() {
    const ctx = this.canvas.getContext("2d");
    if (!ctx || this.isOff) return;
    const { view, size, palette } = this.look();
    this.sprite ??= spriteOf(palette);
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const half = SPRITE_PX / 2;
    const dx = size.w / 2 - view.x * view.k - half;
    const dy = size.h / 2 - view.y * view.k - half;
    this.drawn = 0;
    for (const dot of this.dots) {
      const { points, lengths, covers } = dot.source.way;
      while (dot.at + 2 < lengths.length && lengths[dot.at + 1] < dot.s) dot.at++;
      const t = (dot.s - lengths[dot.at]) / (lengths[dot.at + 1] - lengths[dot.at] || 1);
      const i = 2 * dot.at;
      const wx = points[i] + (points[i + 2] - points[i]) * t;
      const wy = points[i + 1] + (points[i + 3] - points[i + 1]) * t;
      if (covers.length && covers.some((box) => wx > box.x && wx < box.x + box.w && wy > box.y && wy < box.y + box.h)) continue;
      const x = wx * view.k + dx;
      const y = wy * view.k + dy;
      if (x < -SPRITE_PX || y < -SPRITE_PX || x > size.w || y > size.h) continue;
      ctx.drawImage(this.sprite, x, y);
      this.drawn++;
    }
  }

  /** @returns {{dots: number, interval_ms: number, frame_ms: number, isRunning: boolean}} medians of the last two seconds */
  stats() {
    return { dots: this.dots.length, interval_ms: median(this.figures.between), frame_ms: median(this.figures.spent), isRunning: this.frameId !== 0 };
  }
}

/** @param {number[]} list @param {number} value */
function keep(list, value) {
  list.push(value);
  if (list.length > FIGURES_KEPT) list.shift();
}

/** @param {number[]} values @returns {number} 0 for none */
function median(values) {
  return values.length ? [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] : 0;
}

/** @param {import("./palette.js").Palette} palette */
function spriteOf(palette) {
  const sprite = document.createElement("canvas");
  sprite.width = sprite.height = SPRITE_PX;
  const ctx = sprite.getContext("2d");
  if (!ctx) return sprite;
  const middle = SPRITE_PX / 2;
  for (const [radius, alpha, color] of /** @type {Array<[number, number, string]>} */ ([[6.5, 0.14, "flow"], [4.8, 0.3, "flow"], [3.4, 1, "flow"], [2.3, 1, "dot"]])) {
    ctx.beginPath();
    ctx.arc(middle, middle, radius, 0, Math.PI * 2);
    ctx.globalAlpha = alpha;
    ctx.fillStyle = palette[color];
    ctx.fill();
  }
  return sprite;
}
