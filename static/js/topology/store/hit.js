// @ts-check
/**
 * What lies where: a coarse grid over VNets and collectors, arithmetic below it.
 *
 * Boxes of VNets do not overlap, a NIC's place follows from its subnet and slot: a point costs one grid cell.
 */

import { boxAt } from "./graph.js";
import { overlaps } from "./view.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./types.js").NodeRef} NodeRef */

const CELL = 600;

/** @param {number} x @param {number} y @param {Box} box */
function inside(x, y, box) {
  return x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h;
}

export class SpatialIndex {
  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    /** @type {Map<string, number[]>} */
    this.cells = new Map();
    for (let row = 0; row < graph.vnets.size; row++) {
      const box = boxAt(graph.vnets, row);
      for (let cx = Math.floor(box.x / CELL); cx <= Math.floor((box.x + box.w) / CELL); cx++) {
        for (let cy = Math.floor(box.y / CELL); cy <= Math.floor((box.y + box.h) / CELL); cy++) {
          const key = `${cx},${cy}`;
          const list = this.cells.get(key);
          if (list) list.push(row);
          else this.cells.set(key, [row]);
        }
      }
    }
  }

  /** @param {Box} box world @returns {number[]} rows of the VNets that overlap it */
  vnetRows(box) {
    const { vnets } = this.graph;
    const span = ((box.w / CELL + 1) * (box.h / CELL + 1));
    /** @type {number[]} */
    const rows = [];
    if (span > this.cells.size) {
      for (let row = 0; row < vnets.size; row++) if (overlaps(boxAt(vnets, row), box)) rows.push(row);
      return rows;
    }
    const seen = new Set();
    for (let cx = Math.floor(box.x / CELL); cx <= Math.floor((box.x + box.w) / CELL); cx++) {
      for (let cy = Math.floor(box.y / CELL); cy <= Math.floor((box.y + box.h) / CELL); cy++) {
        for (const row of this.cells.get(`${cx},${cy}`) ?? []) {
          if (seen.has(row) || !overlaps(boxAt(vnets, row), box)) continue;
          seen.add(row);
          rows.push(row);
        }
      }
    }
    return rows.sort((a, b) => a - b);
  }

  /**
   * The deepest node under a point.
   *
   * @param {number} x world @param {number} y world
   * @param {0 | 1 | 2 | 3} level what is drawn: NICs from 2 on, subnets from 1 on
   * @returns {NodeRef | null}
   */
  at(x, y, level) {
    const { graph } = this;
    for (let row = 0; row < graph.collectors.size; row++) {
      if (inside(x, y, boxAt(graph.collectors, row))) return { kind: "collector", id: graph.collectors.numbers.id[row] };
    }
    const vnetRow = (this.cells.get(`${Math.floor(x / CELL)},${Math.floor(y / CELL)}`) ?? []).find((row) => inside(x, y, boxAt(graph.vnets, row)));
    if (vnetRow === undefined) return null;
    const vnetId = graph.vnets.numbers.id[vnetRow];
    if (level === 0) return { kind: "vnet", id: vnetId };
    for (const subnetRow of graph.subnetsOfVnet.get(vnetId) ?? []) {
      if (!inside(x, y, boxAt(graph.subnets, subnetRow))) continue;
      const subnetId = graph.subnets.numbers.id[subnetRow];
      if (level >= 2) {
        for (const nicRow of graph.nicsOfSubnet.get(subnetId) ?? []) {
          const left = graph.nicX[nicRow];
          const top = graph.nicY[nicRow];
          if (x >= left && x <= left + graph.chipW && y >= top && y <= top + graph.chipH) return { kind: "nic", id: graph.nics.numbers.id[nicRow] };
        }
      }
      return { kind: "subnet", id: subnetId };
    }
    return { kind: "vnet", id: vnetId };
  }

  /**
   * NICs whose middle lies inside a polygon.
   *
   * @param {Array<{x: number, y: number}>} polygon world points, closed by itself
   * @returns {number[]} NIC ids
   */
  lasso(polygon) {
    if (polygon.length < 3) return [];
    const xs = polygon.map((point) => point.x);
    const ys = polygon.map((point) => point.y);
    const left = Math.min(...xs);
    const top = Math.min(...ys);
    const box = { x: left, y: top, w: Math.max(...xs) - left, h: Math.max(...ys) - top };
    const { graph } = this;
    const ids = [];
    for (const vnetRow of this.vnetRows(box)) {
      for (const subnetRow of graph.subnetsOfVnet.get(graph.vnets.numbers.id[vnetRow]) ?? []) {
        if (!overlaps(boxAt(graph.subnets, subnetRow), box)) continue;
        for (const nicRow of graph.nicsOfSubnet.get(graph.subnets.numbers.id[subnetRow]) ?? []) {
          if (isInPolygon(graph.nicX[nicRow] + graph.chipW / 2, graph.nicY[nicRow] + graph.chipH / 2, polygon)) ids.push(graph.nics.numbers.id[nicRow]);
        }
      }
    }
    return ids;
  }
}

/** @param {number} x @param {number} y @param {Array<{x: number, y: number}>} polygon even-odd rule */
export function isInPolygon(x, y, polygon) {
  let isInside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const a = polygon[i];
    const b = polygon[j];
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) isInside = !isInside;
  }
  return isInside;
}
