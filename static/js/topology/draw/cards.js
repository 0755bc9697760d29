// @ts-check
/**
 * A collector's card: who it is, what arrives, how much of its capacity that is, and since when we know. The colour is the state's, which the server
 * judges; the arc and the figure are of the newest frame.
 */

import { boxAt } from "../store/graph.js";
import { COLLECTOR_KINDS, count, isMute, UNACCOUNTED_TAP } from "../store/states.js";
import { ageWords, rateParts, rateWords, roundWords, shareWords } from "../store/units.js";
import { font, px, roundBox } from "./paint.js";
import { shortenName, widthOf } from "./text.js";

/** @typedef {import("./paint.js").Pen} Pen */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {ReturnType<import("../store/traffic.js").Traffic["cardOf"]>} Card */

/** How far the arc goes past the tick of 100 %. */
export const GAUGE_END = 1.3;
/** The bands that health, forecast, map and wall share. */
export const BANDS = [0.75, 0.95];
/** Cards that are narrower on the screen have no room for words. */
export const WORDS_FROM_PX = 90;
const START = Math.PI * 0.75;
const SWEEP = Math.PI * 1.5;
const SPARK = new Float32Array(60);

/** @param {Pen} pen @param {number} row */
export function paintCard(pen, row) {
  const { ctx, palette, graph } = pen;
  const box = boxAt(graph.collectors, row);
  const card = pen.traffic.cardOf(row);
  const color = palette[card.style.color];
  if (pen.level === 0) {
    const r = Math.max(Math.min(box.w, box.h) / 2, px(pen, 9));
    paintGauge(pen, box.x + box.w / 2, box.y + box.h / 2, r, card, "");
    return;
  }
  const isDead = isMute(card.style.key) || card.style.key === "gone" || (card.style.color === "stale" && !Number.isFinite(card.rate));
  roundBox(ctx, box, 12);
  ctx.fillStyle = palette.sub;
  ctx.fill();
  if (isMute(card.style.key) && pen.hatch) {
    ctx.fillStyle = pen.hatch;
    ctx.globalAlpha = 0.55;
    ctx.fill();
    ctx.globalAlpha = 1;
  }
  ctx.strokeStyle = card.isMeasured || card.style.key === "gone" ? color : palette.line2;
  ctx.lineWidth = Math.max(1.5, px(pen, 1));
  if (isDead) ctx.setLineDash([5, 4]);
  ctx.stroke();
  ctx.setLineDash([]);
  if (box.w * pen.k < WORDS_FROM_PX) {
    paintGauge(pen, box.x + box.w / 2, box.y + box.h / 2, Math.min(box.h * 0.38, box.w / 2), card, "");
    return;
  }
  if (box.h < 80 || box.h * pen.k < 88) paintSmall(pen, row, box, card);
  else paintLarge(pen, row, box, card);
}

