// @ts-check
/**
 * How each thing looks. Every function paints with a pen whose context is in world units; px(n) is n CSS pixels in them.
 * Colours come from the palette only; states from store/states.js.
 */

import { boxAt, NIC } from "../store/graph.js";
import { DOT_X, piece } from "../store/routes.js";
import { IN_FLIGHT, NIC_MARKS, nicState, peeringState, SILENT } from "../store/states.js";
import { shortenName, widthOf } from "./text.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/**
 * @typedef {{ctx: CanvasRenderingContext2D, palette: Palette, graph: Graph, k: number, level: 0 | 1 | 2 | 3, hatch: CanvasPattern | null,
 *   traffic: Traffic}} Pen
 */

/** @param {Pen} pen @param {number} px @returns {number} world units */
export function px(pen, px) {
  return px / pen.k;
}

/** @param {Pen} pen @param {number} size world units @param {number} least px @param {number} weight @returns {number} the size in world units */
export function font(pen, size, least, weight) {
  const world = Math.max(size, least / pen.k);
  pen.ctx.font = `${weight} ${world.toFixed(2)}px ${pen.palette.font}`;
  return world;
}

/** @param {CanvasRenderingContext2D} ctx @param {Box} box @param {number} radius */
export function roundBox(ctx, box, radius) {
  ctx.beginPath();
  ctx.roundRect(box.x, box.y, box.w, box.h, Math.min(radius, box.w / 2, box.h / 2));
}

/** @param {CanvasRenderingContext2D} ctx @param {Float64Array} line */
export function trace(ctx, line) {
  ctx.moveTo(line[0], line[1]);
  for (let i = 2; i < line.length; i += 2) ctx.lineTo(line[i], line[i + 1]);
}

/** @param {Palette} palette @returns {HTMLCanvasElement} the tile of the stale hatch */
export function hatchTile(palette) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const ctx = tile.getContext("2d");
  if (ctx) {
    ctx.strokeStyle = palette.stale;
    ctx.globalAlpha = 0.35;
    ctx.lineWidth = 2;
    ctx.beginPath();
    for (const shift of [-8, 0, 8]) {
      ctx.moveTo(shift, 8);
      ctx.lineTo(shift + 8, 0);
    }
    ctx.stroke();
  }
  return tile;
}

/** @param {Pen} pen @param {number} row */
export function paintRegion(pen, row) {
  const { ctx, palette } = pen;
  roundBox(ctx, boxAt(pen.graph.regions, row), 22);
  ctx.globalAlpha = 0.45;
  ctx.fillStyle = palette.panel;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.line;
  ctx.lineWidth = px(pen, 1);
  ctx.stroke();
}

