// @ts-check
/** What `window.vtap.graph` offers to tests: reading, and acting through the page's own public paths. Changes nothing by itself. */

import { describePipe } from "./draw/chrome.js";
import { widthOfStrand } from "./draw/flow.js";
import { boxToScreen, levelOf, overlaps, toScreen, visibleBox } from "./store/view.js";

/** @typedef {import("./map.js").MapPage} MapPage */
/** @typedef {import("./store/types.js").View} View */
/** @typedef {import("./store/types.js").Box} Box */

/** @param {MapPage} page */
export function hooksOf(page) {
  return {
    get ready() {
      return page.isReady;
    },
    get revision() {
      return page.graph?.revision ?? null;
    },
    get seq() {
      return page.sequence.seq;
    },
    stats: () => ({
      ...page.stage.figures, level: levelOf(page.stage.view.k), counts: page.graph?.counts ?? null, line: page.line.phase, lit: page.stage.lit ? page.stage.lit.size : null, inFlight: page.stage.inFlight.size,
      pipes: page.stage.routes.pipes.length, strands: page.stage.routes.strands.length,
      kept: { ...page.stage.kept(), toSay: page.toSay.length, tree: page.tree.childElementCount, hits: page.hits?.size ?? 0 }, labels: page.stage.labels.map((label) => label.text),
    }),
    find: (/** @type {number | string} */ id) => screenBox(page, typeof id === "string" ? idOfName(page, id) : id),
    visibleIds: (/** @type {string} */ kind) => visibleIds(page, kind),
    select: (/** @type {number[]} */ ids) => page.select(ids),
    selection: () => [...page.selection].sort((a, b) => a - b),
    view: () => ({ ...page.stage.view }),
    setView: (/** @type {View} */ view) => page.stage.setView({ ...view }),
    idle: () => page.stage.idle(),
    pauseTime: (/** @type {number | null} */ t) => page.stage.pauseTime(t),
    boxes: () => boxes(page),
    pipes: () => page.stage.routes.pipes.map((pipe) => ({
      id: pipe.id, a: page.mustGraph().nameOf(pipe.from), b: page.mustGraph().nameOf(pipe.to), state: pipe.state,
      words: describePipe(page.mustGraph(), pipe, page.traffic, page.stage.mirrorsOfPipes.get(pipe)).facts[0],
    })),
    strands: () => page.stage.routes.strands.map((strand) => ({
      collector: page.mustGraph().nameOf(strand.collector), nics: strand.nics.map((row) => page.mustGraph().nics.texts.name[row]),
      ...page.traffic.flowOf(strand.mirrors), width: widthOfStrand(strand, page.traffic),
    })),
    cards: () => [...page.mustGraph().collectors.rowOf.values()].map((row) => {
      const { style, rate, share, isMeasured } = page.traffic.cardOf(row);
      return { name: page.mustGraph().collectors.texts.name[row], state: style.key, words: `${style.glyph} ${style.words}`, rate, share, isMeasured };
    }),
    live: () => ({
      ...page.stage.live.figures, ...page.stage.live.dots.stats(), unit: page.traffic.unit, isStopped: page.traffic.isStopped, silent: [...page.traffic.silent.keys()],
      hasFacts: page.traffic.hasFacts, hasRates: page.traffic.hasRates,
    }),
    destroy: () => page.destroy(),
  };
}

/** @param {MapPage} page @param {string} name @returns {number} node id, 0 when there is none */
function idOfName(page, name) {
  const graph = page.mustGraph();
  for (const table of [graph.nics, graph.vnets, graph.subnets, graph.collectors]) {
    const row = table.texts.name.indexOf(name);
    if (row >= 0) return table.numbers.id[row];
  }
  return 0;
}

/** @param {MapPage} page @param {number} id @returns {Box | null} px in the window, for a real mouse */
function screenBox(page, id) {
  const box = page.graph?.boxOf(id);
  const host = page.host.getBoundingClientRect();
  if (box) {
    const on = boxToScreen(page.stage.view, page.stage.size, box);
    return { x: on.x + host.left, y: on.y + host.top, w: on.w, h: on.h };
  }
  const pipe = page.stage.routes.pipes.find((one) => one.id === id);
  if (!pipe) return null;
  const middle = 2 * Math.floor(pipe.points.length / 4 / 2);
  const at = toScreen(page.stage.view, page.stage.size, pipe.points[middle], pipe.points[middle + 1]);
  return { x: at.x + host.left - 2, y: at.y + host.top - 2, w: 4, h: 4 };
}

/** @param {MapPage} page @param {string} kind @returns {number[]} ids of nodes of a kind that are at least partly in the picture */
function visibleIds(page, kind) {
  const graph = page.mustGraph();
  const seen = visibleBox(page.stage.view, page.stage.size);
  const table = graph.tables[`${kind}s`];
  if (!table) return [];
  return [...table.rowOf.keys()].filter((id) => {
    const box = graph.boxOf(id);
    return box !== null && overlaps(box, seen);
  }).sort((a, b) => a - b);
}

/** @param {MapPage} page @returns {Array<{id: number, kind: string, name: string} & Box>} world boxes of VNets, subnets, collectors */
function boxes(page) {
  const graph = page.mustGraph();
  return ["region", "vnet", "subnet", "collector", "nic"].flatMap((kind) =>
    [...graph.tables[`${kind}s`].rowOf.keys()].map((id) => ({ id, kind, name: graph.nameOf(id), .../** @type {Box} */ (graph.boxOf(id)) })));
}
