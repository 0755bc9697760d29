// @ts-check
/**
 * The pills at the pipes: what is wrong with a peering first, then what flows through it. Summed per pipe, the largest placed first; painted in CSS
 * px, so always crisp. A pill keeps its width while its figures change, so that nothing jitters.
 */

import { boxAt } from "../store/graph.js";
import { placeLabels } from "../store/labels.js";
import { count, isMute, peeringState, STRAND_LOOKS } from "../store/states.js";
import { magnitude } from "../store/traffic.js";
import { rateParts, rateWords } from "../store/units.js";
import { boxToScreen, toScreen } from "../store/view.js";
import { WORDS_FROM_PX } from "./cards.js";
import { widthOf } from "./text.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/routes.js").Routes} Routes */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/** @typedef {import("./names.js").NamePen} NamePen */
/** @typedef {{lines: string[], glyph: string, color: string, pipe: Pipe, id: number, rank: number, widest: string}} PipeLabel  widest: what its width is made for */
/** @typedef {Map<Pipe, number[]>} MirrorsOfPipe  rows */

/** @param {Routes} routes @returns {MirrorsOfPipe} */
export function mirrorsOfPipes(routes) {
  /** @type {MirrorsOfPipe} */
  const found = new Map();
  for (const strand of routes.strands) {
    if (!strand.pipe) continue;
    const rows = found.get(strand.pipe);
    if (rows) rows.push(...strand.mirrors);
    else found.set(strand.pipe, [...strand.mirrors]);
  }
  return found;
}

/**
 * What flows through a pipe, in words. Where only some of its mirrors are known it says of how many: a part is never shown as the whole.
 *
 * @param {Traffic} traffic @param {number[]} rows of mirrors @returns {{words: string, widest: string, color: string, rate: number}}
 */
export function pipeRate(traffic, rows) {
  const flow = traffic.flowOf(rows);
  const of = flow.known && flow.known < flow.total ? ` · ${flow.known} of ${flow.total}` : "";
  if (flow.known) {
    const { figure, unit } = rateParts(flow.rate, traffic.unit);
    return { words: `${figure} ${unit}${of}`, widest: `${figure.includes(".") ? "0.00" : "000"} ${unit}${of}`, color: flow.look === "flowing" ? "flow" : "pipeln", rate: flow.rate };
  }
  const mirrors = count(flow.total, "mirror");
  const words = { stale: "— no data", unavailable: mirrors, unmeasured: mirrors, flowing: mirrors, quiet: mirrors }[flow.look];
  return { words, widest: words, color: flow.look === "stale" ? "stale" : STRAND_LOOKS[flow.look].color === "ink3" ? "pipeln" : "flow2", rate: -1 };
}

/**
 * The words at a pipe: what is wrong with it first, then how much runs through it.
 *
 * @param {Graph} graph @param {Pipe} pipe @param {Traffic} traffic @param {number[]} rows of its mirrors
 * @returns {PipeLabel | null} null when a quiet pipe has nothing to say
 */
export function pipeLabel(graph, pipe, traffic, rows) {
  const label = { glyph: "", pipe, id: pipe.id, color: "pipeln", rank: pipe.mirrors / 1e6, widest: "" };
  const mirrors = pipe.mirrors ? count(pipe.mirrors, "mirror") : "";
  if (pipe.state === "Connected") {
    const isGlobal = pipe.isGlobal ? " · global" : "";
    if (!rows.length) return isGlobal ? { ...label, lines: ["global"] } : null;
    const { words, widest, color, rate } = pipeRate(traffic, rows);
    // Steps of a quarter of the scale, so that two of about the same size do not change places every second.
    const rank = rate < 0 ? label.rank : 1 + Math.round(magnitude(rate, traffic.unit) * 16) + label.rank;
    return { ...label, color, rank, lines: [words + isGlobal], widest: widest + isGlobal };
  }
  if (pipe.state === "unknown" && !pipe.mirrors && [pipe.from, pipe.to].some((id) => graph.vnets.texts.role[graph.vnets.rowOf.get(id) ?? -1] === "ghost")) {
    return null; // the ghost says it already
  }
  if (pipe.state === "missing") return { ...label, color: "stale", glyph: "?", lines: [`no peering known`, mirrors] };
  const style = peeringState(pipe.state);
  const detail = (pipe.detail && pipe.detail.length <= 48 ? pipe.detail : style.words).replace(/\.$/, "");
  const on = detail.indexOf(" on ");
  const lines = on > 0 && detail.length > 22 ? [detail.slice(0, on), detail.slice(on + 1)] : [detail];
  return { ...label, color: style.color, glyph: style.glyph, lines };
}

/**
 * Far away, where a card has no room for words: what it receives, with its state where that is not well. Those in trouble first, then the largest.
 *
 * @param {NamePen} pen @param {number[]} rows of the collectors in the picture @returns {Array<{box: Box, text: string, id: number}>}
 */
