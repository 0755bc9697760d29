// @ts-check
/**
 * What a wall's map says in large: collectors and pipes that are not well, and sources of which nothing arrives. Pure: no canvas, no clock.
 *
 * Rule 1: what is broken is the biggest thing; what is well gets no mark. Rule 2: every percentage says of what, every "no report" since how long.
 * Rule 3: what nobody judges now is no fault: it gets no mark, and no look of health either (the map draws it grey).
 */

import { boxAt } from "../../topology/store/graph.js";
import { placeLabels } from "../../topology/store/labels.js";
import { count, isMute, peeringState, SILENT } from "../../topology/store/states.js";
import { ageWords, rateWords, roundWords, shareWords } from "../../topology/store/units.js";
import { boxToScreen, overlaps } from "../../topology/store/view.js";
import { shortName } from "./words.js";

/** @typedef {import("../../topology/store/graph.js").Graph} Graph */
/** @typedef {import("../../topology/store/types.js").Box} Box */
/** @typedef {import("../../topology/store/types.js").View} View */
/** @typedef {import("../../topology/store/types.js").Size} Size */
/** @typedef {import("../../topology/store/routes.js").Pipe} Pipe */
/** @typedef {import("../../topology/store/traffic.js").Traffic} Traffic */
/** @typedef {"collector" | "pipe" | "silent"} MarkKind */
/**
 * @typedef {object} Mark
 * @property {string} key stays the same while the same thing is meant
 * @property {MarkKind} kind
 * @property {number} id node id: collector, peering, VNet of the silent sources
 * @property {number} rank 5 broken, 3 worse than it should be, 1 worth knowing
 * @property {string} color a custom property of tokens.css, without the dashes
 * @property {string} glyph
 * @property {string} name
 * @property {string} words
 * @property {string} figure what arrives: "2.30 Gb/s", "— no data"; "" where nothing is counted
 * @property {Box} box world: a card, the middle of a pipe, a VNet
 */
/** @typedef {"large" | "middle" | "small"} MarkSize */
/**
 * @typedef {{mark: Mark, size: MarkSize, ring: Box, isFrame: boolean, label: Box | null, isInside: boolean}} PlacedMark  px of the host;
 *   isFrame: a frame round a card, not a disc; isInside: the label stands in the frame, instead of the card's own words */
/** @typedef {(text: string, units: number, weight: number) => number} Measure  px */

/** state of a collector → rank; what is not here is well, or nobody's fault. @type {Readonly<Record<string, number>>} */
const RANKS = Object.freeze({ gone: 5, dropping: 5, over: 5, stale: 5, silent: 5, empty: 4, degraded: 4, near: 3 });
const BROKEN_FROM = 4;
/** Diameters and type, in units of the wall. @type {Readonly<Record<MarkSize, {ring: number, glyph: number, name: number, words: number}>>} */
export const SIZES = Object.freeze({
  large: { ring: 76, glyph: 40, name: 30, words: 22 }, middle: { ring: 56, glyph: 30, name: 22, words: 20 }, small: { ring: 34, glyph: 20, name: 20, words: 20 },
});
/** So many are named on a map that fills a screen; the rest keep their rings. */
export const MOST_NAMED = 8;
export const MOST_MARKS = 40;
/** A card at least so wide on the screen gets a frame; a smaller one is covered by a disc. */
const FRAME_FROM_UNITS = 130;
const EDGE_UNITS = 6;

/**
 * The worst first; of equal ones those with more mirrors.
 *
 * @param {Graph} graph @param {Traffic} traffic @param {readonly Pipe[]} pipes @param {number} now_ms server's time, unix ms
 * @param {(id: number) => number} lostOf of a collector, which share of its packets is dropped; NaN when it is not known
 * @returns {Mark[]}
 */
