// @ts-check
/**
 * One uPlot chart of a rate over time, made once and kept for the page's life: data, unit, theme and size go into the same instance. Drag zooms, the
 * cursor tells its value, arrow keys move it. Holes are hatched.
 */
import uPlot from "uplot";
import { rateWords } from "../topology/store/units.js";

/** @typedef {import("./points.js").Points} Points */
/** @typedef {import("./points.js").Unit} Unit */

const HEIGHT = 300;

/** @param {string} name of a custom property @returns {string} */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /**
   * @param {HTMLElement} place
   * @param {Points} points
   * @param {{onZoom: (from_s: number, to_s: number) => void, onCursor: (words: string) => void}} handlers
   */
  constructor(place, points, { onZoom, onCursor }) {
    this.place = place;
    this.points = points;
    /** @type {Unit} */
    this.unit = "bits";
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: () => colour("--ink3"), font, grid: { stroke: () => colour("--line"), width: 1 }, ticks: { stroke: () => colour("--line2"), width: 1 } };
    this.plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "UTC"),
        cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { size: 7, fill: () => colour("--flow") } },
        scales: { x: { time: true }, y: { range: (_, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        axes: [
          { ...axis, values: "{HH}:{mm}", space: 70, size: 36 },
          { ...axis, size: 84, values: (_, splits) => splits.map((value) => (this.isEmpty() ? "" : rateWords(value, this.unit))) },
        ],
        series: [{}, { stroke: () => colour("--flow"), fill: () => `${colour("--flow")}22`, width: 1.5, spanGaps: false, points: { show: false } }],
        hooks: {
          drawClear: [(plot) => this.#hatch(plot)],
          setSelect: [
            (plot) => {
              if (plot.select.width < 4) return;
              const from = plot.posToVal(plot.select.left, "x");
              const to = plot.posToVal(plot.select.left + plot.select.width, "x");
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              onZoom(from, to);
            },
          ],
          setCursor: [(plot) => onCursor(this.wordsAt(plot.cursor.idx ?? null))],
        },
      },
      points.data(this.unit),
      place,
    );
    this.resizer = new ResizeObserver(() => this.plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }));
    this.resizer.observe(place);
    this.themes = new MutationObserver(() => this.plot.redraw(false));
    this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.plot.redraw(false));
  }

  /** Whether nothing was measured in this time. */
  isEmpty() {
    return this.points.values[this.unit].every((value) => value === null);
  }

  /** The points have changed. */
  refresh() {
    const [times] = this.points.data(this.unit);
    const step = this.points.step_s;
    this.plot.axes.forEach((axis, index) => {
      if (index === 0) axis.values = (_, splits) => splits.map((value) => timeWords(value, times.length * step));
    });
    this.plot.setData(this.points.data(this.unit));
  }

  /** @param {Unit} unit */
  setUnit(unit) {
    this.unit = unit;
    this.refresh();
  }

  /** @param {number} by points; from the newest one where there is no cursor yet */
  moveCursor(by) {
    const count = this.points.times.length;
    const at = Math.min(count - 1, Math.max(0, (this.plot.cursor.idx ?? count) + by));
    const time = this.points.times[at];
    const value = this.points.values[this.unit][at];
    if (time === undefined) return;
    this.plot.setCursor({ left: this.plot.valToPos(time, "x"), top: this.plot.valToPos(value ?? 0, "y") });
  }

  /** @param {number | null} index @returns {string} "14:03:12 UTC: 8.74 Gb/s" */
  wordsAt(index) {
    const time = index === null ? undefined : this.points.times[index];
    if (index === null || time === undefined) return "";
    const value = this.points.values[this.unit][index] ?? null;
    const at = new Date(time * 1000).toISOString();
    const words = this.points.step_s < 60 ? at.slice(11, 19) : `${at.slice(0, 10)} ${at.slice(11, 16)}`;
    return `${words} UTC: ${value === null ? "no data" : rateWords(value, this.unit)}`;
  }

  /** @param {uPlot} plot */
  #hatch(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("--tint-stale");
    for (const [from, to] of this.points.holes(this.unit)) {
      const left = plot.valToPos(from, "x", true);
      ctx.fillRect(left, bbox.top, Math.max(1, plot.valToPos(to, "x", true) - left), bbox.height);
    }
    ctx.restore();
  }

  destroy() {
    this.resizer.disconnect();
    this.themes.disconnect();
    this.plot.destroy();
  }
}

/** @param {number} unix_s @param {number} length_s of what is shown @returns {string} */
export function timeWords(unix_s, length_s) {
  const at = new Date(unix_s * 1000).toISOString();
  if (length_s > 2 * 86_400) return `${at.slice(8, 10)}.${at.slice(5, 7)}. ${at.slice(11, 16)}`;
  return length_s > 1200 ? at.slice(11, 16) : at.slice(11, 19);
}
