// @ts-check
/** The overview: what is broken first and largest, the map, the collectors by load. Healthy it is quiet: no alarm, no room for one. */

import { el, mark } from "../draw/dom.js";
import { Loads } from "../draw/loads.js";
import { LoudAlarms } from "../draw/loud_alarms.js";
import { mapShare } from "../store/figures.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").What} What */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../model.js").WallModel} WallModel */

const MOST_OF_TALL = 50;

/** @param {Element} element @returns {number} px of one unit of the wall */
export function unitOf(element) {
  return (parseFloat(getComputedStyle(element).fontSize) || 22) / 22;
}

/** @implements {WallView} */
export class OverviewView {
  /** @param {HTMLElement} host @param {WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    const louds = el("section");
    const map = el("section", "overview__map");
    const loads = el("section");
    host.append(louds, map, loads);
    host.classList.add("overview");
    this.mapHost = map;
    this.louds = new LoudAlarms(louds);
    this.loads = new Loads(loads);
    /** @type {View | null} */
    this.view = null;
    this.measured = 0;
    /** Of what the alarms leave of a tall screen, percent. */
    this.share = MOST_OF_TALL;
    // The room of the rows follows the alarms above them.
    this.observer = new ResizeObserver(() => this.#measure());
    this.observer.observe(this.loads.list);
    this.observer.observe(loads);
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.model.map?.attach(this.mapHost);
    this.model.map?.show(view.options);
    this.#draw();
    this.#measure();
  }

  /** @param {What} what */
  update(what) {
    if (what === "topology") this.#divide();
    this.model.map?.update(what);
    this.#draw();
  }

  #draw() {
    const { model } = this;
    this.louds.draw(model);
    mark(this.host, "quiet", String(this.louds.host.hidden));
    this.loads.draw(model, this.view?.options.unit ?? "bits");
  }

  /** On a tall screen the map of the whole estate has the height that it fills, and what it does not fill is the collectors'. */
  #divide() {
    const { clientWidth: w, clientHeight: h } = this.host;
    const { node, k } = this.view?.options ?? {};
    const box = h > w && node === undefined && k === undefined ? this.model.graph?.bounds() : undefined;
    const share = box ? Math.min(MOST_OF_TALL, mapShare(box, { w, h: h - this.louds.host.offsetHeight })) : MOST_OF_TALL;
    if (share === this.share) return;
    this.share = share;
    this.host.style.setProperty("--map-part", `${share}fr`);
    this.host.style.setProperty("--loads-part", `${100 - share}fr`);
  }

  #measure() {
    if (!this.loads.list.isConnected || !this.host.clientWidth) return;
    this.measured++;
    this.#divide();
    this.loads.measure(unitOf(this.host));
    this.loads.draw(this.model, this.view?.options.unit ?? "bits");
  }

  resize() {
    this.model.map?.resize();
    this.#measure();
  }

  destroy() {
    this.observer.disconnect();
    this.host.replaceChildren();
  }

  stats() {
    return { alarms: Number(this.louds.host.dataset.count ?? 0), collectors: this.loads.shown, rows: this.loads.rows.made.length, tier: this.loads.host.dataset.tier ?? "", share: this.share, measured: this.measured };
  }
}
