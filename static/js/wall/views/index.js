// @ts-check
/**
 * The views a wall knows, by kind. Each is made once for the page's life, with its own host; while it is not shown its host is hidden and nothing of it
 * is drawn. A view reads the model and never fetches.
 */

import { el, put } from "../draw/dom.js";
import { AlarmsView } from "./alarms.js";
import { CollectorView } from "./collector.js";
import { OverviewView } from "./overview.js";
import { SourcesView } from "./sources.js";
import { MapView } from "./map.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {import("../store/types.js").WallView} WallView */
/** @typedef {new (host: HTMLElement, model: import("../model.js").WallModel) => WallView} ViewClass */

/** @type {Record<string, ViewClass>} */
export const VIEWS = {
  alarms: AlarmsView,
  collector: CollectorView,
  overview: OverviewView,
  sources: SourcesView,
  map: MapView,
};

/** Of a kind that this page does not know, because the server is newer: it says so until the page has read itself again. @implements {WallView} */
class UnknownView {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.words = el("p", "wall-said");
    host.append(this.words);
  }

  /** @param {View} view */
  show(view) {
    put(this.words, `This screen does not know how to draw “${view.name}” yet. It reads itself anew as soon as the server has a newer version.`);
  }

  update() {}

  resize() {}

  destroy() {}

  stats() {
    return {};
  }
}

/** @param {string} kind @param {HTMLElement} host @param {import("../model.js").WallModel} model @returns {WallView} */
export function makeView(kind, host, model) {
  return new (VIEWS[kind] ?? UnknownView)(host, model);
}
