// @ts-check
/**
 * Where pipes and strands run, in world units. Pure geometry, no drawing.
 *
 *     [NIC]  [NIC]            a strand leaves the chip downwards, joins its row's lane in the gap below,
 *      └──────┴───────┐       follows the lane to the gutter between subnet and VNet edge,
 *     [NIC]  [NIC]    │       gathers at the port,
 *             └──────┐│
 *                    └┴═(=======pipe=======)═──► [collector card]
 *
 * Rule 1: a hub is entered from its left or right, at the height of the card a pipe feeds, so nothing runs along its edge.
 * Rule 2: lanes are nested (the row farthest from the port takes the outermost lane), so they do not cross on their way.
 * Rule 3: ports on one edge are in the order of their peers and keep a distance, so pipes do not cross at the edge.
 * Rule 4: a pipe without mirrors between two boxes above each other is short and straight. One that would run over other boxes goes round them,
 * thinner, through the gaps; where there is no way round it stays behind them and is painted faintly (`isBehind`).
 */

import { boxAt } from "./graph.js";
import { overlaps } from "./view.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {"left" | "right" | "top" | "bottom"} Side */
/** @typedef {{x: number, y: number, side: Side}} Port */
/**
 * @typedef {object} Pipe  from a spoke (`from`) to the VNet it feeds or hangs on (`to`)
 * @property {number} id peering id; 0 when mirrors run where no peering is known
 * @property {number} a VNet id of the wire's side a
 * @property {number} from VNet id
 * @property {number} to VNet id
 * @property {Port} start
 * @property {Port} end
 * @property {number} width
 * @property {string} state "missing" when there is no peering
 * @property {string} detail
 * @property {boolean} isGlobal
 * @property {number} mirrors how many run through it
 * @property {number[] | null} corners of a way round other boxes, x0 y0 x1 y1 …; null = a curve from port to port
 * @property {boolean} isBehind it runs behind boxes it has nothing to do with
 * @property {Float64Array} points centre line, x0 y0 x1 y1 …
 * @property {Box} box
 */
/**
 * @typedef {object} Strand  one row of one subnet to one collector
 * @property {number} vnet
 * @property {number} collector collector id
 * @property {Pipe | null} pipe null inside one VNet
 * @property {number[]} mirrors mirror rows
 * @property {number[]} nics NIC rows
 * @property {Float64Array} way inside its own VNet: along the row, through the gutter, to the port
 * @property {Float64Array} lane inside the pipe; empty inside one VNet
 * @property {Float64Array} last from the hub's port into the card; empty inside one VNet
 * @property {Float64Array} trunk the three as one line
 * @property {Float64Array[]} stubs from each chip to the lane, in the order of `nics`
 * @property {Box} box
 */
/** @typedef {{pipes: Pipe[], strands: Strand[], strandsOfVnet: Map<number, Strand[]>, strandOfMirror: Map<number, Strand>}} Routes */

const PIPE_WIDTH = 22;
const PIPE_MIN_WIDTH = 5;
const PORT_GAP = 34;
const PORT_LEAST_GAP = 8;
const SEGMENTS = 28;
const CORNER = 6;
const DETOUR_WIDTH = 9;
const DETOUR_CORNER = 14;
/** How far a way round stays from the boxes it goes round: half of the narrowest gap between VNets. */
const DETOUR_GAP = 13;
/** Where more are drawn, none goes round: they are lines then, and nobody could follow so many. */
export const FEW_PIPES = 80;
/** The longest straight pipe between two boxes above each other. */
const LONGEST_SHAFT = 120;
/** Where a chip's glyph stands, and its strand leaves: from its left edge. */
export const DOT_X = 12;
const CARD_INSET = 18;
const NOTHING = new Float64Array(0);

/**
 * @param {Graph} graph
 * @returns {Routes}
 */
export function routesOf(graph) {
  const groups = groupMirrors(graph);
  const pipes = makePipes(graph, groups);
  placePorts(graph, pipes, groups);
  for (const pipe of pipes) trace(pipe);
  goRound(graph, pipes);
  const strands = makeStrands(graph, pipes, groups);
  /** @type {Routes} */
  const routes = { pipes, strands, strandsOfVnet: new Map(), strandOfMirror: new Map() };
  for (const strand of strands) {
    const list = routes.strandsOfVnet.get(strand.vnet);
    if (list) list.push(strand);
    else routes.strandsOfVnet.set(strand.vnet, [strand]);
    for (const row of strand.mirrors) routes.strandOfMirror.set(graph.mirrors.numbers.id[row], strand);
  }
  return routes;
}

/** @typedef {{vnet: number, collector: number, subnet: number, line: number, y: number, mirrors: number[], nics: number[]}} Group */

