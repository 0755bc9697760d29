// @ts-check
/**
 * The live part of the side panel: of a collector what arrives, of how much that is, its last minute and who sends most; of a NIC what its mirrors
 * carry. The server's panel leaves the place, `data-map-live="<node id>"`; the elements are made once and then only their words change.
 */

import { drawSpark } from "../../charts/spark.js";
import { isMute, SILENT, STRAND_LOOKS } from "../store/states.js";
import { ageWords, rateParts, rateWords, roundWords, shareWords } from "../store/units.js";
import { GAUGE_END, stateWords } from "./cards.js";
import { make } from "./chrome.js";

/** @typedef {import("../store/traffic.js").Traffic} Traffic */

const MOST_TALKERS = 8;
const SPARK = new Float32Array(60);

/** @param {Element} element @param {string} words only touched when they differ: screen readers and selections stay as they are */
function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export class LivePanel {
  /** @param {Traffic} traffic */
  constructor(traffic) {
    this.traffic = traffic;
  }

  /** Brings the place in the panel up to date, if there is one. @param {HTMLElement} panel */
  show(panel) {
    const place = panel.querySelector("[data-map-live]");
    const graph = this.traffic.graph;
    if (!(place instanceof HTMLElement) || !graph) return;
    panel.dataset.rates = this.traffic.isStopped ? "stale" : "live";
    const id = Number(place.dataset.mapLive);
    const row = graph.collectors.rowOf.get(id);
    if (row !== undefined) this.#collector(place, row, id);
    else this.#mirrors(place, id);
  }

  /** @param {HTMLElement} place @param {number} row @param {number} id */
  #collector(place, row, id) {
    const { traffic } = this;
    const graph = /** @type {import("../store/graph.js").Graph} */ (traffic.graph);
    const card = traffic.cardOf(row);
    const part = this.#parts(place, () => {
      const figure = make("div", "map-live__figure", make("b", ""), make("span", "muted"));
      const state = make("div", "map-live__state");
      state.dataset.test = "live-state";
      const tick = make("div", "map-live__tick", make("span", "", "100 %"));
      tick.style.left = `${(100 / GAUGE_END).toFixed(1)}%`;
      const bar = make("div", "map-live__bar", make("div", "map-live__fill"), tick);
      const spark = make("canvas", "");
      spark.setAttribute("aria-hidden", "true");
      const list = make("div", "map-live__talkers");
      list.dataset.test = "talkers";
      return [figure, bar, state, make("p", "small muted map-live__words"), make("div", "label map-live__spark-label", "Last minute"), spark, make("div", "label row row--between map-live__talk-label", make("span", "", "Top talkers"), make("span", "")), list];
    });
    const isStale = isMute(card.style.key);
    const { figure, unit } = rateParts(isStale ? NaN : card.rate, traffic.unit);
    const capacity = card.facts?.capacity_bits_per_s ?? null;
    put(part("b"), card.isMeasured ? `${card.facts?.is_estimate && unit ? "≈ " : ""}${figure}` : "—");
    const of = Number.isFinite(card.share) && capacity ? ` in · ${shareWords(card.share)} of ${roundWords(capacity)} on the wire` : capacity || !card.isMeasured ? " in" : " in · capacity unknown, so it is not judged";
    put(part(".map-live__figure > span"), unit ? unit + of : card.isMeasured ? "no data" : card.style.key === "away" ? card.style.words : "no live numbers yet");
    const bar = /** @type {HTMLElement} */ (part(".map-live__bar"));
    bar.hidden = !Number.isFinite(card.share) || isStale;
    const fill = /** @type {HTMLElement} */ (part(".map-live__fill"));
    fill.style.width = `${Math.min(100, (100 * (card.share || 0)) / GAUGE_END).toFixed(1)}%`;
    fill.dataset.liveColor = card.style.color;
    const state = /** @type {HTMLElement} */ (part(".map-live__state"));
    state.dataset.liveColor = card.style.color;
    put(state, `${card.style.glyph} ${stateWords(card, traffic.timeOf)}`);
    put(part(".map-live__words"), [card.facts?.words, this.#source(card)].filter(Boolean).join(" "));
    const spark = /** @type {HTMLCanvasElement} */ (part("canvas"));
    const hasSpark = this.#spark(spark, graph.collectors.texts.key[row]);
    /** @type {HTMLElement} */ (part(".map-live__spark-label")).hidden = !hasSpark;
    this.#talkers(/** @type {HTMLElement} */ (part(".map-live__talkers")), part(".map-live__talk-label > span:last-child"), id, card.facts?.has_sources === false);
  }

  /** @param {ReturnType<Traffic["cardOf"]>} card @returns {string} who counts, how often, and how late */
  #source({ facts }) {
    if (!facts?.origin) return "";
    const every = facts.interval_s ? `every ${ageWords(facts.interval_s)}` : "";
    const lag = facts.lag_s && facts.lag_s > 2 ? `${ageWords(facts.lag_s)} behind` : "";
    const estimate = facts.is_estimate ? "an estimate: everything its NIC receives, not only mirrors" : "";
    return `Counted by ${[facts.origin, every, lag, estimate].filter(Boolean).join(", ")}.`;
  }

  /** @param {HTMLElement} place @param {number} id of a NIC or of one mirror */
  #mirrors(place, id) {
    const { traffic } = this;
    const graph = /** @type {import("../store/graph.js").Graph} */ (traffic.graph);
    const one = graph.mirrors.rowOf.get(id);
    const rows = one === undefined ? (graph.mirrorsOfNic.get(id) ?? []) : [one];
    const part = this.#parts(place, () => [make("p", "map-note", make("span", "", SILENT.glyph), make("span", "")), make("div", "map-live__mirrors")]);
    const silent = traffic.silent.get(one === undefined ? id : graph.mirrors.numbers.nic[one]);
    const note = /** @type {HTMLElement} */ (part(".map-note"));
    note.hidden = silent === undefined;
    put(part(".map-note > :last-child"), silent ? `${SILENT.words[0].toUpperCase()}${SILENT.words.slice(1)}. ${silent}` : "");
    const list = /** @type {HTMLElement} */ (part(".map-live__mirrors"));
    this.#lines(list, rows.map((row) => {
      const flow = traffic.flowOf([row]);
      const collector = graph.mirrors.numbers.collector[row];
      return { node: collector, name: `→ ${graph.nameOf(collector)}`, share: NaN, words: flow.known ? rateWords(flow.rate, traffic.unit) : STRAND_LOOKS[flow.look].words };
    }));
  }

  /** @param {HTMLElement} list @param {Element} head @param {number} id @param {boolean} isUnavailable */
  #talkers(list, head, id, isUnavailable) {
    const graph = /** @type {import("../store/graph.js").Graph} */ (this.traffic.graph);
    const { items, known, total } = this.traffic.talkersOf(id, MOST_TALKERS);
    put(head, known ? (known > items.length || known < total ? `${items.length} of ${total}` : `${total}`) : "");
    if (!known) {
      const words = isUnavailable ? "Not available here: this collector’s numbers are not told apart by source." : total ? "No number of any source yet." : "No NIC is mirrored to it yet.";
      if (list.dataset.none !== words) list.replaceChildren(make("p", "faint small", words));
      list.dataset.none = words;
      return;
    }
    delete list.dataset.none;
    const most = items[0]?.rate || 1;
    this.#lines(list, items.map(({ nic, rate }) => ({ node: nic, name: graph.nameOf(nic), share: rate / most, words: rateWords(rate, this.traffic.unit) })));
  }

  /** @param {HTMLElement} list @param {Array<{node: number, name: string, share: number, words: string}>} items */
  #lines(list, items) {
    while (list.children.length > items.length || (list.firstElementChild && !list.firstElementChild.classList.contains("map-talker"))) list.lastElementChild?.remove();
    items.forEach((item, index) => {
      let line = /** @type {HTMLElement | null} */ (list.children[index] ?? null);
      if (!line) {
        const link = make("a", "");
        line = make("div", "map-talker", link, make("span", "map-talker__bar", make("i", "")), make("span", "map-talker__rate"));
        list.append(line);
      }
      const link = /** @type {HTMLAnchorElement} */ (line.children[0]);
      if (link.dataset.mapOpen !== String(item.node)) {
        link.dataset.mapOpen = String(item.node);
        link.href = `/?node=${item.node}`;
      }
      put(link, item.name);
      const bar = /** @type {HTMLElement} */ (line.children[1]);
      bar.style.visibility = Number.isFinite(item.share) ? "" : "hidden";
      /** @type {HTMLElement} */ (bar.children[0]).style.width = `${(100 * (item.share || 0)).toFixed(1)}%`;
      put(line.children[2], item.words);
    });
  }

  /** @param {HTMLCanvasElement} canvas @param {string} key @returns {boolean} whether there is anything to draw */
  #spark(canvas, key) {
    const values = this.traffic.rates.sparkOf(key, this.traffic.unit, SPARK);
    const isThere = values.filter((value) => !Number.isNaN(value)).length > 1;
    canvas.hidden = !isThere;
    if (isThere) drawSpark(canvas, values);
    return isThere;
  }

  /** @param {HTMLElement} place @param {() => HTMLElement[]} build the first time @returns {(selector: string) => Element} */
  #parts(place, build) {
    if (!place.firstElementChild) {
      place.classList.add("map-live");
      place.append(...build());
    }
    return (selector) => {
      const found = place.querySelector(selector);
      if (!found) throw new Error(`The live part of the panel lacks ${selector}.`);
      return found;
    };
  }
}
