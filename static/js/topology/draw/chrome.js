// @ts-check
/** The HTML over the canvas: tooltip, focus ring, legend, banners, selection bar, the tree for keyboards and screen readers. */

import { COLLECTOR_KINDS, collectorState, count, GHOST, IN_FLIGHT, NIC_MARKS, NIC_PLAIN, NIC_STATES, nicState, nicWords, peeringState, PEERING_STATES, STALE, UNACCOUNTED_TAP } from "../store/states.js";
import { NIC } from "../store/graph.js";
import { clock } from "./names.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").NodeRef} NodeRef */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/tree.js").TreeItem} TreeItem */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} className @param {...(string | Node)} content @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

/** @param {HTMLElement} element @param {Box} box px */
export function putAt(element, box) {
  element.style.transform = `translate(${box.x.toFixed(1)}px, ${box.y.toFixed(1)}px)`;
  element.style.width = `${box.w.toFixed(1)}px`;
  element.style.height = `${box.h.toFixed(1)}px`;
}

/**
 * A node in words, the same for tooltip, tree and announcement: what it is called, then what is true of it.
 *
 * @param {Graph} graph @param {NodeRef} ref @param {number} [change] the running one that writes to it now @returns {{title: string, facts: string[]}}
 */
export function describe(graph, ref, change) {
  if (ref.kind === "nic") {
    const row = graph.nics.rowOf.get(ref.id) ?? -1;
    const to = (graph.mirrorsOfNic.get(ref.id) ?? []).map((mirror) => graph.nameOf(graph.mirrors.numbers.collector[mirror]));
    const facts = [nicWords(graph.nics.numbers.state[row])];
    if (change) facts.push(`${IN_FLIGHT.glyph} ${IN_FLIGHT.words} by change ${change}`);
    if (to.length) facts.push(`→ ${to.join(", ")}`);
    facts.push(`${graph.nameOf(graph.vnetIdOfNic(row))} / ${graph.nameOf(graph.nics.numbers.subnet[row])}`);
    return { title: graph.nics.texts.name[row] ?? "", facts };
  }
  if (ref.kind === "subnet") {
    const row = graph.subnets.rowOf.get(ref.id) ?? -1;
    const { nics, mirrored } = graph.subnets.numbers;
    return { title: graph.subnets.texts.name[row] ?? "", facts: [graph.subnets.texts.prefix[row], `${count(nics[row], "NIC")} · ${mirrored[row]} mirrored`].filter(Boolean) };
  }
  if (ref.kind === "vnet") {
    const row = graph.vnets.rowOf.get(ref.id) ?? -1;
    const { nics, mirrored, stale_since, subscription } = graph.vnets.numbers;
    const facts = [graph.vnets.texts.prefix[row]];
    const owner = graph.subscriptions[subscription[row]]?.name;
    if (owner) facts.push(owner);
    if (graph.vnets.texts.role[row] === "ghost") facts.push(`${GHOST.glyph} ${GHOST.meaning}`);
    else facts.push(`${count(nics[row], "NIC")} · ${mirrored[row]} mirrored`);
    if (stale_since[row] > 0) facts.push(`${STALE.glyph} not completely read since ${clock(new Date(stale_since[row] * 1000).toISOString())}`);
    return { title: graph.vnets.texts.name[row] ?? "", facts: facts.filter(Boolean) };
  }
  if (ref.kind === "collector") {
    const row = graph.collectors.rowOf.get(ref.id) ?? -1;
    const { name, address, kind, partner, state } = graph.collectors.texts;
    const style = collectorState(state[row]);
    const { mirrors, members, taps, unaccounted } = graph.collectors.numbers;
    const open = unaccounted[row] ? [`${UNACCOUNTED_TAP.glyph} ${count(unaccounted[row], "TAP")} ${UNACCOUNTED_TAP.words}`] : [];
    return {
      title: name[row] ?? "",
      facts: [
        [address[row], COLLECTOR_KINDS[kind[row]], partner[row]].filter(Boolean).join(" · "),
        [count(taps[row], "TAP"), count(mirrors[row], "mirror"), members[row] ? count(members[row], "member") : ""].filter(Boolean).join(" · "),
        ...open, `${style.glyph} ${style.words}`, "no live numbers yet",
      ],
    };
  }
  return { title: graph.nameOf(ref.id), facts: [] };
}

/** @param {Graph} graph @param {Pipe} pipe @returns {{title: string, facts: string[]}} */
export function describePipe(graph, pipe) {
  const title = `${graph.nameOf(pipe.from)} ↔ ${graph.nameOf(pipe.to)}`;
  const style = peeringState(pipe.state);
  const state = pipe.state === "missing" ? "? mirrors run here, but no peering is known" : `${style.glyph} ${pipe.detail || style.words}`.trim();
  const facts = [`${pipe.isGlobal ? "Global peering" : "Peering"}: ${state}`];
  if (pipe.mirrors) facts.push(count(pipe.mirrors, "mirror"));
  return { title, facts };
}