/** @param {Pen} pen @param {number} row @param {Box} box @param {Card} card */
function paintLarge(pen, row, box, card) {
  const { ctx, palette, graph } = pen;
  const { name, address, kind, partner } = graph.collectors.texts;
  const { mirrors, members, unaccounted } = graph.collectors.numbers;
  const { style, facts, rate, share } = card;
  const isKnown = Number.isFinite(share);
  paintGauge(pen, box.x + 52, box.y + 54, 34, card, isKnown ? shareWords(share) : "");
  if (facts?.capacity_bits_per_s || card.isMeasured) {
    font(pen, 11, 10, 500);
    ctx.fillStyle = palette.ink2;
    ctx.textAlign = "center";
    const of = facts?.capacity_bits_per_s ? `of ${roundWords(facts.capacity_bits_per_s)}` : "capacity";
    ctx.fillText(of, box.x + 52, box.y + 98);
    if (!facts?.capacity_bits_per_s) ctx.fillText("unknown", box.x + 52, box.y + 110);
  }
  const left = box.x + 102;
  const right = box.x + box.w - 12;
  let room = right - left;
  ctx.textAlign = "left";
  if (unaccounted[row]) {
    font(pen, 13, 11, 700);
    ctx.fillStyle = palette[UNACCOUNTED_TAP.color];
    ctx.textAlign = "right";
    ctx.fillText(UNACCOUNTED_TAP.glyph, right, box.y + 25);
    ctx.textAlign = "left";
    room -= 20;
  }
  const line = (/** @type {string} */ text, /** @type {number} */ y, /** @type {string} */ ink, /** @type {number} */ width) => {
    ctx.fillStyle = ink;
    ctx.fillText(shortenName(ctx, text, width), left, y);
  };
  font(pen, 14, 12, 600);
  line(name[row], box.y + 25, palette.ink, room);
  font(pen, 12, 11, 400);
  line([address[row], partner[row] || COLLECTOR_KINDS[kind[row]] || kind[row]].filter(Boolean).join(" · "), box.y + 41, palette.ink2, right - left);

  const isOld = isMute(style.key);
  if (card.isMeasured) paintSpark(pen, row, { x: right - 116, y: box.y + 49, w: 116, h: 32 }, palette[style.color]);
  const { figure, unit } = rateParts(isOld ? NaN : rate, pen.traffic.unit);
  if (card.isMeasured) {
    const isTold = Number.isFinite(rate) && !isOld;
    if (isTold) {
      const told = `${facts?.is_estimate ? "≈ " : ""}${figure}`;
      font(pen, 25, 16, 650);
      ctx.fillStyle = palette.ink;
      ctx.fillText(told, left, box.y + 72);
      const after = left + widthOf(ctx, told) + 6;
      font(pen, 13, 11, 500);
      ctx.fillStyle = palette.ink2;
      ctx.fillText(unit, after, box.y + 72);
    } else {
      font(pen, 16, 12, 600);
      line("— no data", box.y + 69, palette.ink2, right - left);
    }
  } else {
    font(pen, 18, 12, 600);
    line(`${count(mirrors[row], "mirror")}${members[row] ? ` · ${count(members[row], "member")}` : ""}`, box.y + 69, palette.ink, right - left);
  }
  font(pen, 12, 11, 600);
  const words = stateWords(card, pen.traffic.timeOf, false);
  line(`${style.glyph} ${words}`, box.y + 92, isQuiet(card) ? palette.ink2 : palette[style.color], right - left);
  font(pen, 12, 11, 400);
  const last = card.isMeasured ? lastLine(pen, row, card) : "";
  line(last, box.y + 109, palette.ink3, right - left);
}

/** @param {Pen} pen @param {number} row @param {Box} box @param {Card} card */
function paintSmall(pen, row, box, card) {
  const { ctx, palette, graph } = pen;
  const { mirrors, members, unaccounted } = graph.collectors.numbers;
  const { style, rate, share } = card;
  const isFree = box.h < 80; // a collector that is gone or cannot be read
  const isTiny = box.h * pen.k < (isFree ? 34 : 46);
  const gaugeX = box.x + (isFree ? 24 : 32);
  const middle = box.y + box.h / 2;
  paintGauge(pen, gaugeX, middle, isFree ? 13 : Math.min(20, box.h / 3.4), card, "");
  const left = gaugeX + (isFree ? 21 : 30);
  const right = box.x + box.w - 8;
  let room = right - left;
  if (unaccounted[row]) {
    const size = font(pen, 13, 11, 700);
    ctx.fillStyle = palette[UNACCOUNTED_TAP.color];
    ctx.textAlign = "right";
    ctx.fillText(UNACCOUNTED_TAP.glyph, right, middle + size * 0.35);
    room -= widthOf(ctx, UNACCOUNTED_TAP.glyph) + 6;
  }
  ctx.textAlign = "left";
  const line = (/** @type {string} */ text, /** @type {number} */ y, /** @type {string} */ ink) => {
    ctx.fillStyle = ink;
    ctx.fillText(shortenName(ctx, text, room), left, y);
  };
  const figures = `${count(mirrors[row], "mirror")}${members[row] ? ` · ${count(members[row], "member")}` : ""}`;
  const size = font(pen, isTiny ? 13 : 14, 11, 600);
  if (isTiny) {
    line(graph.collectors.texts.name[row], middle + size * 0.35, palette.ink);
    return;
  }
  line(graph.collectors.texts.name[row], middle - size * 0.2, palette.ink);
  font(pen, 12, 11, isQuiet(card) ? 500 : 600);
  if (card.isMeasured) {
    const told = isMute(style.key) ? "— no data" : rateWords(rate, pen.traffic.unit);
    const parts = [told, `${style.glyph} ${style.words}`, Number.isFinite(share) ? shareWords(share) : "", card.facts?.alarm ?? ""].filter(Boolean);
    while (parts.length > 2 && widthOf(ctx, parts.join(" · ")) > room) parts.pop(); // the last ones are written beside it or in its panel, too
    line(parts.join(" · "), middle + size * 1.05, isQuiet(card) ? palette.ink2 : palette[style.color]);
    return;
  }
  const words = { gone: "gone", unknown: mirrors[row] ? "unreadable" : "can't be read" }[style.key];
  line([words, words && !mirrors[row] ? "" : figures].filter(Boolean).join(" · "), middle + size * 1.05, palette.ink2);
}