export function marksOf(graph, traffic, pipes, now_ms, lostOf) {
  const marks = [...collectorMarks(graph, traffic, now_ms, lostOf), ...pipeMarks(graph, pipes), ...silentMarks(graph, traffic)];
  return marks.sort((a, b) => b.mark.rank - a.mark.rank || b.weight - a.weight || (a.mark.key < b.mark.key ? -1 : 1)).slice(0, MOST_MARKS).map(({ mark }) => mark);
}

/** @param {Mark} mark @returns {boolean} not only worse than it should be */
export function isBroken(mark) {
  return mark.rank >= BROKEN_FROM;
}

/** @param {Graph} graph @param {Traffic} traffic @param {number} now_ms @param {(id: number) => number} lostOf @returns {Array<{mark: Mark, weight: number}>} */
function collectorMarks(graph, traffic, now_ms, lostOf) {
  const found = [];
  for (let row = 0; row < graph.collectors.size; row++) {
    const card = traffic.cardOf(row);
    const rank = RANKS[card.style.key];
    if (rank === undefined) continue;
    const id = graph.collectors.numbers.id[row];
    const { style, facts, share } = card;
    const words = [style.words];
    if (isMute(style.key)) words[0] = facts?.arrived_ms ? `no report for ${ageWords((now_ms - facts.arrived_ms) / 1000)}` : "no report";
    if (style.key === "dropping" && lostOf(id) > 0) words[0] = `dropping ${finely(lostOf(id))} of packets`;
    else if (style.key === "dropping" && facts?.drops_per_s) words[0] = `dropping ${rateWords(facts.drops_per_s, "packets")}`;
    if ((style.key === "near" || style.key === "over") && Number.isFinite(share) && facts?.capacity_bits_per_s) words[0] = `${shareWords(share)} of ${roundWords(facts.capacity_bits_per_s)}`;
    if (facts?.members_missing) words[style.key === "degraded" ? 0 : 1] = `${facts.members - facts.members_missing} of ${facts.members} members report`;
    if (facts?.alarm) words.push(facts.alarm);
    /** @type {Mark} */
    const mark = { key: `c${id}`, kind: "collector", id, rank, color: style.color, glyph: style.glyph, name: graph.collectors.texts.name[row], words: words.filter(Boolean).join(" · "), figure: figureOf(traffic, card), box: boxAt(graph.collectors, row) };
    found.push({ mark, weight: graph.collectors.numbers.mirrors[row] });
  }
  return found;
}

/** @param {number} share 0.021 @returns {string} "2.1 %" */
function finely(share) {
  return share < 0.1 && share >= 0.001 ? `${(share * 100).toFixed(1)} %` : shareWords(share);
}

/** @param {Traffic} traffic @param {ReturnType<Traffic["cardOf"]>} card @returns {string} */
function figureOf(traffic, { style, rate, isMeasured, facts }) {
  if (!isMeasured) return "";
  return Number.isFinite(rate) && !isMute(style.key) ? `${facts?.is_estimate ? "≈ " : ""}${rateWords(rate, traffic.unit)}` : "— no data";
}

/** @param {Graph} graph @param {readonly Pipe[]} pipes @returns {Array<{mark: Mark, weight: number}>} those that carry mirrors and are not whole */
function pipeMarks(graph, pipes) {
  const found = [];
  for (const pipe of pipes) {
    if (!pipe.id || !pipe.mirrors || ["Connected", "unknown", "missing"].includes(pipe.state)) continue;
    const style = peeringState(pipe.state);
    if (style.color === "stale") continue;
    const at = 2 * Math.round((pipe.points.length / 2 - 1) / 2);
    /** @type {Mark} */
    const mark = {
      key: `p${pipe.id}`, kind: "pipe", id: pipe.id, rank: style.color === "bad" ? 5 : 3, color: style.color, glyph: style.glyph,
      name: `${graph.nameOf(pipe.from)} ↔ ${graph.nameOf(pipe.to)}`, words: `Peering ${style.words.toLowerCase()} · ${count(pipe.mirrors, "mirror")}`, figure: "",
      box: { x: pipe.points[at], y: pipe.points[at + 1], w: 0, h: 0 },
    };
    found.push({ mark, weight: pipe.mirrors });
  }
  return found;
}