/** One group per (collector, subnet, row of chips). @param {Graph} graph @returns {Group[]} */
function groupMirrors(graph) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const { nic, collector } = graph.mirrors.numbers;
  for (let row = 0; row < graph.mirrors.size; row++) {
    const nicRow = graph.nics.rowOf.get(nic[row]);
    if (nicRow === undefined || !graph.collectors.rowOf.has(collector[row])) continue;
    const subnet = graph.nics.numbers.subnet[nicRow];
    const subnetRow = graph.subnets.rowOf.get(subnet);
    if (subnetRow === undefined) continue;
    const line = Math.floor(graph.nics.numbers.slot[nicRow] / Math.max(1, graph.subnets.numbers.columns[subnetRow]));
    const key = `${collector[row]}:${subnet}:${line}`;
    let group = groups.get(key);
    if (!group) {
      const y = graph.nicY[nicRow] + graph.chipH + (graph.geometry.cell_h - graph.chipH) / 2;
      group = { vnet: graph.subnets.numbers.vnet[subnetRow], collector: collector[row], subnet, line, y, mirrors: [], nics: [] };
      groups.set(key, group);
    }
    group.mirrors.push(row);
    group.nics.push(nicRow);
  }
  return [...groups.values()].sort((a, b) => a.y - b.y || a.collector - b.collector);
}

/** @param {number} a @param {number} b */
function pairKey(a, b) {
  return a < b ? `${a}:${b}` : `${b}:${a}`;
}

/** @param {Graph} graph @param {Group[]} groups @returns {Pipe[]} without places yet */
function makePipes(graph, groups) {
  /** @type {Map<string, Pipe>} */
  const byPair = new Map();
  const { id, a, b, is_global } = graph.peerings.numbers;
  for (let row = 0; row < graph.peerings.size; row++) {
    if (!graph.vnets.rowOf.has(a[row]) || !graph.vnets.rowOf.has(b[row])) continue;
    const isToB = weight(graph, b[row]) >= weight(graph, a[row]);
    byPair.set(pairKey(a[row], b[row]), {
      ...emptyPipe(isToB ? a[row] : b[row], isToB ? b[row] : a[row]),
      id: id[row], a: a[row], state: graph.peerings.texts.state[row], detail: graph.peerings.texts.detail[row], isGlobal: is_global[row] === 1,
    });
  }
  for (const group of groups) {
    const to = collectorVnet(graph, group.collector);
    if (!to || to === group.vnet) continue;
    const key = pairKey(group.vnet, to);
    let pipe = byPair.get(key);
    if (!pipe) {
      pipe = emptyPipe(group.vnet, to);
      byPair.set(key, pipe);
    }
    pipe.mirrors += group.mirrors.length;
    if (pipe.from !== group.vnet) [pipe.from, pipe.to] = [pipe.to, pipe.from];
  }
  return [...byPair.values()];
}

/** @param {number} from @param {number} to @returns {Pipe} */
function emptyPipe(from, to) {
  return {
    id: 0, a: from, from, to, start: { x: 0, y: 0, side: "right" }, end: { x: 0, y: 0, side: "left" }, width: PIPE_WIDTH, state: "missing",
    corners: null, isBehind: false, detail: "", isGlobal: false, mirrors: 0, points: new Float64Array(0), box: { x: 0, y: 0, w: 0, h: 0 },
  };
}

/** @param {Graph} graph @param {number} vnetId @returns {number} hubs and VNets with collectors draw pipes towards them */
function weight(graph, vnetId) {
  const row = /** @type {number} */ (graph.vnets.rowOf.get(vnetId));
  const role = graph.vnets.texts.role[row];
  return (graph.collectorsOfVnet.has(vnetId) ? 2e6 : 0) + (role === "hub" ? 1e6 : 0) + (graph.peeringsOfVnet.get(vnetId)?.length ?? 0) - (role === "ghost" ? 1e5 : 0);
}

/** @param {Graph} graph @param {number} collectorId */
function collectorVnet(graph, collectorId) {
  const row = graph.collectors.rowOf.get(collectorId);
  const vnet = row === undefined ? 0 : graph.collectors.numbers.vnet[row];
  return graph.vnets.rowOf.has(vnet) ? vnet : 0;
}

/** @param {Graph} graph @param {number} vnetId @returns {Box} */
function vnetBox(graph, vnetId) {
  return boxAt(graph.vnets, /** @type {number} */ (graph.vnets.rowOf.get(vnetId)));
}

/**
 * Chooses sides, then spreads the ports of each edge.
 *
 * @param {Graph} graph @param {Pipe[]} pipes @param {Group[]} groups
 */
