// @ts-check
/**
 * The tree that arrow keys walk: VNet > subnet > NIC, with collectors after a VNet's subnets. Pure.
 */

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./types.js").NodeRef} NodeRef */
/** @typedef {{ref: NodeRef, level: number, position: number, count: number, hasChildren: boolean}} TreeItem */

/** @param {Graph} graph @returns {NodeRef[]} VNets in reading order: rows of the picture, then left to right */
export function roots(graph) {
  const { id, x, y } = graph.vnets.numbers;
  const rows = Array.from({ length: graph.vnets.size }, (_, row) => row);
  rows.sort((a, b) => y[a] - y[b] || x[a] - x[b]);
  return rows.map((row) => ({ kind: "vnet", id: id[row] }));
}

/** @param {Graph} graph @param {NodeRef} ref @returns {NodeRef[]} */
export function children(graph, ref) {
  if (ref.kind === "vnet") {
    /** @type {NodeRef[]} */
    const subnets = (graph.subnetsOfVnet.get(ref.id) ?? []).map((row) => ({ kind: "subnet", id: graph.subnets.numbers.id[row] }));
    /** @type {NodeRef[]} */
    const collectors = (graph.collectorsOfVnet.get(ref.id) ?? []).map((row) => ({ kind: "collector", id: graph.collectors.numbers.id[row] }));
    return [...subnets, ...collectors];
  }
  if (ref.kind === "subnet") return (graph.nicsOfSubnet.get(ref.id) ?? []).map((row) => ({ kind: "nic", id: graph.nics.numbers.id[row] }));
  return [];
}

/** @param {Graph} graph @param {NodeRef} ref @returns {NodeRef | null} */
export function parent(graph, ref) {
  const table = ref.kind === "nic" ? graph.nics : ref.kind === "subnet" ? graph.subnets : ref.kind === "collector" ? graph.collectors : null;
  const row = table?.rowOf.get(ref.id);
  if (!table || row === undefined) return null;
  if (ref.kind === "nic") return { kind: "subnet", id: table.numbers.subnet[row] };
  const vnet = table.numbers.vnet[row];
  return graph.vnets.rowOf.has(vnet) ? { kind: "vnet", id: vnet } : null;
}

/** @param {Graph} graph @param {NodeRef} ref @returns {NodeRef[]} the node and those beside it */
export function siblings(graph, ref) {
  const above = parent(graph, ref);
  return above ? children(graph, above) : roots(graph);
}

/**
 * Where a key leads: down/up among siblings, right into the first child, left to the parent, Home/End.
 *
 * @param {Graph} graph @param {NodeRef | null} ref @param {string} key `KeyboardEvent.key`
 * @returns {NodeRef | null} null when there is nothing to walk
 */
export function walk(graph, ref, key) {
  if (!ref || !graph.ref(ref.id)) return roots(graph)[0] ?? null;
  const list = siblings(graph, ref);
  const at = list.findIndex((other) => other.id === ref.id);
  if (key === "ArrowDown") return list[Math.min(list.length - 1, at + 1)] ?? ref;
  if (key === "ArrowUp") return list[Math.max(0, at - 1)] ?? ref;
  if (key === "Home") return list[0] ?? ref;
  if (key === "End") return list[list.length - 1] ?? ref;
  if (key === "ArrowRight") return children(graph, ref)[0] ?? ref;
  if (key === "ArrowLeft") return parent(graph, ref) ?? ref;
  return ref;
}

/**
 * The items a screen reader needs to know where it is: the way down to the node, and a window of its siblings.
 *
 * @param {Graph} graph @param {NodeRef} ref @param {number} [reach] siblings on each side
 * @returns {TreeItem[]}
 */
export function outline(graph, ref, reach = 20) {
  /** @type {NodeRef[]} */
  const path = [];
  for (let at = parent(graph, ref); at; at = parent(graph, at)) path.unshift(at);
  /** @type {TreeItem[]} */
  const items = path.map((node, depth) => {
    const list = siblings(graph, node);
    return { ref: node, level: depth + 1, position: list.findIndex((other) => other.id === node.id) + 1, count: list.length, hasChildren: true };
  });
  const list = siblings(graph, ref);
  const at = list.findIndex((other) => other.id === ref.id);
  const from = Math.max(0, at - reach);
  list.slice(from, at + reach + 1).forEach((node, index) => {
    items.push({ ref: node, level: path.length + 1, position: from + index + 1, count: list.length, hasChildren: children(graph, node).length > 0 });
  });
  return items;
}
