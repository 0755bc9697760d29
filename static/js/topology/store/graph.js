// @ts-check
/**
 * The graph in the browser: the snapshot decoded, deltas applied, and what follows from both.
 *
 * The law: apply(before, events) == after (tests/vectors, the same files as in pytest).
 * Derived values (positions of NICs, who belongs to whom) are rebuilt once after a batch, never sent.
 * This module is pure: no canvas, no network, no clock.
 */

import { Table } from "./table.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Delta} Delta */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").NodeRef} NodeRef */
/** @typedef {import("./types.js").NodeKind} NodeKind */
/** @typedef {import("./types.js").Geometry} Geometry */
/** @typedef {import("./types.js").Counts} Counts */
/** @typedef {import("./types.js").SubscriptionRow} SubscriptionRow */

/** Bits of `nics.state`. */
export const NIC = Object.freeze({ mirrored: 1, member: 2, no_vm: 4, private_endpoint: 8, stale: 16, vm_stopped: 32, not_succeeded: 64, unaccounted: 128 });

const BOX = ["x", "y", "w", "h"];

/** Columns of each table: numbers, texts. @type {Record<string, [string[], string[]]>} */
const COLUMNS = {
  regions: [["id", ...BOX], ["name"]],
  vnets: [["id", "region", "subscription", ...BOX, "nics", "mirrored", "stale_since"], ["key", "name", "prefix", "role"]],
  subnets: [["id", "vnet", ...BOX, "columns", "nics", "mirrored"], ["name", "prefix"]],
  nics: [["id", "subnet", "slot", "state"], ["name"]],
  peerings: [["id", "a", "b", "is_global"], ["state", "detail"]],
  collectors: [["id", "vnet", "subnet", ...BOX, "taps", "unaccounted", "mirrors", "members"], ["key", "name", "kind", "address", "partner", "state"]],
  mirrors: [["id", "nic", "collector"], ["state"]],
};

/** @type {Array<[NodeKind, string]>} */
const KINDS = [
  ["vnet", "vnets"], ["subnet", "subnets"], ["nic", "nics"], ["collector", "collectors"], ["region", "regions"], ["peering", "peerings"], ["mirror", "mirrors"],
];

/** What a chip leaves free of its cell, world units: the row below carries the strands. */
export const CHIP_GAP = 6;

/**
 * @param {Map<number, number[]>} map
 * @param {number} key
 * @param {number} value
 */
