// @ts-check
/** The find field of the map: asks the server while one types, lists hits, walks them with arrows, flies to the chosen one. */

import { make } from "./chrome.js";

/** @typedef {import("../wire/fetches.js").Hit} Hit */

const PAUSE_MS = 160;
/** @type {Record<string, string>} */
const KIND_WORDS = { vnet: "VNet", vnets: "VNet", subnet: "Subnet", subnets: "Subnet", nic: "NIC", nics: "NIC", collector: "Collector", collectors: "Collector", ghost: "VNet" };

export class Finder {
  /**
   * @param {HTMLInputElement} field @param {HTMLElement} list role=listbox
   * @param {{find: (q: string, signal: AbortSignal) => Promise<Hit[]>, onHits: (ids: number[] | null) => void, onChoose: (hit: Hit) => void}} told
   */
  constructor(field, list, told) {
    this.field = field;
    this.list = list;
    this.told = told;
    /** @type {Hit[]} */
    this.hits = [];
    this.active = 0;
    this.timer = 0;
    /** @type {AbortController | null} */
    this.asking = null;
    this.stop = new AbortController();
    const { signal } = this.stop;
    field.addEventListener("input", () => this.handleInput(), { signal });
    field.addEventListener("keydown", (event) => this.handleKey(event), { signal });
    field.addEventListener("focus", () => this.hits.length && this.#open(true), { signal });
    field.addEventListener("blur", () => this.#open(false), { signal });
    list.addEventListener("pointerdown", (event) => event.preventDefault(), { signal });
    list.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest("[data-hit]") : null;
      if (item instanceof HTMLElement) this.choose(Number(item.dataset.hit));
    }, { signal });
  }

  destroy() {
    this.stop.abort();
    this.asking?.abort();
    clearTimeout(this.timer);
  }

  clear() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.field.value = "";
    this.hits = [];
    this.#open(false);
    this.told.onHits(null);
  }

  handleInput() {
    clearTimeout(this.timer);
    this.asking?.abort();
    const q = this.field.value.trim();
    if (!q) {
      this.clear();
      return;
    }
    this.timer = setTimeout(() => void this.#ask(q), PAUSE_MS);
  }

  /** @param {string} q */
  async #ask(q) {
    const asking = new AbortController();
    this.asking = asking;
    try {
      const hits = await this.told.find(q, asking.signal);
      if (asking.signal.aborted) return;
      this.hits = hits;
      this.active = 0;
      this.#fill(hits.length ? "" : `Nothing on the map is called “${q}”. Tables also find what was removed.`);
      this.told.onHits(hits.map((hit) => hit.id));
    } catch (error) {
      if (asking.signal.aborted) return;
      this.hits = [];
      this.#fill(`Finding did not work: ${error instanceof Error ? error.message : "no answer"}`);
    }
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!this.hits.length) return;
      event.preventDefault();
      this.active = (this.active + (event.key === "ArrowDown" ? 1 : -1) + this.hits.length) % this.hits.length;
      this.#fill("");
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.hits.length) this.choose(this.active);
      else this.handleInput();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.clear();
      this.field.blur();
    }
  }

  /** @param {number} index */
  choose(index) {
    const hit = this.hits[index];
    if (!hit) return;
    this.active = index;
    this.#open(false);
    this.field.blur();
    this.told.onChoose(hit);
  }

  /** @param {string} words shown instead of hits */
  #fill(words) {
    const items = this.hits.map((hit, index) => {
      const item = make("li", "map-find__hit", make("strong", "", hit.name), make("span", "", [KIND_WORDS[hit.kind] ?? hit.kind, hit.address, hit.vnet].filter(Boolean).join(" · ")));
      item.id = `map-hit-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === this.active));
      item.dataset.hit = String(index);
      return item;
    });
    this.list.replaceChildren(...items, ...(words ? [make("li", "map-find__none", words)] : []));
    this.#open(true);
    if (items.length) this.field.setAttribute("aria-activedescendant", `map-hit-${this.active}`);
    else this.field.removeAttribute("aria-activedescendant");
    items[this.active]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {boolean} isOpen */
  #open(isOpen) {
    this.list.hidden = !isOpen || !this.list.childElementCount;
    this.field.setAttribute("aria-expanded", String(!this.list.hidden));
  }
}
