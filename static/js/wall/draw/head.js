// @ts-check
/** The head of the wall: whose screen it is, small totals that say of what and how old, and the server's time. */

import { ageWords, rateParts } from "../../topology/store/units.js";
import { dayWords, zoneWords } from "../store/clock.js";
import { agoWords, alarmsWords, collectorWords, knownWords } from "../store/words.js";
import { el, mark, put, show } from "./dom.js";

/** @typedef {import("../model.js").WallModel} WallModel */

export class Head {
  /** @param {HTMLElement} host @param {WallModel} model */
  constructor(host, model) {
    this.model = model;
    this.host = host;
    this.name = el("b", "wall-head__name");
    this.place = el("span", "wall-head__sub");
    this.badges = el("span", "wall-head__badges");
    this.demo = el("span", "wall-badge wall-badge--demo", "DEMO");
    this.demo.dataset.test = "demo";
    this.scene = el("span", "wall-badge");
    this.scene.dataset.test = "scene";
    this.badges.append(this.demo, this.scene);
    const who = el("div", "wall-head__who");
    const title = el("div", "wall-head__title");
    title.append(this.name, this.badges);
    who.append(title, this.place);
    this.figures = el("div", "wall-head__figures");
    this.traffic = this.#figure("traffic");
    this.collectors = this.#figure("collectors");
    this.alarms = this.#figure("alarms");
    this.inventory = this.#figure("inventory");
    this.time = el("b", "wall-head__time");
    this.time.dataset.test = "time";
    this.day = el("span", "wall-head__sub");
    const when = el("div", "wall-head__when");
    when.append(this.time, this.day);
    host.append(who, this.figures, when);
  }

  /** @param {string} name */
  #figure(name) {
    const box = el("div", "wall-figure");
    box.dataset.test = `head-${name}`;
    const parts = { box, value: el("b", "wall-figure__value"), unit: el("span", "wall-figure__unit"), words: el("span", "wall-figure__words") };
    const line = el("div", "wall-figure__line");
    line.append(parts.value, parts.unit);
    box.append(line, parts.words);
    this.figures.append(box);
    return parts;
  }

  update() {
    const { state, picture } = this.model;
    show(this.host, state !== null);
    if (!state) return;
    const now = this.model.now();
    put(this.name, state.display.name);
    put(this.place, [state.display.place, state.display.group?.name, state.scene === "visitors" ? "names are hidden" : ""].filter(Boolean).join(" · "));
    show(this.demo, state.is_demo);
    put(this.scene, state.scene === "visitors" ? "Visitors" : state.scene === "incident" ? "Incident" : "");
    show(this.scene, state.scene !== "normal");
    mark(this.scene, "tone", state.scene === "incident" ? "bad" : "quiet");
    this.tick();
    put(this.day, `${dayWords(now, this.model.zone)} · ${zoneWords(now, this.model.zone)}`);
    show(this.figures, picture !== null);
    if (picture) this.#totals(picture, now);
  }

  /** Every second, however slowly all else is drawn. */
  tick() {
    if (this.model.state) put(this.time, this.model.timeOf(this.model.now()));
  }

  /** @param {import("../store/types.js").Picture} picture @param {number} now */
  #totals(picture, now) {
    const { totals, counts, inventory } = picture;
    const { figure, unit } = rateParts(totals.bits_per_s ?? NaN, "bits");
    put(this.traffic.value, figure);
    put(this.traffic.unit, unit);
    const trusted = this.model.trusted_ms;
    const age = trusted === null ? "no number yet" : `${ageWords((now - trusted) / 1000)} old`;
    put(this.traffic.words, totals.mirrors === 0 ? "nothing is mirrored" : `${knownWords(totals)} · ${age}`);
    const collectors = collectorWords(picture.collector_counts);
    put(this.collectors.value, collectors.figure);
    put(this.collectors.unit, collectors.of);
    put(this.collectors.words, collectors.words);
    mark(this.collectors.box, "tone", collectors.tone);
    const alarms = alarmsWords(picture, (ms) => this.model.momentOf(ms));
    put(this.alarms.value, alarms.figure);
    put(this.alarms.unit, counts.alarms === 1 ? "alarm" : "alarms");
    put(this.alarms.words, alarms.words);
    mark(this.alarms.box, "tone", counts.untaken ? "bad" : "quiet");
    put(this.inventory.value, inventory.synced_ms === null ? "none" : agoWords(inventory.synced_ms, now));
    put(this.inventory.unit, inventory.synced_ms === null ? "read yet" : "old");
    put(this.inventory.words, inventory.words || "inventory");
    mark(this.inventory.box, "tone", inventory.state === "live" ? "quiet" : "warn");
  }
}
