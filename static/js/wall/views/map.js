// @ts-check
/** The map alone: as large as the screen allows, with what is broken on it. */

import { wallMapOf } from "../map/wall_map.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {import("../store/types.js").What} What */

/** @implements {WallView} */
export class MapView {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.map = wallMapOf(model);
  }

  /** @param {View} view */
  show(view) {
    this.map.attach(this.host);
    this.map.show(view.options);
  }

  /** @param {What} what */
  update(what) {
    this.map.update(what);
  }

  resize() {
    this.map.resize();
  }

  destroy() {
    this.map.destroy();
  }

  stats() {
    return this.map.stats();
  }
}