/** @param {Card} card @returns {boolean} healthy, or nothing to judge: said in plain ink */
function isQuiet({ style }) {
  return ["ok", "none"].includes(style.key);
}

/**
 * @param {Card} card @param {(ms: number) => string} timeOf @param {boolean} [isShareTold] not where a gauge stands beside it
 * @returns {string} the state with what makes it concrete
 */
export function stateWords({ style, facts, share }, timeOf, isShareTold = true) {
  const words = [style.words];
  if (isMute(style.key) && facts?.arrived_ms) words[0] = `no report since ${timeOf(facts.arrived_ms)}`;
  if (style.key === "dropping" && facts?.drops_per_s) words[0] = `dropping ${rateWords(facts.drops_per_s, "packets")}`;
  else if (facts?.drops_per_s) words.push(`${rateWords(facts.drops_per_s, "packets")} dropped`);
  if (isShareTold && Number.isFinite(share) && ["near", "over"].includes(style.key)) words.push(shareWords(share));
  if (facts?.members_missing) words.push(`${facts.members - facts.members_missing} of ${facts.members} members report`);
  if (facts?.alarm) words.push(facts.alarm);
  return words.join(" · ");
}

/** @param {Pen} pen @param {number} row @param {Card} card */
function lastLine(pen, row, { facts }) {
  const { mirrors, members } = pen.graph.collectors.numbers;
  if (facts && (facts.interval_s ?? 1) > 5) {
    return [`${facts.origin} every ${ageWords(facts.interval_s ?? 0)}`, facts.lag_s ? `${ageWords(facts.lag_s)} behind` : "", count(mirrors[row], "mirror")].filter(Boolean).join(" · ");
  }
  return [count(mirrors[row], "mirror"), members[row] ? count(members[row], "member") : ""].filter(Boolean).join(" · ");
}

/**
 * The last minute; holes stay holes.
 *
 * @param {Pen} pen @param {number} row @param {Box} box world @param {string} color @returns {boolean} whether there is anything to draw
 */
function paintSpark(pen, row, box, color) {
  const { ctx, palette, traffic } = pen;
  const values = traffic.rates.sparkOf(pen.graph.collectors.texts.key[row], traffic.unit, SPARK);
  let most = 0;
  let known = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    known++;
    most = Math.max(most, value);
  }
  if (known < 2) return false;
  const step = box.w / (values.length - 1);
  const y = (/** @type {number} */ value) => box.y + box.h - (most ? (value / most) * box.h * 0.92 : 0);
  ctx.beginPath();
  ctx.moveTo(box.x, box.y + box.h);
  ctx.lineTo(box.x + box.w, box.y + box.h);
  ctx.strokeStyle = palette.line2;
  ctx.lineWidth = px(pen, 1);
  ctx.stroke();
  let from = -1;
  for (let at = 0; at <= values.length; at++) {
    const isHole = at === values.length || Number.isNaN(values[at]);
    if (!isHole && from < 0) from = at;
    if (!isHole || from < 0) continue;
    ctx.beginPath();
    for (let i = from; i < at; i++) ctx.lineTo(box.x + i * step, y(values[i]));
    ctx.strokeStyle = color;
    ctx.lineWidth = Math.max(1.25, px(pen, 1.25));
    ctx.lineJoin = "round";
    ctx.stroke();
    ctx.lineTo(box.x + (at - 1) * step, box.y + box.h);
    ctx.lineTo(box.x + from * step, box.y + box.h);
    ctx.closePath();
    ctx.globalAlpha = 0.14;
    ctx.fillStyle = color;
    ctx.fill();
    ctx.globalAlpha = 1;
    from = -1;
  }
  return true;
}