function placePorts(graph, pipes, groups) {
  /** @type {Map<string, Array<{port: Port, pipe: Pipe, order: number, wish: number}>>} ports of each edge */
  const edges = new Map();
  const wishes = cardWishes(graph, groups);
  const others = obstacles(graph, pipes);
  for (const pipe of pipes) {
    const from = vnetBox(graph, pipe.from);
    const to = vnetBox(graph, pipe.to);
    const gapX = Math.max(to.x - (from.x + from.w), from.x - (to.x + to.w));
    const gapY = Math.max(to.y - (from.y + from.h), from.y - (to.y + to.h));
    const isFromLeft = from.x + from.w / 2 <= to.x + to.w / 2;
    const shaft = pipe.mirrors === 0 && gapY > 0 && gapY <= LONGEST_SHAFT ? shaftBetween(from, to) : null;
    if (shaft && !others.some((other) => other.id !== pipe.from && other.id !== pipe.to && overlaps(other.box, shaft))) {
      const isAbove = from.y < to.y;
      const x = shaft.x + shaft.w / 2;
      pipe.start = { x, y: isAbove ? from.y + from.h : from.y, side: isAbove ? "bottom" : "top" };
      pipe.end = { x, y: isAbove ? to.y : to.y + to.h, side: isAbove ? "top" : "bottom" };
      remember(edges, pipe.from, { port: pipe.start, pipe, order: to.x + to.w / 2, wish: x });
      remember(edges, pipe.to, { port: pipe.end, pipe, order: from.x + from.w / 2, wish: x });
      continue;
    }
    pipe.end.side = isFromLeft ? "left" : "right";
    pipe.end.x = isFromLeft ? to.x : to.x + to.w;
    if (gapX >= 24 && gapX >= gapY * 0.35) {
      pipe.start.side = isFromLeft ? "right" : "left";
      pipe.start.x = isFromLeft ? from.x + from.w : from.x;
    } else if (gapX >= 24) {
      const isAbove = from.y + from.h / 2 <= to.y + to.h / 2;
      const gutter = graph.geometry.vnet_pad / 2;
      pipe.start.side = isAbove ? "bottom" : "top";
      pipe.start.y = isAbove ? from.y + from.h : from.y;
      pipe.start.x = isFromLeft ? from.x + gutter : from.x + from.w - gutter;
    } else { // above each other with something between, or with mirrors: out and in on the same side, through the gutter beside both
      const isLeft = Math.abs(from.x - to.x) <= Math.abs(from.x + from.w - (to.x + to.w));
      pipe.start.side = pipe.end.side = isLeft ? "left" : "right";
      pipe.start.x = isLeft ? from.x : from.x + from.w;
      pipe.end.x = isLeft ? to.x : to.x + to.w;
    }
    if (pipe.start.side === "left" || pipe.start.side === "right") {
      remember(edges, pipe.from, { port: pipe.start, pipe, order: to.y + to.h / 2, wish: to.y + to.h / 2 });
    }
    const wish = wishes.get(pairKey(pipe.from, pipe.to)) ?? Math.min(Math.max(from.y + from.h / 2, to.y), to.y + to.h);
    remember(edges, pipe.to, { port: pipe.end, pipe, order: from.y + from.h / 2, wish });
  }
  for (const [key, ends] of edges) {
    const box = vnetBox(graph, Number(key.split(":")[0]));
    if (key.endsWith(":top") || key.endsWith(":bottom")) {
      ends.sort((a, b) => a.wish - b.wish || a.order - b.order || a.pipe.id - b.pipe.id);
      const inset = Math.min(24, box.w * 0.2);
      spread(ends.map((end) => end.wish), box.x + inset, box.x + box.w - inset, PORT_GAP).forEach((x, index) => (ends[index].port.x = x));
      continue;
    }
    const top = box.y + Math.min(48, box.h * 0.3);
    const bottom = box.y + box.h - Math.min(24, box.h * 0.2);
    ends.sort((a, b) => a.order - b.order || a.pipe.id - b.pipe.id);
    // Where mirrors come in, all ports keep near the cards they feed, however many they are.
    const cards = ends.some((end) => end.pipe.to === Number(key.split(":")[0]) && end.pipe.mirrors > 0) ? graph.collectorsOfVnet.get(Number(key.split(":")[0])) ?? [] : [];
    const rows = new Set(cards.map((row) => graph.collectors.numbers.y[row])).size;
    const wanted = cards.length ? Math.max(PORT_LEAST_GAP, (rows * graph.collectors.numbers.h[cards[0]]) / ends.length) : PORT_GAP;
    const gap = ends.length > 1 ? Math.min(PORT_GAP, wanted, (bottom - top) / (ends.length - 1)) : PORT_GAP;
    const places = spread(ends.map((end) => end.wish), top, bottom, gap);
    ends.forEach((end, index) => {
      end.port.y = places[index];
      end.pipe.width = Math.max(PIPE_MIN_WIDTH, Math.min(end.pipe.width, gap * 0.66));
    });
  }
}