export class Tooltip {
  /** @param {HTMLElement} element @param {HTMLElement} host */
  constructor(element, host) {
    this.element = element;
    this.host = host;
  }

  /** @param {{title: string, facts: string[]}} words @param {number} x px @param {number} y px */
  show(words, x, y) {
    this.element.replaceChildren(make("strong", "", words.title), ...words.facts.map((fact) => make("span", "", fact)));
    this.element.hidden = false;
    const w = this.element.offsetWidth;
    const h = this.element.offsetHeight;
    const left = x + 16 + w > this.host.clientWidth ? x - w - 12 : x + 16;
    const top = y + 18 + h > this.host.clientHeight ? y - h - 12 : y + 18;
    this.element.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }

  hide() {
    this.element.hidden = true;
  }
}

/**
 * The legend, from the table that paints; only what is on the map.
 *
 * @param {HTMLElement} list @param {Graph} graph @param {0 | 1 | 2 | 3} level far away NICs are a heat on their VNet or subnet
 * @param {boolean} [isInFlight] whether a running change writes to any NIC now
 */
export function fillLegend(list, graph, level, isInFlight = false) {
  /** @type {HTMLElement[]} */
  const items = [];
  const entry = (/** @type {string} */ mark, /** @type {string} */ glyph, /** @type {string} */ words) =>
    items.push(make("li", "map-legend__item", make("span", `map-mark map-mark--${mark}`, glyph), words));
  const states = graph.nics.numbers.state;
  let bits = 0;
  let isPlain = false;
  for (let row = 0; row < graph.nics.size; row++) {
    bits |= states[row];
    isPlain ||= nicState(states[row]) === NIC_PLAIN;
  }
  if (level < 2) entry("heat", "", level === 0 ? "VNet: the more of its NICs are mirrored, the brighter" : "Subnet: the more of its NICs are mirrored, the brighter");
  else for (const style of NIC_STATES) if (bits & style.bit) entry(style.color, style.glyph, style.meaning);
  if (isPlain && level >= 2) entry(NIC_PLAIN.color, NIC_PLAIN.glyph, NIC_PLAIN.meaning);
  if (level === 3) for (const style of NIC_MARKS) if (bits & style.bit) entry(style.color, style.glyph, style.meaning);
  if (isInFlight && level >= 2) entry(IN_FLIGHT.color, IN_FLIGHT.glyph, IN_FLIGHT.meaning);
  if (graph.mirrors.size) entry("strand", "", "Mirror: its way to the collector");
  const peerings = new Set(graph.peerings.texts.state.slice(0, graph.peerings.size).map((state) => peeringState(state).key));
  for (const style of Object.values(PEERING_STATES)) {
    if (peerings.has(style.key)) entry(style.line === "solid" ? "pipe" : `pipe-${style.line}`, style.glyph, style.meaning);
  }
  const collectors = new Set(graph.collectors.texts.state.slice(0, graph.collectors.size).map((state) => collectorState(state).key));
  for (const state of ["ok", "unknown", "gone"]) if (collectors.has(state)) entry(collectorState(state).color, collectorState(state).glyph, collectorState(state).meaning);
  if (graph.collectors.numbers.unaccounted.subarray(0, graph.collectors.size).some((taps) => taps > 0)) entry(UNACCOUNTED_TAP.color, UNACCOUNTED_TAP.glyph, UNACCOUNTED_TAP.meaning);
  if (graph.vnets.texts.role.some((role) => role === "ghost")) entry("ghost", "", GHOST.meaning);
  if (bits & NIC.stale || graph.vnets.numbers.stale_since.subarray(0, graph.vnets.size).some((since) => since > 0)) entry("hatch", "", STALE.meaning);
  list.replaceChildren(...items);
}

/**
 * The tree's items around the focused node.
 *
 * @param {HTMLElement} tree @param {Graph} graph @param {TreeItem[]} items @param {NodeRef} focus @param {ReadonlySet<number>} selection
 */
export function fillTree(tree, graph, items, focus, selection) {
  tree.replaceChildren(...items.map((item) => {
    const words = describe(graph, item.ref);
    const element = make("div", "", [words.title, ...words.facts].join(", "));
    element.id = `map-item-${item.ref.id}`;
    element.setAttribute("role", "treeitem");
    element.setAttribute("aria-level", String(item.level));
    element.setAttribute("aria-posinset", String(item.position));
    element.setAttribute("aria-setsize", String(item.count));
    element.setAttribute("aria-selected", String(selection.has(item.ref.id)));
    if (item.hasChildren) element.setAttribute("aria-expanded", String(items.some((other) => other.level === item.level + 1)));
    element.dataset.node = String(item.ref.id);
    return element;
  }));
  tree.setAttribute("aria-activedescendant", `map-item-${focus.id}`);
}
