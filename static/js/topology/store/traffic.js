// @ts-check
/**
 * What is measured, as the map needs it: the store of rates (live/rates.js) and what the server says of each collector. From both: a rate and a
 * look for each mirror, strand, pipe and card.
 *
 * Rule 1: not seeing is not zero. NaN is "not known", 0 is a measured zero, and the two never look alike. Rule 2: pure: no clock, no canvas.
 */

import { collectorState, isMute, isWithoutNumbers, liveStyle, STRAND_LOOKS } from "./states.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./units.js").Unit} Unit */
/** @typedef {import("./states.js").StateStyle} StateStyle */
/** @typedef {import("../../live/rates.js").Rates} Rates */
/**
 * @typedef {object} CollectorFacts  of `GET topology/traffic`
 * @property {number} id node id
 * @property {string} state a key of LIVE_STATES
 * @property {string} words one sentence, "" when there is nothing to say
 * @property {string[]} rules ids of the health rules that decided
 * @property {string} alarm "A-117" or ""
 * @property {number | null} capacity_bits_per_s null = not known, so not judged
 * @property {number | null} drops_per_s
 * @property {string} origin who counts, in words: "agent"
 * @property {number | null} interval_s what the source declares
 * @property {number | null} lag_s how late its newest number was
 * @property {number | null} arrived_ms when its last report came, unix ms
 * @property {boolean} has_sources whether it counts each source by itself
 * @property {boolean} is_estimate made of everything its NIC receives
 * @property {number} members
 * @property {number} members_missing
 */
/** @typedef {{id: number, words: string}} Silent node id of a NIC that is mirrored and of which nothing arrives */
/** @typedef {{collectors: CollectorFacts[], silent: Silent[]}} Facts */
/** @typedef {"flowing" | "quiet" | "unavailable" | "stale" | "unmeasured"} LookKey */
/** @typedef {{rate: number, known: number, total: number, look: LookKey}} Flow  rate of the known ones, NaN when none is known */

/** The outer headers that mirroring adds to each packet: 50 octets. */
export const OUTER_BITS = 400;
const NARROWEST = 1.6;
const WIDEST = 6;
/** log10 of the rates that are drawn narrowest and widest. @type {Record<Unit, [number, number]>} */
export const SCALE = { bits: [6, 10], packets: [2, 6] };

/** @param {number} rate per second @param {Unit} unit @returns {number} 0..1 on the log scale of widths, dots and speeds */
export function magnitude(rate, unit) {
  const [low, high] = SCALE[unit];
  return rate > 0 ? Math.min(1, Math.max(0, (Math.log10(rate) - low) / (high - low))) : 0;
}

/** @param {number} rate per second, > 0 @param {Unit} unit @returns {number} world units */
export function strandWidth(rate, unit) {
  return NARROWEST + (WIDEST - NARROWEST) * magnitude(rate, unit);
}

export class Traffic {
  /** @param {Rates} rates */
  constructor(rates) {
    this.rates = rates;
    /** How a moment (unix ms) is said on the map: in the browser's own zone, unless the page has another one. @type {(ms: number) => string} */
    this.timeOf = (ms) => new Date(ms).toLocaleTimeString("sv-SE");
    /** @type {Unit} */
    this.unit = "bits";
    /** @type {Graph | null} */
    this.graph = null;
    /** @type {Map<number, number>} node id of a mirror or collector → place among the series */
    this.placeOf = new Map();
    /** @type {Map<number, CollectorFacts>} */
    this.factsOf = new Map();
    /** @type {Map<number, string>} NIC id → why it is marked */
    this.silent = new Map();
    /** Whether the server ever told who measures. */
    this.hasFacts = false;
    /** The feed stopped: what is shown is the last picture we trust. */
    this.isStopped = false;
  }

  /** The places follow the snapshot: mirrors by id, then collectors by id. @param {Graph} graph */
  setGraph(graph) {
    this.graph = graph;
    const ascending = (/** @type {Iterable<number>} */ ids) => [...ids].sort((a, b) => a - b);
    const ids = [...ascending(graph.mirrors.rowOf.keys()), ...ascending(graph.collectors.rowOf.keys())];
    this.placeOf = ids.length === graph.series.length ? new Map(ids.map((id, place) => [id, place])) : new Map();
  }