/**
 * @template T
 * @param {Map<string, T[]>} edges @param {number} vnetId @param {T & {port: Port}} end
 */
function remember(edges, vnetId, end) {
  const key = `${vnetId}:${end.port.side}`;
  const list = edges.get(key);
  if (list) list.push(end);
  else edges.set(key, [end]);
}

/** @param {Graph} graph @param {Group[]} groups @returns {Map<string, number>} VNet pair → height at which its mirrors want to enter */
function cardWishes(graph, groups) {
  /** @type {Map<string, Map<number, number>>} */
  const cards = new Map();
  for (const group of groups) {
    const to = collectorVnet(graph, group.collector);
    if (!to || to === group.vnet) continue;
    const key = pairKey(group.vnet, to);
    const perCard = cards.get(key) ?? new Map();
    perCard.set(group.collector, (perCard.get(group.collector) ?? 0) + group.mirrors.length);
    cards.set(key, perCard);
  }
  /** @type {Map<string, number>} */
  const wishes = new Map();
  for (const [key, perCard] of cards) {
    let sum = 0;
    let all = 0;
    for (const [collector, mirrors] of perCard) {
      const box = /** @type {Box} */ (graph.boxOf(collector));
      sum += mirrors * (box.y + box.h / 2);
      all += mirrors;
    }
    wishes.set(key, sum / all);
  }
  return wishes;
}

/**
 * Places on a line in the given order, near their wishes, at least `gap` apart (less if there is no room).
 *
 * @param {number[]} wishes @param {number} from @param {number} to @param {number} gap @returns {number[]}
 */
export function spread(wishes, from, to, gap) {
  const n = wishes.length;
  if (n === 0) return [];
  const step = n > 1 ? Math.min(gap, Math.max(0, (to - from) / (n - 1))) : 0;
  const low = wishes.map((wish) => Math.min(to, Math.max(from, wish)));
  const high = low.slice();
  for (let i = 1; i < n; i++) low[i] = Math.max(low[i], low[i - 1] + step);
  for (let i = n - 2; i >= 0; i--) high[i] = Math.min(high[i], high[i + 1] - step);
  const places = low.map((value, index) => (value + high[index]) / 2);
  for (let i = 0; i < n; i++) places[i] = Math.max(places[i], from + i * step, i ? places[i - 1] + step : from);
  for (let i = n - 1; i >= 0; i--) places[i] = Math.min(places[i], to - (n - 1 - i) * step);
  return places;
}

/**
 * What pipes should not run over: VNets and the cards that stand free; nothing where there are too many to look at.
 *
 * @param {Graph} graph @param {Pipe[]} pipes @returns {Array<{id: number, box: Box}>} with the VNet's id, 0 for a card
 */
function obstacles(graph, pipes) {
  if (pipes.length > FEW_PIPES) return [];
  const found = Array.from({ length: graph.vnets.size }, (_, row) => ({ id: graph.vnets.numbers.id[row], box: boxAt(graph.vnets, row) }));
  for (let row = 0; row < graph.collectors.size; row++) {
    if (!graph.vnets.rowOf.has(graph.collectors.numbers.vnet[row])) found.push({ id: 0, box: boxAt(graph.collectors, row) });
  }
  return found;
}

/** The space for a straight pipe between two boxes above each other. @param {Box} a @param {Box} b @returns {Box | null} */
function shaftBetween(a, b) {
  const left = Math.max(a.x, b.x);
  const right = Math.min(a.x + a.w, b.x + b.w);
  if (right - left < 2 * PORT_GAP) return null;
  const top = Math.min(a.y + a.h, b.y + b.h);
  return { x: (left + right) / 2 - PIPE_WIDTH / 2, y: top, w: PIPE_WIDTH, h: Math.max(a.y, b.y) - top };
}

/** Pipes that run over boxes they have nothing to do with take a way round, or lie behind. @param {Graph} graph @param {Pipe[]} pipes */
function goRound(graph, pipes) {
  const boxes = obstacles(graph, pipes);
  for (const pipe of pipes) {
    const others = boxes.filter((other) => other.id !== pipe.from && other.id !== pipe.to && overlaps(other.box, pipe.box));
    const hit = others.filter(({ box }) => crosses(pipe.points, box));
    if (!hit.length) continue;
    const way = pipe.mirrors || pipe.start.side === "top" || pipe.start.side === "bottom" ? null : wayRound(pipe, hit.map(({ box }) => box), boxes);
    if (!way) {
      pipe.isBehind = true;
      continue;
    }
    pipe.corners = way;
    pipe.width = Math.min(pipe.width, DETOUR_WIDTH);
    trace(pipe);
  }
}