export function paintCardPills(pen, rows) {
  const { ctx, palette, graph, traffic, view, size } = pen;
  ctx.font = `600 11px ${palette.font}`;
  const wishes = [];
  for (const row of rows) {
    const box = boxToScreen(view, size, boxAt(graph.collectors, row));
    if (box.w >= WORDS_FROM_PX) continue;
    const { style, rate, isMeasured } = traffic.cardOf(row);
    if (!isMeasured) continue;
    const isWell = style.key === "ok";
    const words = Number.isFinite(rate) && !isMute(style.key) ? rateWords(rate, traffic.unit) : "— no data";
    const text = isWell ? words : `${style.glyph} ${words}`;
    const w = Math.ceil(widthOf(ctx, text)) + 16;
    const h = 22;
    const at = { x: box.x + box.w / 2, y: box.y + box.h / 2 };
    const off = box.h / 2 + h / 2 + 3;
    const places = [[0, -off], [0, off], [box.w / 2 + w / 2 + 4, 0], [-box.w / 2 - w / 2 - 4, 0]].map(([dx, dy]) => ({
      box: { x: at.x + dx - w / 2, y: at.y + dy - h / 2, w, h }, of: { text, color: isWell ? "flow" : style.color, id: graph.collectors.numbers.id[row] },
    }));
    wishes.push({ rank: (isWell ? 0 : 100) + magnitude(rate, traffic.unit), isNeeded: !isWell, places });
  }
  const placed = placeLabels(wishes, rows.map((row) => boxToScreen(view, size, boxAt(graph.collectors, row))));
  for (const { box, of } of placed) {
    paintPill(pen, box, of.color, pen.alphaOf(of.id));
    ctx.fillStyle = of.color === "flow" ? palette.ink : palette[of.color];
    ctx.fillText(of.text, box.x + box.w / 2, box.y + 15);
    ctx.globalAlpha = 1;
  }
  return placed.map(({ box, of }) => ({ box, text: of.text, id: of.id }));
}

/** @param {NamePen} pen @param {Box} box px @param {string} color @param {number} alpha */
function paintPill({ ctx, palette }, box, color, alpha) {
  ctx.beginPath();
  ctx.roundRect(box.x, box.y, box.w, box.h, Math.min(12, box.h / 2));
  ctx.globalAlpha = 1; // nothing shines through
  ctx.fillStyle = palette.panel;
  ctx.fill();
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = palette[color];
  ctx.lineWidth = 1.25;
  if (color === "stale") ctx.setLineDash([4, 3]);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.textAlign = "center";
}

/**
 * Places and paints the pills of the pipes given.
 *
 * @param {NamePen} pen @param {Pipe[]} pipes @param {MirrorsOfPipe} mirrors @param {Box[]} obstacles px @param {Box[]} words of them what is worst to hide, px
 * @returns {Array<{box: Box, text: string, id: number}>} what is shown, for hit tests and tests
 */
export function paintPipeLabels(pen, pipes, mirrors, obstacles, words) {
  const { ctx, palette, view, size } = pen;
  ctx.font = `600 11px ${palette.font}`;
  const wishes = [];
  for (const pipe of pipes) {
    const label = pipeLabel(pen.graph, pipe, pen.traffic, mirrors.get(pipe) ?? []);
    if (!label) continue;
    const isBad = !["Connected", "unknown", "missing"].includes(pipe.state);
    const first = `${label.glyph ? `${label.glyph} ` : ""}${label.lines[0]}`;
    // One line, all lines, at last the first one alone: the rest stands in the tooltip.
    const shapes = label.lines.length > 1 ? [[[first, ...label.lines.slice(1)].join(" ")], [first, ...label.lines.slice(1)], [first]] : [[first]];
    const places = [];
    for (const lines of shapes) {
      const w = Math.ceil(Math.max(...lines.map((line) => widthOf(ctx, line)), label.widest ? widthOf(ctx, label.widest) : 0)) + (lines.length > 1 ? 12 : 18);
      const h = lines.length * 14 + 8;
      for (const share of [0.5, 0.42, 0.58, 0.34, 0.66, 0.25, 0.75]) {
        const index = 2 * Math.round((pipe.points.length / 2 - 1) * share);
        const at = toScreen(view, size, pipe.points[index], pipe.points[index + 1]);
        const off = (pipe.width / 2) * view.k + h / 2 + 6;
        for (const dy of [-off, off, ...(isBad ? [] : [0])]) places.push({ box: { x: at.x - w / 2, y: at.y + dy - h / 2, w, h }, of: { label, lines } });
      }
    }
    wishes.push({ rank: (isBad ? 1e6 : 0) + label.rank, isNeeded: isBad && pen.view.k >= 0.3, places });
  }
  const placed = placeLabels(wishes, obstacles, words);
  for (const { box, of } of placed) {
    paintPill(pen, box, of.label.color, pen.alphaOf(of.label.id));
    of.lines.forEach((line, index) => {
      ctx.font = `600 11px ${palette.font}`;
      ctx.fillStyle = ["flow", "flow2", "pipeln"].includes(of.label.color) ? palette.ink : palette[of.label.color];
      ctx.fillText(line, box.x + box.w / 2, box.y + 4 + 14 * index + 10.9);
    });
    ctx.globalAlpha = 1;
  }
  return placed.map(({ box, of }) => ({ box, text: of.lines.join(" "), id: of.label.id }));
}