/** @param {Graph} graph @param {Traffic} traffic @returns {Array<{mark: Mark, weight: number}>} one for each VNet */
function silentMarks(graph, traffic) {
  /** @type {Map<number, number[]>} */
  const nicsOf = new Map();
  for (const id of traffic.silent.keys()) {
    const row = graph.nics.rowOf.get(id);
    const vnet = row === undefined ? 0 : graph.vnetIdOfNic(row);
    if (row !== undefined && vnet) nicsOf.set(vnet, [...(nicsOf.get(vnet) ?? []), row]);
  }
  const found = [];
  for (const [vnet, rows] of nicsOf) {
    const vnetRow = graph.vnets.rowOf.get(vnet);
    if (vnetRow === undefined) continue;
    const name = rows.length === 1 ? graph.nics.texts.name[rows[0] ?? 0] : count(rows.length, "source");
    /** @type {Mark} */
    const mark = { key: `s${vnet}`, kind: "silent", id: vnet, rank: 2, color: SILENT.color, glyph: SILENT.glyph, name, words: rows.length === 1 ? "sends nothing" : "send nothing", figure: "", box: boxAt(graph.vnets, vnetRow) };
    found.push({ mark, weight: rows.length });
  }
  return found;
}

/** @param {Mark} mark @param {number} place among all @returns {MarkSize} */
function sizeOf(mark, place) {
  if (isBroken(mark)) return place < MOST_NAMED ? "large" : "small";
  return mark.rank === 3 && place < MOST_NAMED ? "middle" : "small";
}

/**
 * Where they stand. Marks that are not in the picture are left out; a name stands where it hides no other mark, else the ring stands alone.
 *
 * @param {readonly Mark[]} marks the worst first @param {View} view @param {Size} size the stage's @param {number} zoom px of the host for one of the stage
 * @param {number} unit px of one unit of the wall @param {Measure} measure @param {readonly Box[]} cards world
 * @returns {PlacedMark[]}
 */
export function placeMarks(marks, view, size, zoom, unit, measure, cards) {
  const area = { w: size.w * zoom, h: size.h * zoom };
  const onHost = (/** @type {Box} */ box) => {
    const at = boxToScreen(view, size, box);
    return { x: at.x * zoom, y: at.y * zoom, w: at.w * zoom, h: at.h * zoom };
  };
  /** @type {PlacedMark[]} */
  const placed = [];
  marks.forEach((mark, place) => {
    const on = onHost(mark.box);
    const middle = { x: on.x + on.w / 2, y: on.y + on.h / 2 };
    if (middle.x < 0 || middle.y < 0 || middle.x > area.w || middle.y > area.h) return;
    let markSize = sizeOf(mark, place);
    if (mark.kind === "collector" && on.w >= FRAME_FROM_UNITS * unit) {
      const by = EDGE_UNITS * unit;
      const ring = { x: on.x - by, y: on.y - by, w: on.w + 2 * by, h: on.h + 2 * by };
      const isInside = hasRoomFor(mark, markSize, on, unit, measure);
      placed.push({ mark, size: markSize, ring, isFrame: true, label: isInside ? on : null, isInside });
      return;
    }
    const at = mark.kind === "silent" ? { x: on.x + on.w, y: on.y } : middle;
    const ringOf = (/** @type {MarkSize} */ one, /** @type {{x: number, y: number}} */ { x, y }) => {
      const d = SIZES[one].ring * unit;
      const clamp = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(value, d / 2), Math.max(d / 2, most - d / 2));
      return { x: clamp(x, area.w) - d / 2, y: clamp(y, area.h) - d / 2, w: d, h: d };
    };
    let ring = ringOf(markSize, at);
    if (placed.some((other) => overlaps(other.ring, ring))) {
      markSize = "small";
      ring = ringOf(markSize, at);
      const under = placed.find((other) => overlaps(other.ring, ring));
      if (under) ring = ringOf(markSize, beside(under.ring, at, SIZES.small.ring * unit));
    }
    placed.push({ mark, size: markSize, ring, isFrame: false, label: null, isInside: false });
  });
  const wishes = placed.slice(0, MOST_NAMED).filter((one) => !one.isInside).map((one, place) => ({ rank: 100 - place, isNeeded: isBroken(one.mark), places: placesOf(one, area, unit, measure).map((box) => ({ box, of: one })) }));
  const rings = placed.map((one) => one.ring);
  for (const { box, of } of placeLabels(wishes, [...rings, ...cards.map(onHost)], rings)) of.label = box;
  return placed;
}