/** @param {Float64Array | number[]} line short or level steps @param {Box} box @returns {boolean} whether it runs through the box, not only along its rim */
function crosses(line, box) {
  for (let i = 0; i + 3 < line.length; i += 2) {
    if (Math.max(line[i], line[i + 2]) > box.x + 2 && Math.min(line[i], line[i + 2]) < box.x + box.w - 2
      && Math.max(line[i + 1], line[i + 3]) > box.y + 2 && Math.min(line[i + 1], line[i + 3]) < box.y + box.h - 2) return true;
  }
  return false;
}

/**
 * The shortest way in right angles that is free: beside what is in the way, above or below it.
 *
 * @param {Pipe} pipe @param {Box[]} hit @param {Array<{id: number, box: Box}>} boxes @returns {number[] | null} corners
 */
function wayRound(pipe, hit, boxes) {
  const { start, end } = pipe;
  const isRight = start.side === "right";
  const near = isRight ? Math.min(...hit.map((box) => box.x)) - DETOUR_GAP : Math.max(...hit.map((box) => box.x + box.w)) + DETOUR_GAP;
  const far = isRight ? Math.max(...hit.map((box) => box.x + box.w)) + DETOUR_GAP : Math.min(...hit.map((box) => box.x)) - DETOUR_GAP;
  /** @type {number[] | null} */
  let best = null;
  let least = Infinity;
  for (const { box } of boxes) {
    for (const y of [box.y - DETOUR_GAP, box.y + box.h + DETOUR_GAP]) {
      const corners = start.side === end.side ? [start.x, start.y, far, start.y, far, end.y, end.x, end.y]
        : [start.x, start.y, near, start.y, near, y, far, y, far, end.y, end.x, end.y];
      const length = Math.abs(y - start.y) + Math.abs(y - end.y);
      if (length >= least || boxes.some((other) => crosses(corners, other.box))) continue;
      best = corners;
      least = length;
    }
  }
  return best;
}

/** @param {Side} side @returns {{x: number, y: number}} outwards */
function outward(side) {
  if (side === "left") return { x: -1, y: 0 };
  if (side === "right") return { x: 1, y: 0 };
  return side === "top" ? { x: 0, y: -1 } : { x: 0, y: 1 };
}

/** @param {Pipe} pipe @returns {[number, number, number, number, number, number, number, number]} cubic Bézier */
function controls(pipe) {
  const { start, end } = pipe;
  const out = outward(start.side);
  const into = outward(end.side);
  const far = Math.hypot(end.x - start.x, end.y - start.y);
  const isLevel = start.side === "left" || start.side === "right";
  const least = Math.min(40, Math.max(far / 2, 12));
  const reach = start.side === end.side ? 44 : isLevel ? Math.max(least, Math.abs(end.x - start.x) / 2) : Math.max(least, Math.min(120, far / 3));
  const back = start.side === end.side ? 44 : Math.max(least, Math.min(reach, far / 2));
  return [start.x, start.y, start.x + out.x * reach, start.y + out.y * reach, end.x + into.x * back, end.y + into.y * back, end.x, end.y];
}

/** @param {Pipe} pipe @returns {Float64Array} its centre line in equal steps */
function centreOf(pipe) {
  if (pipe.corners) return evenly(rounded(pipe.corners, DETOUR_CORNER), 3 * SEGMENTS);
  const [x0, y0, x1, y1, x2, y2, x3, y3] = controls(pipe);
  const points = new Float64Array(2 * (SEGMENTS + 1));
  for (let i = 0; i <= SEGMENTS; i++) {
    const t = i / SEGMENTS;
    const u = 1 - t;
    points[2 * i] = u * u * u * x0 + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t * t * t * x3;
    points[2 * i + 1] = u * u * u * y0 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t * t * t * y3;
  }
  return points;
}

/** @param {Float64Array} line @param {number} steps @returns {Float64Array} the same line as `steps` pieces of equal length */
function evenly(line, steps) {
  let length = 0;
  for (let i = 2; i < line.length; i += 2) length += Math.hypot(line[i] - line[i - 2], line[i + 1] - line[i - 1]);
  const out = new Float64Array(2 * (steps + 1));
  let at = 0;
  let walked = 0;
  for (let step = 0; step <= steps; step++) {
    const wanted = (length * step) / steps;
    for (;;) {
      const here = Math.hypot(line[at + 2] - line[at], line[at + 3] - line[at + 1]);
      if (walked + here >= wanted - 1e-9 || at + 4 >= line.length) {
        const t = here ? Math.min(1, (wanted - walked) / here) : 0;
        out[2 * step] = line[at] + (line[at + 2] - line[at]) * t;
        out[2 * step + 1] = line[at + 1] + (line[at + 3] - line[at + 1]) * t;
        break;
      }
      walked += here;
      at += 2;
    }
  }
  return out;
}

