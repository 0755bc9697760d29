// @ts-check
/** The legend: only what is on the map, from the same tables that paint. */

import { NIC } from "../store/graph.js";
import { collectorState, GHOST, IN_FLIGHT, LIVE_STATES, NIC_MARKS, NIC_PLAIN, NIC_STATES, nicState, peeringState, PEERING_STATES, SILENT, STALE, STRAND_LOOKS, UNACCOUNTED_TAP } from "../store/states.js";
import { SCALE } from "../store/traffic.js";
import { roundWords } from "../store/units.js";
import { make } from "./chrome.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../store/traffic.js").Traffic} Traffic */

/**
 * The legend, from the table that paints; only what is on the map.
 *
 * @param {HTMLElement} list @param {Graph} graph @param {0 | 1 | 2 | 3} level far away NICs are a heat on their VNet or subnet @param {Traffic} traffic
 * @param {boolean} [isInFlight] whether a running change writes to any NIC now
 */
export function fillLegend(list, graph, level, traffic, isInFlight = false) {
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
  if (graph.mirrors.size) strandEntries(entry, graph, traffic);
  if (traffic.silent.size && level >= 2) entry(SILENT.color, SILENT.glyph, SILENT.meaning);
  const told = new Set([...traffic.factsOf.values()].map((facts) => facts.state));
  for (const style of Object.values(LIVE_STATES)) if (told.has(style.key)) entry(style.color, style.glyph, style.meaning);
  if (level < 2) entry("heat", "", level === 0 ? "VNet: the more of its NICs are mirrored, the brighter" : "Subnet: the more of its NICs are mirrored, the brighter");
  else for (const style of NIC_STATES) if (bits & style.bit) entry(style.color, style.glyph, style.meaning);
  if (isPlain && level >= 2) entry(NIC_PLAIN.color, NIC_PLAIN.glyph, NIC_PLAIN.meaning);
  if (level === 3) for (const style of NIC_MARKS) if (bits & style.bit) entry(style.color, style.glyph, style.meaning);
  if (isInFlight && level >= 2) entry(IN_FLIGHT.color, IN_FLIGHT.glyph, IN_FLIGHT.meaning);
  const peerings = new Set(graph.peerings.texts.state.slice(0, graph.peerings.size).map((state) => peeringState(state).key));
  for (const style of Object.values(PEERING_STATES)) {
    if (peerings.has(style.key)) entry(style.line === "solid" ? "pipe" : `pipe-${style.line}`, style.glyph, style.meaning);
  }
  const collectors = new Set(graph.collectors.texts.state.slice(0, graph.collectors.size).map((state) => collectorState(state).key));
  for (const state of traffic.hasFacts ? ["unknown", "gone"] : ["ok", "unknown", "gone"]) {
    if (collectors.has(state)) entry(collectorState(state).color, collectorState(state).glyph, collectorState(state).meaning);
  }
  if (graph.collectors.numbers.unaccounted.subarray(0, graph.collectors.size).some((taps) => taps > 0)) entry(UNACCOUNTED_TAP.color, UNACCOUNTED_TAP.glyph, UNACCOUNTED_TAP.meaning);
  if (graph.vnets.texts.role.some((role) => role === "ghost")) entry("ghost", "", GHOST.meaning);
  if (bits & NIC.stale || graph.vnets.numbers.stale_since.subarray(0, graph.vnets.size).some((since) => since > 0)) entry("hatch", "", STALE.meaning);
  list.replaceChildren(...items);
}

/** The looks of strands that are on the map now, the scale of widths first. @param {(mark: string, glyph: string, words: string) => void} entry @param {Graph} graph @param {Traffic} traffic */
function strandEntries(entry, graph, traffic) {
  const looks = new Set(Array.from({ length: graph.mirrors.size }, (_, row) => traffic.flowOf([row]).look));
  const [low, high] = SCALE[traffic.unit];
  for (const [key, style] of Object.entries(STRAND_LOOKS)) {
    if (!looks.has(/** @type {keyof typeof STRAND_LOOKS} */ (key))) continue;
    const scale = key === "flowing" ? ` (${roundWords(10 ** low, traffic.unit)} to ${roundWords(10 ** high, traffic.unit)}, each ×10 as much wider)` : "";
    entry(`strand-${key}`, "", style.meaning + scale);
  }
}