function push(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

export class Graph {
  /** @param {Snapshot} snapshot */
  constructor(snapshot) {
    const delta = new Set(snapshot.encoding?.delta ?? []);
    /** @type {Record<string, Table>} */
    this.tables = {};
    for (const [name, [numbers, texts]] of Object.entries(COLUMNS)) {
      const table = new Table(numbers, texts);
      const deltaNames = new Set([...numbers].filter((column) => delta.has(`${name}.${column}`)));
      table.load(snapshot.columns[name], deltaNames);
      this.tables[name] = table;
    }
    this.regions = this.tables.regions;
    this.vnets = this.tables.vnets;
    this.subnets = this.tables.subnets;
    this.nics = this.tables.nics;
    this.peerings = this.tables.peerings;
    this.collectors = this.tables.collectors;
    this.mirrors = this.tables.mirrors;
    this.revision = snapshot.revision;
    this.series_revision = snapshot.series_revision;
    this.series = snapshot.series;
    this.is_demo = snapshot.is_demo;
    this.built_at = snapshot.built_at;
    /** @type {Counts} */
    this.counts = snapshot.counts;
    this.world = snapshot.world;
    /** @type {SubscriptionRow[]} */
    this.subscriptions = snapshot.subscriptions;
    /** @type {Geometry} */
    this.geometry = snapshot.geometry;

    this.nicX = new Float64Array(0);
    this.nicY = new Float64Array(0);
    /** @type {Map<number, number[]>} subnet id → NIC rows, by slot */
    this.nicsOfSubnet = new Map();
    /** @type {Map<number, number[]>} VNet id → subnet rows, top to bottom */
    this.subnetsOfVnet = new Map();
    /** @type {Map<number, number[]>} VNet id → collector rows */
    this.collectorsOfVnet = new Map();
    /** @type {Map<number, number[]>} VNet id → peering rows */
    this.peeringsOfVnet = new Map();
    /** @type {Map<number, number[]>} NIC id → mirror rows */
    this.mirrorsOfNic = new Map();
    /** @type {Map<number, number[]>} collector id → mirror rows */
    this.mirrorsOfCollector = new Map();
    this.derive();
  }

  get chipW() {
    return this.geometry.cell_w - CHIP_GAP;
  }

  get chipH() {
    return this.geometry.cell_h - CHIP_GAP;
  }

  /** Rebuilds everything that follows from the tables. */
  derive() {
    const { nics, subnets, geometry } = this;
    const { cell_w, cell_h, subnet_pad, subnet_head } = geometry;
    this.nicX = new Float64Array(nics.size);
    this.nicY = new Float64Array(nics.size);
    this.nicsOfSubnet = new Map();
    const subnetOf = nics.numbers.subnet;
    const slotOf = nics.numbers.slot;
    const { x, y, columns } = subnets.numbers;
    for (let row = 0; row < nics.size; row++) {
      const subnetRow = subnets.rowOf.get(subnetOf[row]);
      push(this.nicsOfSubnet, subnetOf[row], row);
      if (subnetRow === undefined) continue;
      const width = Math.max(1, columns[subnetRow]);
      const slot = slotOf[row];
      this.nicX[row] = x[subnetRow] + subnet_pad + (slot % width) * cell_w;
      this.nicY[row] = y[subnetRow] + subnet_head + Math.floor(slot / width) * cell_h;
    }
    for (const rows of this.nicsOfSubnet.values()) rows.sort((a, b) => slotOf[a] - slotOf[b]);
    this.subnetsOfVnet = this.#group(subnets, "vnet");
    for (const rows of this.subnetsOfVnet.values()) rows.sort((a, b) => y[a] - y[b] || x[a] - x[b]);
    this.collectorsOfVnet = this.#group(this.collectors, "vnet");
    this.mirrorsOfNic = this.#group(this.mirrors, "nic");
    this.mirrorsOfCollector = this.#group(this.mirrors, "collector");
    this.peeringsOfVnet = this.#group(this.peerings, "a");
    for (let row = 0; row < this.peerings.size; row++) push(this.peeringsOfVnet, this.peerings.numbers.b[row], row);
  }

  /**
   * Applies one delta and derives again.
   *
   * @param {Delta} delta
   * @returns {number[]} ids of the nodes that are new, to let them fade in
   */
  apply(delta) {
    /** @type {number[]} */
    const added = [];
    for (const [name, change] of Object.entries(delta.tables ?? {})) {
      const table = this.tables[name];
      if (!table) continue;
      for (const id of change.remove ?? []) table.remove(id);
      for (const row of change.upsert ?? []) if (table.upsert(row)) added.push(Number(row.id));
    }
    this.revision = delta.revision;
    if (delta.counts) this.counts = delta.counts;
    if (delta.built_at) this.built_at = delta.built_at;
    if (delta.world) this.world = delta.world;
    if (delta.subscriptions) this.subscriptions = delta.subscriptions;
    if (delta.series_revision !== undefined) this.series_revision = delta.series_revision;
    if (delta.series) this.series = delta.series;
    this.derive();
    return added;
  }

  /** @returns {Record<string, unknown>} everything the law compares */
  toPlain() {
    /** @type {Record<string, unknown>} */
    const tables = {};
    for (const [name, table] of Object.entries(this.tables)) tables[name] = table.toRows();
    return { revision: this.revision, built_at: this.built_at, subscriptions: this.subscriptions, counts: this.counts, world: this.world, series: this.series, series_revision: this.series_revision, tables };
  }

  /** @param {number} id @returns {NodeRef | null} which table holds the node id */
  ref(id) {
    for (const [kind, name] of KINDS) if (this.tables[name].rowOf.has(id)) return { kind, id };
    return null;
  }

  /** @param {number} id @returns {string} the node's name, "" when it has none */
  nameOf(id) {
    for (const [, name] of KINDS) {
      const table = this.tables[name];
      const row = table.rowOf.get(id);
      if (row !== undefined && table.texts.name) return table.texts.name[row];
    }
    return "";
  }

  /** @param {number} id @returns {Box | null} the node's box in world units; null for edges and unknown ids */
  boxOf(id) {
    const nicRow = this.nics.rowOf.get(id);
    if (nicRow !== undefined) return { x: this.nicX[nicRow], y: this.nicY[nicRow], w: this.chipW, h: this.chipH };
    for (const table of [this.vnets, this.subnets, this.collectors, this.regions]) {
      const row = table.rowOf.get(id);
      if (row !== undefined) return boxAt(table, row);
    }
    return null;
  }

  /** @param {number} nicRow @returns {number} VNet id, 0 when its subnet is not on the map */
  vnetIdOfNic(nicRow) {
    const subnetRow = this.subnets.rowOf.get(this.nics.numbers.subnet[nicRow]);
    return subnetRow === undefined ? 0 : this.subnets.numbers.vnet[subnetRow];
  }

  /**
   * NIC ids below a VNet or subnet; a NIC is itself.
   *
   * @param {number} id
   * @returns {number[]}
   */
  nicIdsUnder(id) {
    const ids = this.nics.numbers.id;
    if (this.nics.rowOf.has(id)) return [id];
    if (this.subnets.rowOf.has(id)) return (this.nicsOfSubnet.get(id) ?? []).map((row) => ids[row]);
    if (this.collectors.rowOf.has(id)) {
      return [...new Set((this.mirrorsOfCollector.get(id) ?? []).map((row) => this.mirrors.numbers.nic[row]))].filter((nic) => this.nics.rowOf.has(nic));
    }
    return (this.subnetsOfVnet.get(id) ?? []).flatMap((row) => this.nicIdsUnder(this.subnets.numbers.id[row]));
  }

  /** @param {number} id @returns {number[]} what a NIC or collector stands in: subnet and VNet; none for anything else */
  aroundOf(id) {
    const nic = this.nics.rowOf.get(id);
    if (nic !== undefined) return [this.nics.numbers.subnet[nic], this.vnetIdOfNic(nic)];
    const card = this.collectors.rowOf.get(id);
    return card === undefined ? [] : [this.collectors.numbers.subnet[card], this.collectors.numbers.vnet[card]];
  }

  /** @returns {Box} what "fit" shows: all that stands in the regions, and their names above */
  bounds() {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const table of [this.vnets, this.collectors]) {
      for (let row = 0; row < table.size; row++) {
        const box = boxAt(table, row);
        left = Math.min(left, box.x);
        top = Math.min(top, box.y);
        right = Math.max(right, box.x + box.w);
        bottom = Math.max(bottom, box.y + box.h);
      }
    }
    if (left === Infinity) return { x: 0, y: 0, w: 1, h: 1 };
    const { region_pad = 0, region_head = 0 } = this.geometry;
    return { x: left - region_pad, y: top - region_head, w: right - left + 2 * region_pad, h: bottom - top + region_head + region_pad };
  }

  /** @param {Table} table @param {string} column */
  #group(table, column) {
    /** @type {Map<number, number[]>} */
    const map = new Map();
    const values = table.numbers[column];
    for (let row = 0; row < table.size; row++) push(map, values[row], row);
    return map;
  }
}

/** @param {Table} table @param {number} row @returns {Box} */
export function boxAt(table, row) {
  const { x, y, w, h } = table.numbers;
  return { x: x[row], y: y[row], w: w[row], h: h[row] };
}