/**
 * The line at a distance from a pipe's centre line; positive is to the right hand of the way.
 *
 * @param {Pipe} pipe @param {number} offset @returns {Float64Array}
 */
export function pipeLane(pipe, offset) {
  const centre = centreOf(pipe);
  if (!offset) return centre;
  const points = new Float64Array(centre.length);
  const last = centre.length - 2;
  const first = outward(pipe.start.side);
  const into = outward(pipe.end.side);
  for (let i = 0; i <= last; i += 2) {
    const dx = i === 0 ? first.x : i === last ? -into.x : centre[i + 2] - centre[i - 2];
    const dy = i === 0 ? first.y : i === last ? -into.y : centre[i + 3] - centre[i - 1];
    const length = Math.hypot(dx, dy) || 1;
    points[i] = centre[i] - (dy / length) * offset;
    points[i + 1] = centre[i + 1] + (dx / length) * offset;
  }
  return points;
}

/** @param {Pipe} pipe */
function trace(pipe) {
  pipe.points = pipeLane(pipe, 0);
  pipe.box = grow(boundsOf([pipe.points]), pipe.width);
}

/** @param {Array<Float64Array>} lines @returns {Box} */
function boundsOf(lines) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      left = Math.min(left, line[i]);
      right = Math.max(right, line[i]);
      top = Math.min(top, line[i + 1]);
      bottom = Math.max(bottom, line[i + 1]);
    }
  }
  return { x: left, y: top, w: right - left, h: bottom - top };
}

/** @param {Box} box @param {number} by @returns {Box} */
function grow(box, by) {
  return { x: box.x - by, y: box.y - by, w: box.w + 2 * by, h: box.h + 2 * by };
}

/**
 * A line through the corners with rounded bends.
 *
 * @param {number[]} corners x0 y0 x1 y1 … @param {number} radius @returns {Float64Array}
 */
export function rounded(corners, radius) {
  const out = [corners[0], corners[1]];
  const n = corners.length / 2;
  for (let i = 1; i < n - 1; i++) {
    const [px, py, x, y, nx, ny] = corners.slice(2 * i - 2, 2 * i + 4);
    const before = Math.hypot(x - px, y - py);
    const after = Math.hypot(nx - x, ny - y);
    const r = Math.min(radius, before / 2, after / 2);
    if (r < 0.5) {
      out.push(x, y);
      continue;
    }
    const ax = x + ((px - x) / before) * r;
    const ay = y + ((py - y) / before) * r;
    const bx = x + ((nx - x) / after) * r;
    const by = y + ((ny - y) / after) * r;
    for (let s = 0; s <= 4; s++) {
      const t = s / 4;
      const u = 1 - t;
      out.push(u * u * ax + 2 * u * t * x + t * t * bx, u * u * ay + 2 * u * t * y + t * t * by);
    }
  }
  out.push(corners[2 * n - 2], corners[2 * n - 1]);
  return Float64Array.from(out);
}

/**
 * @param {Graph} graph @param {Pipe[]} pipes @param {Group[]} groups @returns {Strand[]}
 */
function makeStrands(graph, pipes, groups) {
  /** @type {Map<string, Pipe>} */
  const byPair = new Map(pipes.map((pipe) => [pairKey(pipe.from, pipe.to), pipe]));
  /** @type {Map<Pipe, Group[]>} */
  const perPipe = new Map();
  /** @type {Strand[]} */
  const strands = [];
  /** @type {Map<string, number>} */
  const insideCount = new Map();
  for (const group of groups) {
    const to = collectorVnet(graph, group.collector);
    const pipe = to && to !== group.vnet ? byPair.get(pairKey(group.vnet, to)) : undefined;
    if (pipe && pipe.from === group.vnet) {
      const list = perPipe.get(pipe);
      if (list) list.push(group);
      else perPipe.set(pipe, [group]);
      continue;
    }
    const key = `${group.vnet}:${group.collector}`;
    const index = insideCount.get(key) ?? 0;
    insideCount.set(key, index + 1);
    strands.push(insideStrand(graph, group, pipe ?? null, index));
  }
  for (const [pipe, list] of perPipe) strands.push(...pipeStrands(graph, pipe, list));
  return strands;
}

/**
 * Strands of one pipe: nested lanes in the gutter, side by side in the pipe, into the card.
 *
 * @param {Graph} graph @param {Pipe} pipe @param {Group[]} groups by y @returns {Strand[]}
 */
