// @ts-check
/**
 * The label layer: names of regions, VNets and subnets in their heads. Painted in CSS px, so always crisp.
 */

import { boxAt } from "../store/graph.js";
import { count, GHOST, STALE } from "../store/states.js";
import { boxToScreen } from "../store/view.js";
import { LAST_WORD, shorten, shortenName, widthOf } from "./text.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").Size} Size */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
/** @typedef {import("./palette.js").Palette} Palette */
/**
 * @typedef {{ctx: CanvasRenderingContext2D, palette: Palette, graph: Graph, view: View, size: Size, level: 0 | 1 | 2 | 3,
 *   traffic: Traffic, alphaOf: (id: number) => number}} NamePen  alphaOf: 1, less for what a highlight dims
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
  // Above the boxes a name may go on to where the next region begins.
  const room = isAbove ? rightOfRegion(pen, row) : box.x + box.w;
  ctx.fillText(shorten(ctx, graph.regions.texts.name[row], room - x - 4), x, y);
}

/** @param {NamePen} pen @param {number} row @returns {number} px: the left side of the next region in the same line, else of the picture's end */
function rightOfRegion({ graph, view, size }, row) {
  const { regions } = graph;
  const own = boxAt(regions, row);
  let right = Infinity;
  for (let other = 0; other < regions.size; other++) {
    const box = boxAt(regions, other);
    if (other !== row && box.x > own.x && box.y - own.h * 0.1 < own.y && box.y + box.h > own.y) right = Math.min(right, box.x);
  }
  return right === Infinity ? size.w : boxToScreen(view, size, { x: right, y: own.y, w: 0, h: 0 }).x - 6;
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
