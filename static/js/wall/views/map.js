// @ts-check
/** The map alone: as large as the screen allows, with what is broken on it. */

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../store/types.js").What} What */

/** @implements {WallView} */
export class MapView {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
  }

  /** @param {View} view */
  show(view) {
    this.model.map?.attach(this.host);
    this.model.map?.show(view.options);
  }

  /** @param {What} what */
  update(what) {
    this.model.map?.update(what);
  }

  resize() {
    this.model.map?.resize();
  }

  destroy() {
    this.host.replaceChildren();
  }

  stats() {
    return this.model.map?.stats() ?? {};
  }
}