/** @param {Pen} pen @param {number} row */
export function paintVnet(pen, row) {
  const { ctx, palette, graph } = pen;
  const box = boxAt(graph.vnets, row);
  const { mirrored, nics, stale_since } = graph.vnets.numbers;
  const role = graph.vnets.texts.role[row];
  const isStale = stale_since[row] > 0;
  if (role === "hub") {
    const halo = Math.max(5, px(pen, 2));
    roundBox(ctx, { x: box.x - halo, y: box.y - halo, w: box.w + 2 * halo, h: box.h + 2 * halo }, 20);
    ctx.globalAlpha = 0.25;
    ctx.strokeStyle = palette.hub;
    ctx.lineWidth = Math.max(6, px(pen, 2));
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  roundBox(ctx, box, 16);
  ctx.fillStyle = role === "ghost" ? palette.bg : palette.vnet;
  ctx.fill();
  if (pen.level === 0 && nics[row] > 0 && mirrored[row] > 0) {
    ctx.globalAlpha = 0.18 + 0.62 * Math.sqrt(mirrored[row] / nics[row]);
    ctx.fillStyle = palette.flow2;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  if (isStale && pen.level < 3 && pen.hatch) {
    ctx.fillStyle = pen.hatch;
    ctx.globalAlpha = pen.level === 0 ? 0.9 : 0.4;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  ctx.strokeStyle = role === "hub" ? palette.hub : isStale || role === "ghost" ? palette.stale : palette.line2;
  ctx.lineWidth = Math.max(role === "hub" ? 1.75 : 1.25, px(pen, 1));
  if (isStale || role === "ghost") ctx.setLineDash([5, 4].map((dash) => Math.max(dash, px(pen, 3))));
  ctx.stroke();
  ctx.setLineDash([]);
}

/** @param {Pen} pen @param {number} row */
export function paintSubnet(pen, row) {
  const { ctx, palette, graph } = pen;
  const box = boxAt(graph.subnets, row);
  roundBox(ctx, box, 10);
  ctx.fillStyle = palette.sub;
  ctx.fill();
  const { mirrored, nics } = graph.subnets.numbers;
  if (pen.level === 1 && mirrored[row] > 0) {
    ctx.globalAlpha = 0.15 + 0.55 * Math.sqrt(mirrored[row] / Math.max(1, nics[row]));
    ctx.fillStyle = palette.flow2;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  ctx.strokeStyle = palette.line;
  ctx.lineWidth = Math.max(1, px(pen, 1));
  ctx.stroke();
}

/** NIC dots of one subnet, batched by state. @param {Pen} pen @param {number[]} rows */
export function paintDots(pen, rows) {
  const { ctx, palette, graph } = pen;
  const state = graph.nics.numbers.state;
  const r = Math.max(6, px(pen, 2.4));
  /** @type {Map<string, number[]>} */
  const byLook = new Map();
  for (const row of rows) {
    const bits = state[row];
    const look = bits & NIC.stale ? "stale" : nicState(bits).key;
    const list = byLook.get(look);
    if (list) list.push(row);
    else byLook.set(look, [row]);
  }
  for (const [look, list] of byLook) {
    ctx.beginPath();
    for (const row of list) {
      const x = graph.nicX[row] + DOT_X;
      const y = graph.nicY[row] + graph.chipH / 2;
      ctx.moveTo(x + r, y);
      ctx.arc(x, y, r, 0, Math.PI * 2);
    }
    ctx.lineWidth = Math.max(1.5, px(pen, 1));
    if (look === "mirrored" || look === "member") {
      ctx.fillStyle = look === "mirrored" ? palette.flow : palette.hub;
      ctx.fill();
    } else {
      ctx.strokeStyle = look === "stale" ? palette.stale : palette.ink3;
      if (look === "stale") ctx.setLineDash([3, 3]);
      ctx.stroke();
      ctx.setLineDash([]);
    }
  }
}

/** Where a chip's name begins. */
const CHIP_TEXT_X = 23;

/** @param {Pen} pen @param {number} row @param {boolean} [withName] */
export function paintChip(pen, row, withName = true) {
  const { ctx, palette, graph } = pen;
  const bits = graph.nics.numbers.state[row];
  const style = nicState(bits);
  const x = graph.nicX[row];
  const y = graph.nicY[row];
  const box = { x, y, w: graph.chipW, h: graph.chipH };
  const isStale = (bits & NIC.stale) !== 0;
  roundBox(ctx, box, 8);
  ctx.fillStyle = palette.chip;
  ctx.fill();
  if (isStale && pen.hatch) {
    ctx.fillStyle = pen.hatch;
    ctx.fill();
  }
  ctx.strokeStyle = isStale ? palette.stale : bits & NIC.not_succeeded ? palette.warn : bits & NIC.mirrored ? palette.flow : bits & NIC.member ? palette.hub : palette.chipln;
  ctx.lineWidth = 1.25;
  if (isStale || bits & NIC.no_vm) ctx.setLineDash([3, 2.5]);
  ctx.stroke();
  ctx.setLineDash([]);

  const dotX = x + DOT_X;
  const middle = y + box.h / 2;
  const color = palette[isStale ? "stale" : style.color];
  ctx.fillStyle = ctx.strokeStyle = color;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  if (style.key === "member" || style.key === "private_endpoint") {
    ctx.moveTo(dotX, middle - 5.5);
    ctx.lineTo(dotX + 5.5, middle);
    ctx.lineTo(dotX, middle + 5.5);
    ctx.lineTo(dotX - 5.5, middle);
    ctx.closePath();
  } else if (style.key === "no_vm") {
    ctx.moveTo(dotX - 4.5, middle);
    ctx.lineTo(dotX + 4.5, middle);
  } else {
    ctx.arc(dotX, middle, 4.5, 0, Math.PI * 2);
  }
  if (style.key === "mirrored" || style.key === "member") ctx.fill();
  else ctx.stroke();

  if (!withName) return;
  const marks = NIC_MARKS.filter((mark) => bits & mark.bit);
  const size = font(pen, Math.min(12.5, px(pen, 17)), 11, 500);
  let right = x + box.w - 6;
  for (const mark of marks) {
    ctx.font = `700 ${Math.min(size, 11)}px ${palette.font}`;
    ctx.fillStyle = palette[mark.color];
    ctx.textAlign = "right";
    ctx.fillText(mark.glyph, right, middle + size * 0.35);
    right -= widthOf(ctx, mark.glyph) + 3;
  }
  font(pen, Math.min(12.5, px(pen, 17)), 11, 500);
  ctx.textAlign = "left";
  ctx.fillStyle = isStale || bits & NIC.no_vm ? palette.ink2 : palette.ink;
  ctx.fillText(shortenName(ctx, graph.nics.texts.name[row], right - x - CHIP_TEXT_X), x + CHIP_TEXT_X, middle + size * 0.35);
}

/** @param {Pen} pen @param {Pipe} pipe @param {boolean} [isThin] a line instead of a pipe: far away, or one of very many */
export function paintPipe(pen, pipe, isThin = pen.level < 2) {
  const { ctx, palette } = pen;
  const style = peeringState(pipe.state);
  ctx.lineCap = "butt";
  ctx.lineJoin = "round";
  const alpha = pipe.isBehind && !pipe.mirrors ? 0.45 : 1;
  ctx.globalAlpha = alpha;
  if (isThin) {
    const isQuiet = style.line === "solid";
    ctx.beginPath();
    trace(ctx, pipe.points);
    ctx.strokeStyle = isQuiet ? palette.pipeln : palette[style.color];
    ctx.globalAlpha = alpha * (pipe.state === "missing" ? 0.35 : 0.75);
    ctx.lineWidth = px(pen, pipe.mirrors ? Math.min(5, 1.25 + 0.6 * Math.log2(pipe.mirrors + 1)) : 1);
    if (!isQuiet) ctx.setLineDash([px(pen, 5), px(pen, 4)]);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    return;
  }
  if (pipe.state === "missing") {
    ctx.beginPath();
    trace(ctx, pipe.points);
    ctx.strokeStyle = palette.stale;
    ctx.lineWidth = Math.max(1, px(pen, 1));
    ctx.setLineDash([2, 6]);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    return;
  }
  const isSolid = style.line === "solid";
  const parts = style.line === "broken" ? [piece(pipe.points, 0, 0.4), piece(pipe.points, 0.6, 1)]
    : style.line === "half" ? [pipe.a === pipe.from ? piece(pipe.points, 0, 0.55) : piece(pipe.points, 0.45, 1)]
    : [pipe.points];
  const rim = Math.max(1.5, px(pen, 1));
  for (const part of parts) {
    ctx.beginPath();
    trace(ctx, part);
    ctx.strokeStyle = isSolid ? palette.pipeln : palette[style.color];
    ctx.lineWidth = pipe.width + 2 * rim;
    if (!isSolid) ctx.setLineDash(style.line === "dotted" ? [2, 5] : [7, 5]);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.strokeStyle = palette.pipe;
    ctx.lineWidth = pipe.width;
    ctx.stroke();
    if (pipe.isGlobal) {
      ctx.strokeStyle = palette.pipeln;
      ctx.lineWidth = rim * 0.8;
      ctx.globalAlpha = alpha * 0.8;
      ctx.setLineDash([10, 6]);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.globalAlpha = alpha;
    }
  }
  if (style.line === "half") {
    ctx.beginPath();
    trace(ctx, pipe.a === pipe.from ? piece(pipe.points, 0.55, 1) : piece(pipe.points, 0, 0.45));
    ctx.strokeStyle = palette[style.color];
    ctx.lineWidth = rim;
    ctx.setLineDash([3, 6]);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  ctx.globalAlpha = 1;
  if (style.line === "broken") paintBreak(pen, pipe);
}

/** Two torn ends and a cross between them. @param {Pen} pen @param {Pipe} pipe */
function paintBreak(pen, pipe) {
  const { ctx, palette } = pen;
  const n = pipe.points.length / 2 - 1;
  const at = (/** @type {number} */ share) => {
    const i = 2 * Math.round(share * n);
    return { x: pipe.points[i], y: pipe.points[i + 1] };
  };
  ctx.strokeStyle = palette.bad;
  ctx.lineWidth = Math.max(1.75, px(pen, 1.25));
  for (const [end, towards] of [[0.4, 1], [0.6, -1]]) {
    const here = at(end);
    const next = at(end + 0.04);
    const length = Math.hypot(next.x - here.x, next.y - here.y) || 1;
    const tx = (next.x - here.x) / length;
    const ty = (next.y - here.y) / length;
    const half = pipe.width / 2 + 2;
    ctx.beginPath();
    for (let step = 0; step <= 6; step++) {
      const across = -half + (step / 6) * 2 * half;
      const jut = (step % 2 ? 4 : 0) * towards;
      const x = here.x + tx * jut - ty * across;
      const y = here.y + ty * jut + tx * across;
      if (step) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
    }
    ctx.stroke();
  }
  const middle = at(0.5);
  const arm = Math.max(5, px(pen, 4));
  ctx.lineWidth = Math.max(2.25, px(pen, 1.5));
  ctx.beginPath();
  ctx.moveTo(middle.x - arm, middle.y - arm);
  ctx.lineTo(middle.x + arm, middle.y + arm);
  ctx.moveTo(middle.x + arm, middle.y - arm);
  ctx.lineTo(middle.x - arm, middle.y + arm);
  ctx.stroke();
}

/** The sockets where a pipe meets its VNets, over the boxes. @param {Pen} pen @param {Pipe} pipe */
export function paintPorts(pen, pipe) {
  if (pen.level < 2) return;
  const { ctx, palette } = pen;
  const style = peeringState(pipe.state);
  for (const port of [pipe.start, pipe.end]) {
    const isSide = port.side === "left" || port.side === "right";
    const long = pipe.width + 8;
    const box = isSide ? { x: port.x - 3.5, y: port.y - long / 2, w: 7, h: long } : { x: port.x - long / 2, y: port.y - 3.5, w: long, h: 7 };
    roundBox(ctx, box, 3.5);
    ctx.fillStyle = palette.pipe;
    ctx.fill();
    ctx.strokeStyle = style.line === "solid" ? palette.pipeln : palette[style.color];
    ctx.lineWidth = Math.max(1.25, px(pen, 1));
    ctx.stroke();
  }
}

/** A ring round a NIC that a running change writes to, with its glyph on the upper left corner; far away the ring alone. @param {Pen} pen @param {number} row */
export function paintInFlight(pen, row) {
  const { ctx, palette, graph } = pen;
  const box = { x: graph.nicX[row], y: graph.nicY[row], w: graph.chipW, h: graph.chipH };
  ctx.strokeStyle = palette[IN_FLIGHT.color];
  ctx.lineWidth = Math.max(1.75, px(pen, 1.5));
  ctx.setLineDash([px(pen, 4), px(pen, 3)]);
  roundBox(ctx, { x: box.x - 3, y: box.y - 3, w: box.w + 6, h: box.h + 6 }, 10);
  ctx.stroke();
  ctx.setLineDash([]);
  if (pen.level < 3) return;
  const size = font(pen, 13, 11, 700);
  ctx.beginPath();
  ctx.arc(box.x, box.y, size * 0.7, 0, Math.PI * 2);
  ctx.fillStyle = palette.panel;
  ctx.fill();
  ctx.stroke();
  ctx.fillStyle = palette[IN_FLIGHT.color];
  ctx.textAlign = "center";
  ctx.fillText(IN_FLIGHT.glyph, box.x, box.y + size * 0.36);
  ctx.textAlign = "left";
}

/** A badge on the upper right corner of a NIC that is mirrored and of which nothing arrives; far away a ring. @param {Pen} pen @param {number} row */
export function paintSilent(pen, row) {
  const { ctx, palette, graph } = pen;
  const color = palette[SILENT.color];
  ctx.strokeStyle = color;
  ctx.lineWidth = Math.max(1.5, px(pen, 1.25));
  ctx.beginPath();
  if (pen.level < 3) {
    ctx.setLineDash([px(pen, 3), px(pen, 2)]);
    ctx.arc(graph.nicX[row] + DOT_X, graph.nicY[row] + graph.chipH / 2, Math.max(9, px(pen, 4.5)), 0, Math.PI * 2);
    ctx.stroke();
    ctx.setLineDash([]);
    return;
  }
  const size = font(pen, 11, 10, 700);
  const x = graph.nicX[row] + graph.chipW - 3;
  const y = graph.nicY[row] + 2;
  ctx.arc(x, y, size * 0.68, 0, Math.PI * 2);
  ctx.fillStyle = palette.panel;
  ctx.fill();
  ctx.stroke();
  ctx.fillStyle = color;
  ctx.textAlign = "center";
  ctx.fillText(SILENT.glyph, x, y + size * 0.36);
  ctx.textAlign = "left";
}

/** @param {Pen} pen @param {Box} box @param {number} radius a selected or focused node's outline */
export function paintSelected(pen, box, radius) {
  const { ctx, palette } = pen;
  roundBox(ctx, box, radius);
  ctx.strokeStyle = palette.sel;
  ctx.lineWidth = Math.max(2, px(pen, 1.5));
  ctx.stroke();
  if (pen.level < 3) return;
  roundBox(ctx, { x: box.x - 4, y: box.y - 4, w: box.w + 8, h: box.h + 8 }, radius + 3);
  ctx.globalAlpha = 0.4;
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 3]);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}
