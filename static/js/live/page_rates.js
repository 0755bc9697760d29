// @ts-check
/**
 * Live rates for pages without a map: frames of the page's own socket (ui/live.js) into the store of rates, and from there into every element with
 * `data-rate="KEY" data-unit="bits|packets"` and every canvas with `data-spark="KEY"`. What is not known keeps what the server wrote last.
 */
import { decodeFrame } from "../topology/wire/frames.js";
import { rateWords } from "../topology/store/units.js";
import { drawSpark } from "../charts/spark.js";
import { Rates, SPARK_S } from "./rates.js";

const SEEDED = 30; // sparklines that begin with the minute before

/**
 * @param {Document} page
 * @param {{onFrame?: (rates: Rates) => void}} [handlers]
 * @returns {Rates}
 */
export function startPageRates(page, { onFrame } = {}) {
  const rates = new Rates();
  const spark = new Float32Array(SPARK_S);
  /** The minute before the page was opened, by series, for sparklines. @type {Map<string, {start_s: number, values: (number | null)[]}>} */
  const before = new Map();
  let isAsking = false;

  const seed = async () => {
    const canvases = [...page.querySelectorAll("canvas[data-spark]")].slice(0, SEEDED);
    for (const canvas of canvases) {
      const key = (canvas instanceof HTMLElement && canvas.dataset.spark) || "";
      try {
        const answer = await fetch(`/api/v1/collectors/${key}/series?from=-${SPARK_S}&step_s=1`);
        if (!answer.ok) continue;
        const { start_at, step_s, bits_per_s } = await answer.json();
        if (step_s === 1) before.set(key, { start_s: Math.round(Date.parse(start_at) / 1000), values: bits_per_s });
      } catch {
        return; // the server is not reachable: the line grows with the frames
      }
    }
  };

  /** The last minute of a series: the frames, and before them what the server knew. @param {string} key @param {number} now_s */
  const minuteOf = (key, now_s) => {
    const values = rates.sparkOf(key, "bits", spark);
    const old = before.get(key);
    if (!old) return values;
    for (let place = 0; place < SPARK_S; place++) {
      const known = old.values[Math.floor(now_s) - (SPARK_S - 1 - place) - old.start_s];
      if (Number.isNaN(values[place]) && known !== null && known !== undefined) values[place] = known;
    }
    return values;
  };

  /** The order of the series, without the picture that it belongs to. */
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const answer = await fetch("/api/v1/topology/series", { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const { series_revision, series } = await answer.json();
      rates.setSeries(series_revision, series);
    } catch {
      // Not reachable now: frames go on being foreign, and it is asked again.
    } finally {
      isAsking = false;
    }
  };

  const paint = () => {
    if (page.visibilityState !== "visible") return;
    for (const element of page.querySelectorAll("[data-rate]")) {
      if (!(element instanceof HTMLElement)) continue;
      const key = element.dataset.rate ?? "";
      const unit = element.dataset.unit === "packets" ? "packets" : "bits";
      const value = unit === "packets" ? rates.packetsOf(key) : rates.bitsOf(key);
      const words = value === null ? null : rateWords(value, unit);
      if (words !== null && element.textContent !== words) element.textContent = words;
    }
    for (const canvas of page.querySelectorAll("canvas[data-spark]")) {
      if (canvas instanceof HTMLCanvasElement) drawSpark(canvas, minuteOf(canvas.dataset.spark ?? "", rates.unix_s));
    }
  };

  const words = page.getElementById("rates-words");
  const say = () => {
    if (!words) return;
    const state = rates.state();
    const since = rates.staleSince();
    const text = state === "live" ? "" : state === "none" || since === null ? "" : `Live numbers stopped at ${new Date(since).toISOString().slice(11, 19)} UTC`;
    if (words.textContent !== text) words.textContent = text;
  };

  page.addEventListener("vtap:frame", (event) => {
    const frame = decodeFrame(/** @type {CustomEvent<ArrayBuffer>} */ (event).detail);
    if (!frame) return;
    if (!rates.take(frame)) {
      if (rates.series_revision === null || rates.isSnapshotOld) void ask();
      return;
    }
    paint();
    onFrame?.(rates);
  });
  page.addEventListener("vtap:live", (event) => rates.setLine(/** @type {CustomEvent<{state: string}>} */ (event).detail.state === "live"));
  page.addEventListener("htmx:afterSettle", paint);
  setInterval(say, 1000);
  void ask();
  void seed();
  return rates;
}