/** Just outside of a ring, on the side where the point is. @param {Box} ring @param {{x: number, y: number}} at @param {number} d diameter of what comes there */
function beside(ring, at, d) {
  const middle = { x: ring.x + ring.w / 2, y: ring.y + ring.h / 2 };
  const dx = at.x - middle.x;
  const dy = at.y - middle.y;
  const far = Math.hypot(dx, dy);
  const reach = Math.max(ring.w, ring.h) / 2 + d * 0.6;
  return far < 1 ? { x: middle.x + reach, y: middle.y } : { x: middle.x + (dx / far) * reach, y: middle.y + (dy / far) * reach };
}

/** @param {Mark} mark @param {MarkSize} size @param {Box} card px @param {number} unit @param {Measure} measure @returns {boolean} its words fit into the card */
function hasRoomFor(mark, size, card, unit, measure) {
  const type = SIZES[size];
  const w = Math.max(measure(shortName(mark.name), type.name, 650) + (type.glyph + 10) * unit, measure(mark.words, type.words, 500)) + 28 * unit;
  return w <= card.w && (type.name * 1.2 + type.words * 2.6 + 8) * unit <= card.h;
}

/** @param {PlacedMark} one @param {Size} area @param {number} unit @param {Measure} measure @returns {Box[]} from best to worst, all inside the area */
function placesOf({ mark, size, ring, isFrame }, area, unit, measure) {
  const type = SIZES[size];
  const isLine = mark.kind === "silent";
  const name = measure(shortName(mark.name), type.name, 650);
  const words = measure(mark.words, type.words, 500);
  const glyph = isFrame ? (type.glyph + 10) * unit : 0;
  const w = Math.ceil((isLine ? name + words + 8 * unit : Math.max(name + glyph, words)) + 28 * unit);
  const h = Math.ceil((isLine ? type.words * 1.3 : type.name * 1.2 + type.words * 1.3) * unit + 14 * unit);
  if (w > area.w || h > area.h) return [];
  const gap = 6 * unit;
  const x = ring.x + ring.w / 2;
  const y = ring.y + ring.h / 2;
  const spots = [
    [x - w / 2, ring.y + ring.h + gap], [x - w / 2, ring.y - h - gap], [ring.x + ring.w + gap, y - h / 2], [ring.x - w - gap, y - h / 2],
    [ring.x, ring.y + ring.h + gap], [ring.x + ring.w - w, ring.y + ring.h + gap], [ring.x, ring.y - h - gap], [ring.x + ring.w - w, ring.y - h - gap],
    [ring.x + ring.w + gap, ring.y - h], [ring.x + ring.w + gap, ring.y + ring.h], [ring.x - w - gap, ring.y - h], [ring.x - w - gap, ring.y + ring.h],
  ];
  return spots.map(([left = 0, top = 0]) => ({ x: Math.min(Math.max(left, 0), area.w - w), y: Math.min(Math.max(top, 0), area.h - h), w, h }));
}