function pipeStrands(graph, pipe, groups) {
  const box = vnetBox(graph, pipe.from);
  const isSideways = pipe.start.side === "left" || pipe.start.side === "right";
  const isRight = isSideways ? pipe.start.side === "right" : pipe.start.x > box.x + box.w / 2;
  const edge = isRight ? box.x + box.w : box.x;
  const inward = isRight ? -1 : 1;
  const pad = graph.geometry.vnet_pad;

  // Depth 0 is the outermost lane: the row farthest from the port on its side of it.
  const above = groups.filter((group) => group.y <= pipe.start.y);
  const below = groups.filter((group) => group.y > pipe.start.y).reverse();
  const depth = new Map([...above.entries(), ...below.entries()].map(([index, group]) => [group, index]));
  const deepest = Math.max(above.length, below.length, 1);
  const pitch = Math.min(3, (pad - 6) / deepest);
  const inset = (pad - pitch * (deepest - 1)) / 2;

  // Side by side in the pipe, first by the card they end at, then by height.
  const cardY = (/** @type {Group} */ group) => (/** @type {Box} */ (graph.boxOf(group.collector))).y;
  const order = [...groups].sort((a, b) => cardY(a) - cardY(b) || a.y - b.y);
  const lanePitch = order.length > 1 ? Math.min(4.5, (pipe.width - 7) / (order.length - 1)) : 0;
  const sign = pipe.start.side === "left" ? -1 : 1;

  return groups.map((group) => {
    const laneX = edge + inward * (inset + pitch * (depth.get(group) ?? 0));
    const offset = isSideways
      ? sign * (order.indexOf(group) - (order.length - 1) / 2) * lanePitch
      : (laneX - pipe.start.x) * (pipe.start.side === "bottom" ? -1 : 1);
    const lane = pipeLane(pipe, offset);
    const portX = lane[0];
    const portY = lane[1];
    const far = farthest(graph, group, laneX);
    const corners = isSideways
      ? [far, group.y, laneX, group.y, laneX, portY, portX, portY]
      : [far, group.y, laneX, group.y, laneX, portY];
    const way = rounded(corners, CORNER);
    const last = lastStretch(graph, group.collector, lane[lane.length - 2], lane[lane.length - 1], lane[lane.length - 1] - pipe.end.y);
    return finish(graph, group, pipe, way, lane, last);
  });
}

/**
 * From the hub's port into the card: level where the port is beside it, else a short bend; a card behind another one is reached
 * through the gap below it.
 *
 * @param {Graph} graph @param {number} collectorId @param {number} x @param {number} y @param {number} shift keeps strands apart
 * @returns {Float64Array}
 */
function lastStretch(graph, collectorId, x, y, shift) {
  const card = /** @type {Box} */ (graph.boxOf(collectorId));
  const pad = graph.geometry.vnet_pad;
  const isLeft = x <= card.x + card.w / 2;
  const cardX = isLeft ? card.x : card.x + card.w;
  const inset = Math.min(CARD_INSET, card.h / 3);
  const cardY = Math.min(card.y + card.h - inset, Math.max(card.y + inset, y - shift)) + shift;
  const gutterX = x + (isLeft ? pad / 2 : -pad / 2) + shift * 0.4;
  const isNear = Math.abs(cardX - x) <= pad + 8;
  if (!isNear && collectorVnet(graph, collectorId)) {
    const gapY = card.y + card.h + 5 + Math.max(-3, Math.min(3, shift * 0.3));
    const entryX = cardX + (isLeft ? 1 : -1) * (24 + shift);
    return rounded([x, y, gutterX, y, gutterX, gapY, entryX, gapY, entryX, card.y + card.h], CORNER);
  }
  if (isNear && Math.abs(cardY - y) > 70) return rounded([x, y, gutterX, y, gutterX, cardY, cardX, cardY], CORNER);
  const middle = (x + cardX) / 2;
  const points = [];
  for (let i = 0; i <= 12; i++) {
    const t = i / 12;
    const u = 1 - t;
    points.push(u * u * u * x + 3 * u * u * t * middle + 3 * u * t * t * middle + t * t * t * cardX);
    points.push(u * u * u * y + 3 * u * u * t * y + 3 * u * t * t * cardY + t * t * t * cardY);
  }
  return Float64Array.from(points);
}

/**
 * A strand to a collector in the same VNet: along the gutter only as far as the gap beside the card, then into its top or bottom.
 * Also used where no way is known at all: then straight to the card.
 *
 * @param {Graph} graph @param {Group} group @param {Pipe | null} pipe @param {number} index @returns {Strand}
 */
