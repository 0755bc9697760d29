// @ts-check
/**
 * The selection: a set of NIC ids, changed by pure functions, and its short form for the address bar.
 */

/** @typedef {import("./graph.js").Graph} Graph */

import { NIC } from "./graph.js";

/** @param {ReadonlySet<number>} selection @param {Iterable<number>} ids @returns {Set<number>} */
export function add(selection, ids) {
  return new Set([...selection, ...ids]);
}

/**
 * All in → all out; else the missing ones are added.
 *
 * @param {ReadonlySet<number>} selection @param {number[]} ids @returns {Set<number>}
 */
export function toggle(selection, ids) {
  if (!ids.every((id) => selection.has(id))) return add(selection, ids);
  const without = new Set(selection);
  for (const id of ids) without.delete(id);
  return without;
}

/** Drops what is no longer on the map. @param {ReadonlySet<number>} selection @param {Graph} graph @returns {Set<number>} */
export function existing(selection, graph) {
  return new Set([...selection].filter((id) => graph.nics.rowOf.has(id)));
}

/**
 * Ids as ascending runs in base 36: {12, 13, 14, 40} → "c-e.14".
 *
 * @param {Iterable<number>} ids @returns {string}
 */
export function idsToText(ids) {
  const sorted = [...ids].sort((a, b) => a - b);
  const runs = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === sorted[end] + 1) end++;
    runs.push(end === start ? sorted[start].toString(36) : `${sorted[start].toString(36)}-${sorted[end].toString(36)}`);
    start = end + 1;
  }
  return runs.join(".");
}

/** @param {string | null} text @param {number} [limit] at most so many ids @returns {number[]} what is not an id is left out */
export function idsFromText(text, limit = 100_000) {
  const ids = [];
  for (const run of (text ?? "").split(".")) {
    const match = /^([0-9a-z]{1,9})(?:-([0-9a-z]{1,9}))?$/.exec(run);
    if (!match) continue;
    const first = parseInt(match[1], 36);
    const last = match[2] ? parseInt(match[2], 36) : first;
    for (let id = first; id <= last && ids.length < limit; id++) ids.push(id);
  }
  return ids;
}

/**
 * What the selection bar says.
 *
 * @param {ReadonlySet<number>} selection @param {Graph} graph
 * @returns {{nics: number, vnets: string[], subnets: number, mirrored: number}}
 */
export function summary(selection, graph) {
  const vnets = new Set();
  const subnets = new Set();
  let mirrored = 0;
  for (const id of selection) {
    const row = graph.nics.rowOf.get(id);
    if (row === undefined) continue;
    subnets.add(graph.nics.numbers.subnet[row]);
    vnets.add(graph.vnetIdOfNic(row));
    if (graph.nics.numbers.state[row] & NIC.mirrored) mirrored++;
  }
  const names = [...vnets].map((id) => graph.nameOf(id)).sort();
  return { nics: selection.size, vnets: names, subnets: subnets.size, mirrored };
}
