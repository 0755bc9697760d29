// @ts-check
/** A card with a chart (templates/traffic/chart.html): asks the API for its time, follows live, zooms, and repeats its numbers as a table. */
import { Chart } from "./chart.js";
import { Points } from "./points.js";

/** @typedef {import("./points.js").Answer} Answer */
/** @typedef {import("./points.js").Unit} Unit */
/** @typedef {import("../live/rates.js").Rates} Rates */

const TABLE_ROWS = 300;
const RELOAD_S = 60;
const TRY_AGAIN_MS = 10_000;

export class HistoryCard {
  /**
   * @param {HTMLElement} card
   * @param {(body: any) => Answer} [answerOf] picks the series out of the API's answer
   */
  constructor(card, answerOf = (body) => body) {
    this.card = card;
    this.answerOf = answerOf;
    this.points = new Points();
    this.url = card.dataset.chart ?? "";
    this.key = card.dataset.chartKey ?? "";
    this.length_s = 900;
    /** @type {[number, number] | null} */
    this.zoom = null;
    this.asked = 0;
    this.loadedAt = 0;
    this.isReady = false;
    this.note = "";
    this.chart = new Chart(this.part("[data-chart-place]"), this.points, {
      onZoom: (from_s, to_s) => this.zoomTo(from_s, to_s),
      onCursor: (words) => this.say(words),
    });
    card.addEventListener("click", (event) => this.handleClick(event));
    this.part("[data-chart-place]").addEventListener("keydown", (event) => this.handleKey(event));
    this.part("[data-chart-fold]").addEventListener("toggle", () => this.fill());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") void this.load();
    });
    setInterval(() => this.handleTime(), 1000);
    void this.load();
  }

  /** @param {string} selector @returns {HTMLElement} */
  part(selector) {
    const found = this.card.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`The chart's card lacks ${selector}.`);
    return found;
  }

  async load() {
    const asked = ++this.asked;
    const [from, to] = this.zoom ?? [-this.length_s, 0];
    const query = new URLSearchParams({ from: String(this.zoom ? Math.floor(from) : from) });
    if (this.zoom) query.set("to", String(Math.ceil(to)));
    this.loadedAt = Date.now();
    try {
      const answer = await fetch(`${this.url}?${query}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const body = this.answerOf(await answer.json());
      if (asked !== this.asked) return; // a newer question is under way
      this.points.load(body);
      this.note = body.is_newest_missing ? "The newest minutes could not be read." : "";
      this.show();
    } catch {
      if (asked !== this.asked) return;
      this.loadedAt = Date.now() - 1000 * this.pace() + TRY_AGAIN_MS;
      this.note = "What was measured could not be read just now; it is tried again.";
      this.say("");
    }
  }

  show() {
    this.chart.refresh();
    this.isReady = true;
    this.card.dataset.ready = String(this.points.times.length);
    this.part("[data-chart-out]").hidden = !this.zoom;
    this.say("");
    this.fill();
  }

  /** Seconds between two readings. */
  pace() {
    return Math.max(RELOAD_S, this.points.step_s);
  }

  handleTime() {
    if (document.visibilityState === "visible" && !this.zoom && Date.now() - this.loadedAt > 1000 * this.pace()) void this.load();
  }

  /** One second more, while seconds are shown. @param {Rates} rates @param {string} [key] of the series */
  follow(rates, key = this.key) {
    if (!this.isReady || this.zoom || document.visibilityState !== "visible") return;
    if (this.points.append(rates.unix_s, rates.bitsOf(key), rates.packetsOf(key))) this.chart.refresh();
  }

  /** @param {number} from_s @param {number} to_s */
  zoomTo(from_s, to_s) {
    if (to_s - from_s < 5) return;
    this.zoom = [from_s, to_s];
    void this.load();
  }

  zoomOut() {
    this.zoom = null;
    void this.load();
  }

  /** @param {Event} event */
  handleClick(event) {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    if (button.dataset.range) {
      this.length_s = Number(button.dataset.range);
      this.press(button);
      this.zoomOut();
    } else if (button.dataset.unitSet) {
      this.press(button);
      this.chart.setUnit(button.dataset.unitSet === "packets" ? "packets" : "bits");
      this.say("");
    } else if (button.dataset.chartOut !== undefined) {
      this.zoomOut();
      this.part("[data-chart-place]").focus();
    }
  }

  /** @param {HTMLElement} button the pressed one of its group */
  press(button) {
    for (const one of button.parentElement?.children ?? []) one.setAttribute("aria-pressed", String(one === button));
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    const { points } = this;
    const middle = points.times[this.chart.plot.cursor.idx ?? Math.floor(points.times.length / 2)] ?? points.start_s;
    const length = points.end_s - points.start_s;
    switch (event.key) {
      case "ArrowLeft":
      case "ArrowRight":
        this.chart.moveCursor((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
        break;
      case "+":
        this.zoomTo(middle - length / 4, middle + length / 4);
        break;
      case "-":
      case "0":
        this.zoomOut();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {string} words of the cursor; "": what is shown */
  say(words) {
    const { points } = this;
    const step = points.step_s === 1 ? "a second" : points.step_s < 60 ? `every ${points.step_s} s` : points.step_s === 60 ? "a minute" : points.step_s < 3600 ? `every ${points.step_s / 60} min` : `every ${points.step_s / 3600} h`;
    const holes = points.holes(this.chart.unit).length;
    const shown = !this.chart.isEmpty() ? `One point ${step}; times are UTC.${holes ? " Grey: no data." : ""}` : "Nothing was measured in this time.";
    const text = words || [this.note, points.times.length ? shown : ""].filter(Boolean).join(" ");
    const place = this.part("[data-chart-words]");
    if (place.textContent !== text) place.textContent = text;
  }

  /** The newest numbers as a table, while it is open. */
  fill() {
    const fold = this.part("[data-chart-fold]");
    if (!(fold instanceof HTMLDetailsElement) || !fold.open) return;
    const { points } = this;
    const rows = [];
    for (let at = points.times.length - 1; at >= 0 && rows.length < TABLE_ROWS; at--) {
      const row = document.createElement("tr");
      const words = [new Date((points.times[at] ?? 0) * 1000).toISOString().slice(0, 19).replace("T", " "), points.values.bits[at], points.values.packets[at]];
      words.forEach((value, index) => {
        const cell = document.createElement("td");
        if (index) cell.className = "num";
        cell.textContent = typeof value === "number" ? Math.round(value).toLocaleString("en-GB") : (value ?? "no data");
        row.append(cell);
      });
      rows.push(row);
    }
    this.part("[data-chart-rows]").replaceChildren(...rows);
  }
}
