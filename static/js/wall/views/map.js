// @ts-check
/**
 * The map alone: as large as the screen allows, with what is broken on it. On a tall screen a wide estate would leave most of it empty: there the
 * collectors by load stand below.
 */

import { el, show } from "../draw/dom.js";
import { Loads } from "../draw/loads.js";
import { mapShare } from "../store/figures.js";
import { unitOf } from "./overview.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../store/types.js").What} What */

/** @implements {WallView} */
export class MapView {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    host.classList.add("map-view");
    this.mapHost = el("section", "map-view__map");
    const loads = el("section");
    host.append(this.mapHost, loads);
    this.loads = new Loads(loads);
    show(loads, false);
    /** @type {View | null} */
    this.view = null;
    /** Of the view's height, percent; 100: no room for anything beside the map. */
    this.share = 100;
    this.observer = new ResizeObserver(() => this.#measure());
    this.observer.observe(this.loads.list);
  }

  /** @param {View} view */
  show(view) {
    this.view = view;
    this.#divide();
    this.model.map?.attach(this.mapHost);
    this.model.map?.show(view.options);
    this.#draw();
  }

  /** @param {What} what */
  update(what) {
    if (what === "topology" || what === "picture") this.#divide();
    this.model.map?.update(what);
    this.#draw();
  }

  /** Gives the map what it can fill. A part of the estate that somebody chose gets all of the screen. */
  #divide() {
    const { clientWidth, clientHeight } = this.host;
    const options = this.view?.options ?? {};
    const isAll = options.node === undefined && options.k === undefined;
    const hasRows = (this.model.picture?.collectors.length ?? 0) > 0;
    const box = isAll && hasRows ? this.model.graph?.bounds() : undefined;
    const share = box && clientWidth ? mapShare(box, { w: clientWidth, h: clientHeight }) : 100;
    if (share === this.share) return;
    this.share = share;
    this.host.style.setProperty("--map-share", String(share));
    this.host.toggleAttribute("data-share", share < 100);
    show(this.loads.host, share < 100);
  }

  #draw() {
    if (this.share < 100) this.loads.draw(this.model, this.view?.options.unit ?? "bits");
  }

  #measure() {
    if (this.share === 100 || !this.host.clientWidth) return;
    this.loads.measure(unitOf(this.host));
    this.#draw();
  }

  resize() {
    this.#divide();
    this.model.map?.resize();
    this.#measure();
  }

  destroy() {
    this.observer.disconnect();
    this.host.replaceChildren();
  }

  stats() {
    return { ...this.model.map?.stats(), share: this.share, collectors: this.share < 100 ? this.loads.shown : 0 };
  }
}