/**
 * An arc from 0 to 130 % of the capacity with a tick at 100 %; an open, dashed ring where the capacity is not known, so that nothing looks like a share.
 *
 * @param {Pen} pen @param {number} x @param {number} y @param {number} r @param {Card} card @param {string} words in its middle
 */
function paintGauge(pen, x, y, r, card, words) {
  const { ctx, palette } = pen;
  const { style, share } = card;
  const color = palette[style.color];
  const width = Math.max(r * 0.2, px(pen, 2.5));
  const at = (/** @type {number} */ value) => START + SWEEP * Math.min(1, value / GAUGE_END);
  ctx.beginPath();
  ctx.arc(x, y, r + width * 0.9, 0, Math.PI * 2);
  ctx.fillStyle = palette.vnet;
  ctx.fill();
  ctx.lineCap = "round";
  ctx.lineWidth = width;
  ctx.beginPath();
  if (Number.isFinite(share) && !isMute(style.key)) {
    ctx.arc(x, y, r, START, START + SWEEP);
    ctx.strokeStyle = palette.line;
    ctx.stroke();
    if (r * pen.k > 16) {
      ctx.lineCap = "butt";
      for (const [from, to, band] of /** @type {Array<[number, number, string]>} */ ([[BANDS[0], BANDS[1], "warn"], [BANDS[1], GAUGE_END, "bad"]])) {
        ctx.beginPath();
        ctx.arc(x, y, r + width * 0.72, at(from), at(to));
        ctx.strokeStyle = palette[band];
        ctx.globalAlpha = 0.55;
        ctx.lineWidth = Math.max(1.25, width * 0.18);
        ctx.stroke();
        ctx.globalAlpha = 1;
      }
    }
    if (share > 0) {
      ctx.lineCap = "round";
      ctx.beginPath();
      ctx.arc(x, y, r, START, Math.max(at(share), START + 0.01));
      ctx.strokeStyle = color;
      ctx.lineWidth = width;
      ctx.stroke();
    }
    const tick = at(1);
    ctx.lineCap = "butt";
    ctx.beginPath();
    ctx.moveTo(x + Math.cos(tick) * (r - width * 0.85), y + Math.sin(tick) * (r - width * 0.85));
    ctx.lineTo(x + Math.cos(tick) * (r + width * 0.95), y + Math.sin(tick) * (r + width * 0.95));
    ctx.strokeStyle = palette.sel;
    ctx.lineWidth = Math.max(1.5, px(pen, 1.5));
    ctx.stroke();
  } else {
    ctx.arc(x, y, r, 0, Math.PI * 2);
    ctx.strokeStyle = card.isMeasured ? color : palette.line2;
    ctx.lineWidth = Math.max(width * 0.35, px(pen, 1.5));
    if (card.isMeasured || style.color === "stale") ctx.setLineDash([r * 0.16, r * 0.16]);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  ctx.lineCap = "butt";
  ctx.textAlign = "center";
  ctx.fillStyle = words ? palette.ink : color;
  ctx.font = `700 ${(words ? r * 0.48 : r * 0.72).toFixed(2)}px ${palette.font}`;
  const glyph = words || (style.key === "none" ? "" : style.glyph);
  if (glyph) ctx.fillText(glyph, x, y + (words ? r * 0.17 : r * 0.26));
  if (!glyph) {
    ctx.beginPath();
    ctx.arc(x, y, r * 0.22, 0, Math.PI * 2);
    ctx.fillStyle = palette.line2;
    ctx.fill();
  }
  ctx.textAlign = "left";
}
