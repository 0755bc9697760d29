// @ts-check
/**
 * The label layer: names of regions, VNets and subnets in their heads, and pills at the pipes. Painted in CSS px, so always crisp.
 */

import { boxAt } from "../store/graph.js";
import { placeLabels } from "../store/labels.js";
import { count, GHOST, peeringState, STALE } from "../store/states.js";
import { boxToScreen, toScreen } from "../store/view.js";
import { LAST_WORD, shorten, shortenName, widthOf } from "./text.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").Size} Size */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("./palette.js").Palette} Palette */
/**
 * @typedef {{ctx: CanvasRenderingContext2D, palette: Palette, graph: Graph, view: View, size: Size, level: 0 | 1 | 2 | 3,
 *   alphaOf: (id: number) => number}} NamePen  alphaOf: 1, less for what a highlight dims
 */

/** @param {string} iso @returns {string} "12:03 UTC" */
export function clock(iso) {
  return `${iso.slice(11, 16)} UTC`;
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** @param {number} k @returns {number} px */
function regionNameSize(k) {
  return clamp(16 * k, 12, 18);
}

/** Whether there is no room for a region's name in its head. @param {Graph} graph @param {number} k */
export function areRegionNamesAbove(graph, k) {
  return (graph.geometry.region_head ?? 40) * k < regionNameSize(k) + 10;
}

/** @param {NamePen} pen @param {number} row */
export function paintRegionName(pen, row) {
  const { ctx, palette, graph } = pen;
  const box = boxToScreen(pen.view, pen.size, boxAt(graph.regions, row));
  const size = regionNameSize(pen.view.k);
  ctx.font = `600 ${size}px ${palette.font}`;
  ctx.fillStyle = palette.ink2;
  ctx.textAlign = "left";
  const head = (graph.geometry.region_head ?? 40) * pen.view.k;
  const isAbove = areRegionNamesAbove(graph, pen.view.k);
  const x = Math.max(box.x + (isAbove ? 2 : 20 * pen.view.k + 4), 14);
  const y = isAbove ? box.y - 4 : Math.max(box.y + head / 2 + size * 0.36, 22);
  if (!isAbove && y > box.y + head) return;
  ctx.fillText(shorten(ctx, graph.regions.texts.name[row], box.x + box.w - x - 4), x, y);
}

/** @param {NamePen} pen @param {number} row */
export function paintVnetName(pen, row) {
  const { ctx, palette, graph, view } = pen;
  const { k } = view;
  const box = boxToScreen(view, pen.size, boxAt(graph.vnets, row));
  if (box.w < 80) return;
  const id = graph.vnets.numbers.id[row];
  const role = graph.vnets.texts.role[row];
  const staleSince = graph.vnets.numbers.stale_since[row];
  const head = graph.geometry.vnet_head * k;
  const pad = pen.level === 1 ? 6 : clamp(15 * k, 7, 20);
  const size = pen.level === 1 ? 11 : clamp(15 * k, 12, 20);
  const small = clamp(12 * k, 11, 16);
  ctx.globalAlpha = pen.alphaOf(id);
  ctx.textAlign = "left";

  const words = [];
  if (staleSince > 0) words.push(`${STALE.glyph} ${STALE.words} since ${clock(new Date(staleSince * 1000).toISOString())}`);
  let room = box.w - 2 * pad;
  const hasTwoLines = head >= size + small + 5;
  const first = box.y + head * 0.47;
  const second = box.y + head * 0.87;
  if (words.length && pen.level >= 2) {
    ctx.font = `600 ${small}px ${palette.font}`;
    const note = shorten(ctx, words.join(" · "), box.w * 0.6);
    ctx.fillStyle = palette.stale;
    ctx.textAlign = "right";
    ctx.fillText(note, box.x + box.w - pad, box.y + (hasTwoLines ? head * 0.47 : head / 2 + small * 0.36));
    room -= widthOf(ctx, note) + 10;
    ctx.textAlign = "left";
  }

  ctx.font = `600 ${size}px ${palette.font}`;
  const name = shortenName(ctx, graph.vnets.texts.name[row], room, LAST_WORD);
  if (!name) {
    ctx.globalAlpha = 1;
    return;
  }
  if (pen.level === 1) {
    const width = widthOf(ctx, name);
    const y = box.y + Math.max(head / 2, size * 0.9);
    ctx.fillStyle = palette.vnet;
    ctx.globalAlpha *= 0.86;
    ctx.beginPath();
    ctx.roundRect(box.x + pad - 5, y - size * 0.75, width + 10, size * 1.5, 5);
    ctx.fill();
    ctx.globalAlpha = pen.alphaOf(id);
    ctx.fillStyle = palette.ink;
    ctx.fillText(name, box.x + pad, y + size * 0.36);
    ctx.globalAlpha = 1;
    return;
  }
  ctx.fillStyle = role === "ghost" ? palette.ink2 : palette.ink;
  ctx.fillText(name, box.x + pad, hasTwoLines ? first : box.y + head / 2 + size * 0.36);
  if (hasTwoLines) {
    ctx.font = `400 ${small}px ${palette.font}`;
    ctx.fillStyle = palette.ink3;
    const prefix = graph.vnets.texts.prefix[row];
    const facts = [role === "ghost" ? `${GHOST.glyph} ${prefix || GHOST.words}` : prefix];
    if (role === "hub") facts.push("hub", count(graph.peeringsOfVnet.get(id)?.length ?? 0, "peering"));
    ctx.fillText(shorten(ctx, facts.filter(Boolean).join(" · "), box.w - 2 * pad), box.x + pad, second);
  }
  ctx.globalAlpha = 1;
}

/** @param {NamePen} pen @param {number} row */
export function paintSubnetName(pen, row) {
  const { ctx, palette, graph, view } = pen;
  const { k } = view;
  const box = boxToScreen(view, pen.size, boxAt(graph.subnets, row));
  if (box.w < 60 || k < 0.45) return;
  const { nics, mirrored, vnet } = graph.subnets.numbers;
  const head = graph.geometry.subnet_head * k;
  const size = clamp(12 * k, 11, 16);
  const small = clamp(11 * k, 11, 14);
  const pad = clamp(12 * k, 6, 16);
  const y = box.y + head / 2 + size * 0.38;
  ctx.globalAlpha = pen.alphaOf(vnet[row]);
  ctx.font = `500 ${size}px ${palette.font}`;
  const name = graph.subnets.texts.name[row];
  const shown = shorten(ctx, name, box.w - 2 * pad);
  ctx.textAlign = "left";
  ctx.fillStyle = palette.ink2;
  ctx.fillText(shown, box.x + pad, y);
  let room = box.w - 2 * pad - widthOf(ctx, shown) - 12;
  ctx.font = `400 ${small}px ${palette.font}`;
  ctx.fillStyle = palette.ink3;
  ctx.textAlign = "right";
  const long = `${count(nics[row], "NIC")} · ${mirrored[row]} mirrored`;
  for (const text of [long, count(nics[row], "NIC")]) {
    if (widthOf(ctx, text) > room) continue;
    ctx.fillText(text, box.x + box.w - pad, y);
    room = 0;
    break;
  }
  ctx.globalAlpha = 1;
}

/** @typedef {{lines: string[], glyph: string, color: string, pipe: Pipe, id: number}} PipeLabel */

/**
 * The words at a pipe: what is wrong with it first, then how much runs through it.
 *
 * @param {Graph} graph @param {Pipe} pipe @returns {PipeLabel | null} null when a quiet pipe has nothing to say
 */
export function pipeLabel(graph, pipe) {
  const label = { glyph: "", pipe, id: pipe.id, color: "pipeln" };
  const mirrors = pipe.mirrors ? count(pipe.mirrors, "mirror") : "";
  if (pipe.state === "Connected") {
    const words = [mirrors, pipe.isGlobal ? "global" : ""].filter(Boolean).join(" · ");
    return words ? { ...label, color: pipe.mirrors ? "flow" : "pipeln", lines: [words] } : null;
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
 * Places and paints the pills of the pipes given.
 *
 * @param {NamePen} pen @param {Pipe[]} pipes @param {Box[]} obstacles px @param {Box[]} words of them what is worst to hide, px
 * @returns {Array<{box: Box, text: string, id: number}>} what is shown, for hit tests and tests
 */
export function paintPipeLabels(pen, pipes, obstacles, words) {
  const { ctx, palette, view, size } = pen;
  ctx.font = `600 11px ${palette.font}`;
  const wishes = [];
  for (const pipe of pipes) {
    const label = pipeLabel(pen.graph, pipe);
    if (!label) continue;
    const isBad = !["Connected", "unknown", "missing"].includes(pipe.state);
    const first = `${label.glyph ? `${label.glyph} ` : ""}${label.lines[0]}`;
    // One line, all lines, at last the first one alone: the rest stands in the tooltip.
    const shapes = label.lines.length > 1 ? [[[first, ...label.lines.slice(1)].join(" ")], [first, ...label.lines.slice(1)], [first]] : [[first]];
    const places = [];
    for (const lines of shapes) {
      const w = Math.max(...lines.map((line) => widthOf(ctx, line))) + (lines.length > 1 ? 12 : 16);
      const h = lines.length * 14 + 8;
      for (const share of [0.5, 0.42, 0.58, 0.34, 0.66, 0.25, 0.75]) {
        const index = 2 * Math.round((pipe.points.length / 2 - 1) * share);
        const at = toScreen(view, size, pipe.points[index], pipe.points[index + 1]);
        const off = (pipe.width / 2) * view.k + h / 2 + 6;
        for (const dy of [-off, off, ...(isBad ? [] : [0])]) places.push({ box: { x: at.x - w / 2, y: at.y + dy - h / 2, w, h }, of: { label, lines } });
      }
    }
    wishes.push({ rank: (isBad ? 1e6 : 0) + pipe.mirrors, isNeeded: isBad && pen.view.k >= 0.3, places });
  }
  const placed = placeLabels(wishes, obstacles, words);
  for (const { box, of } of placed) {
    ctx.globalAlpha = pen.alphaOf(of.label.id);
    ctx.beginPath();
    ctx.roundRect(box.x, box.y, box.w, box.h, Math.min(12, box.h / 2));
    ctx.save();
    ctx.globalAlpha = 1; // nothing shines through
    ctx.fillStyle = palette.panel;
    ctx.fill();
    ctx.restore();
    ctx.strokeStyle = palette[of.label.color];
    ctx.lineWidth = 1.25;
    if (of.label.color === "stale") ctx.setLineDash([4, 3]);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.textAlign = "center";
    of.lines.forEach((line, index) => {
      ctx.font = `600 11px ${palette.font}`;
      ctx.fillStyle = ["flow", "pipeln"].includes(of.label.color) ? palette.ink : palette[of.label.color];
      ctx.fillText(line, box.x + box.w / 2, box.y + 4 + 14 * index + 10.9);
    });
    ctx.globalAlpha = 1;
  }
  return placed.map(({ box, of }) => ({ box, text: of.lines.join(" "), id: of.label.id }));
}