  /** @param {Facts} facts */
  setFacts(facts) {
    this.factsOf = new Map(facts.collectors.map((one) => [one.id, one]));
    this.silent = new Map(facts.silent.map((one) => [one.id, one.words]));
    this.hasFacts = true;
  }

  /** Whether any frame of this picture's series has come. */
  get hasRates() {
    return this.rates.arrivedAt !== null;
  }

  /** @param {number} id of a mirror or collector @param {Unit} [unit] @returns {number} per second, NaN when it is not known */
  rateOf(id, unit = this.unit) {
    const place = this.placeOf.get(id);
    if (place === undefined) return NaN;
    return (unit === "bits" ? this.rates.bits : this.rates.packets)[place] ?? NaN;
  }

  /**
   * Several mirrors that run together.
   *
   * @param {Iterable<number>} rows of mirrors @returns {Flow}
   */
  flowOf(rows) {
    const graph = /** @type {Graph} */ (this.graph);
    const { id, collector } = graph.mirrors.numbers;
    let rate = 0;
    let known = 0;
    let total = 0;
    let isUnavailable = true;
    let isStale = true;
    for (const row of rows) {
      total++;
      const one = this.rateOf(id[row]);
      if (Number.isNaN(one)) {
        const facts = this.factsOf.get(collector[row]);
        isUnavailable &&= facts !== undefined && !facts.has_sources && !isMute(facts.state);
        isStale &&= (facts !== undefined && isMute(facts.state)) || (facts === undefined && this.hasFacts && this.hasRates);
        continue;
      }
      known++;
      rate += one;
    }
    /** @type {LookKey} */
    const look = known ? (rate > 0 ? "flowing" : "quiet") : isUnavailable ? "unavailable" : isStale ? "stale" : "unmeasured";
    return { rate: known ? rate : NaN, known, total, look };
  }

  /** @param {Iterable<number>} rows of mirrors @returns {StateStyle} */
  lookOf(rows) {
    return STRAND_LOOKS[this.flowOf(rows).look];
  }

  /**
   * What a card shows.
   *
   * @param {number} row of a collector
   * @returns {{style: StateStyle, facts: CollectorFacts | null, rate: number, share: number, isMeasured: boolean}}
   *   `share` of the capacity, wire bits as health judges them; NaN when the rate or the capacity is not known
   */
  cardOf(row) {
    const graph = /** @type {Graph} */ (this.graph);
    const id = graph.collectors.numbers.id[row];
    const inventory = collectorState(graph.collectors.texts.state[row]);
    const facts = this.factsOf.get(id) ?? null;
    if (inventory.key !== "ok") return { style: inventory, facts, rate: NaN, share: NaN, isMeasured: false };
    const rate = this.rateOf(id);
    const isMeasured = (facts !== null && !isWithoutNumbers(facts.state)) || Number.isFinite(rate);
    const style = liveStyle(facts?.state ?? "none", Number.isFinite(rate));
    const wire = this.rateOf(id, "bits") + OUTER_BITS * this.rateOf(id, "packets");
    return { style, facts, rate, share: facts?.capacity_bits_per_s ? wire / facts.capacity_bits_per_s : NaN, isMeasured };
  }

  /**
   * The sources of a collector, the largest first.
   *
   * @param {number} collectorId @param {number} most @param {Unit} [unit]
   * @returns {{items: Array<{nic: number, mirror: number, rate: number}>, known: number, total: number}}
   */
  talkersOf(collectorId, most, unit = this.unit) {
    const graph = /** @type {Graph} */ (this.graph);
    const rows = graph.mirrorsOfCollector.get(collectorId) ?? [];
    const all = rows.map((row) => ({ nic: graph.mirrors.numbers.nic[row], mirror: graph.mirrors.numbers.id[row], rate: this.rateOf(graph.mirrors.numbers.id[row], unit) }));
    const known = all.filter((one) => !Number.isNaN(one.rate)).sort((a, b) => b.rate - a.rate || a.mirror - b.mirror);
    return { items: known.slice(0, most), known: known.length, total: all.length };
  }
}