function insideStrand(graph, group, pipe, index) {
  const card = /** @type {Box} */ (graph.boxOf(group.collector));
  const box = vnetBox(graph, group.vnet);
  const pad = graph.geometry.vnet_pad;
  const isInside = card.x >= box.x && card.x + card.w <= box.x + box.w + 1 && card.y >= box.y && card.y < box.y + box.h;
  if (!isInside) {
    const isRight = card.x + card.w / 2 > box.x + box.w / 2;
    const gutterX = isRight ? box.x + box.w - pad + 4 : box.x + pad - 4;
    if (card.y >= box.y + box.h && gutterX > card.x && gutterX < card.x + card.w) { // right below: straight down into it
      return finish(graph, group, pipe, rounded([farthest(graph, group, gutterX), group.y, gutterX, group.y, gutterX, card.y], CORNER));
    }
    const edge = isRight ? box.x + box.w : box.x;
    const way = rounded([farthest(graph, group, edge), group.y, edge, group.y], CORNER);
    return finish(graph, group, pipe, way, NOTHING, lastStretch(graph, group.collector, edge, group.y, 0));
  }
  const isBelow = group.y > card.y + card.h;
  const isBeside = group.y >= card.y && group.y <= card.y + card.h;
  const isLeft = nearestX(graph, group) < card.x + card.w / 2;
  if (isBeside) {
    const x = isLeft ? card.x : card.x + card.w;
    return finish(graph, group, null, rounded([farthest(graph, group, x), group.y, x, group.y], CORNER));
  }
  const laneX = isLeft ? box.x + pad / 2 : box.x + box.w - pad / 2;
  const gapY = isBelow ? card.y + card.h + 5 : card.y - 5;
  const x = isLeft ? card.x + 22 + index * 5 : card.x + card.w - 22 - index * 5;
  const corners = [farthest(graph, group, laneX), group.y, laneX, group.y, laneX, gapY, x, gapY, x, isBelow ? card.y + card.h : card.y];
  return finish(graph, group, null, rounded(corners, CORNER));
}

/** @param {Graph} graph @param {Group} group */
function nearestX(graph, group) {
  return graph.nicX[group.nics[0]] + graph.chipW / 2;
}

/** Where a row's lane begins: at the chip farthest from where it leaves. @param {Graph} graph @param {Group} group @param {number} exitX */
function farthest(graph, group, exitX) {
  const xs = group.nics.map((row) => graph.nicX[row] + DOT_X);
  return Math.abs(Math.min(...xs) - exitX) > Math.abs(Math.max(...xs) - exitX) ? Math.min(...xs) : Math.max(...xs);
}

/**
 * @param {Graph} graph @param {Group} group @param {Pipe | null} pipe
 * @param {Float64Array} way @param {Float64Array} [lane] @param {Float64Array} [last] @returns {Strand}
 */
function finish(graph, group, pipe, way, lane = NOTHING, last = NOTHING) {
  const trunk = joined([way, lane, last]);
  const stubs = group.nics.map((row) => Float64Array.from([graph.nicX[row] + DOT_X, graph.nicY[row] + graph.chipH, graph.nicX[row] + DOT_X, group.y]));
  return { vnet: group.vnet, collector: group.collector, pipe, mirrors: group.mirrors, nics: group.nics, way, lane, last, trunk, stubs, box: grow(boundsOf([trunk, ...stubs]), 4) };
}

/** @param {Float64Array[]} parts @returns {Float64Array} */
function joined(parts) {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The piece of a line between two shares of its points.
 *
 * @param {Float64Array} line @param {number} from 0..1 @param {number} to 0..1 @returns {Float64Array}
 */
export function piece(line, from, to) {
  const n = line.length / 2 - 1;
  const first = Math.round(from * n);
  const last = Math.round(to * n);
  return line.subarray(2 * first, 2 * (last + 1));
}

/**
 * The way of one mirror from its chip to the card: its stub, then the trunk from there on.
 *
 * @param {Graph} graph @param {Strand} strand @param {number} mirrorRow @returns {Float64Array}
 */
export function pathOf(graph, strand, mirrorRow) {
  const index = strand.mirrors.indexOf(mirrorRow);
  const stub = strand.stubs[index];
  const x = stub[2];
  // The trunk starts at the farthest chip of the row: skip what lies before this chip.
  let from = 0;
  const isRightwards = strand.trunk[2] > strand.trunk[0];
  while (from + 2 < strand.trunk.length && strand.trunk[from + 1] === strand.trunk[1] && (isRightwards ? strand.trunk[from] < x : strand.trunk[from] > x)) from += 2;
  return joined([rounded([stub[0], stub[1], x, stub[3]], 0), strand.trunk.subarray(from)]);
}
