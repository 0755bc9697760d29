// @ts-check
/** The HTML over the canvas: tooltip, focus ring, the tree for keyboards and screen readers; and every node in words. */

import { COLLECTOR_KINDS, collectorState, count, GHOST, IN_FLIGHT, isMute, isWithoutNumbers, nicWords, peeringState, SILENT, STALE, STRAND_LOOKS, UNACCOUNTED_TAP } from "../store/states.js";
import { rateWords, roundWords, shareWords } from "../store/units.js";
import { stateWords } from "./cards.js";
import { clock } from "./names.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/types.js").Box} Box */
/** @typedef {import("../store/types.js").NodeRef} NodeRef */
/** @typedef {import("../store/routes.js").Pipe} Pipe */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */
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
 * @param {Graph} graph @param {NodeRef} ref @param {Traffic} traffic @param {number} [change] the running one that writes to it now
 * @returns {{title: string, facts: string[]}}
 */
export function describe(graph, ref, traffic, change) {
  if (ref.kind === "nic") {
    const row = graph.nics.rowOf.get(ref.id) ?? -1;
    const mirrors = graph.mirrorsOfNic.get(ref.id) ?? [];
    const to = mirrors.map((mirror) => `${graph.nameOf(graph.mirrors.numbers.collector[mirror])}${flowWords(traffic, [mirror], ": ")}`);
    const facts = [nicWords(graph.nics.numbers.state[row])];
    if (change) facts.push(`${IN_FLIGHT.glyph} ${IN_FLIGHT.words} by change ${change}`);
    if (to.length) facts.push(`→ ${to.join(", ")}`);
    if (traffic.silent.has(ref.id)) facts.push(`${SILENT.glyph} ${traffic.silent.get(ref.id) || SILENT.words}`);
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
        ...open, ...(style.key === "ok" ? [] : [`${style.glyph} ${style.words}`]), ...cardWords(traffic, row),
      ],
    };
  }
  return { title: graph.nameOf(ref.id), facts: [] };
}

/** @param {Traffic} traffic @param {number[]} rows of mirrors @param {string} before @returns {string} what flows there, "" when nobody measures */
function flowWords(traffic, rows, before) {
  const flow = traffic.flowOf(rows);
  if (flow.known) return `${before}${rateWords(flow.rate, traffic.unit)}${flow.known < flow.total ? ` (${flow.known} of ${flow.total} known)` : ""}${traffic.isStopped ? ", stopped" : ""}`;
  return flow.look === "unmeasured" ? "" : `${before}${STRAND_LOOKS[flow.look].words}`;
}

/** @param {Traffic} traffic @param {number} row of a collector @returns {string[]} its state, what arrives and of how much that is */
function cardWords(traffic, row) {
  const card = traffic.cardOf(row);
  if (!card.isMeasured) return isWithoutNumbers(card.style.key) ? [card.style.words] : [];
  const capacity = card.facts?.capacity_bits_per_s;
  const share = Number.isFinite(card.share) && capacity ? `, ${shareWords(card.share)} of ${roundWords(capacity)}` : capacity ? "" : ", capacity unknown";
  const rate = Number.isFinite(card.rate) && !isMute(card.style.key) ? [`${card.facts?.is_estimate ? "about " : ""}${rateWords(card.rate, traffic.unit)}${share}${traffic.isStopped ? ", stopped" : ""}`] : [];
  return [...rate, `${card.style.glyph} ${stateWords(card, traffic.timeOf)}`, ...(card.facts?.words ? [card.facts.words] : [])];
}

/** @param {Graph} graph @param {Pipe} pipe @param {Traffic} traffic @param {number[]} [rows] of its mirrors @returns {{title: string, facts: string[]}} */
export function describePipe(graph, pipe, traffic, rows = []) {
  const title = `${graph.nameOf(pipe.from)} ↔ ${graph.nameOf(pipe.to)}`;
  const style = peeringState(pipe.state);
  const state = pipe.state === "missing" ? "? mirrors run here, but no peering is known" : `${style.glyph} ${pipe.detail || style.words}`.trim();
  const facts = [`${pipe.isGlobal ? "Global peering" : "Peering"}: ${state}`];
  if (pipe.mirrors) facts.push(`${count(pipe.mirrors, "mirror")}${flowWords(traffic, rows, ": ")}`);
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
 * The tree's items around the focused node.
 *
 * @param {HTMLElement} tree @param {Graph} graph @param {TreeItem[]} items @param {NodeRef} focus @param {ReadonlySet<number>} selection
 * @param {Traffic} traffic
 */
export function fillTree(tree, graph, items, focus, selection, traffic) {
  tree.replaceChildren(...items.map((item) => {
    const words = describe(graph, item.ref, traffic);
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
