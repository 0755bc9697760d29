// @ts-check
/**
 * The map page: wires store, draw and wire together. All of its state is here: graph, sequence, selection, focus, open node.
 *
 * Order at the start (seq protocol): open the socket and keep what it says, GET the snapshot, apply the rest.
 */

import { Graph } from "./store/graph.js";
import { add, existing, toggle } from "./store/selection.js";
import { sequenceReceive, sequenceSnapshot, sequenceStart } from "./store/sequence.js";
import { count, LIVE_STATES } from "./store/states.js";
import { Traffic } from "./store/traffic.js";
import { outline, walk } from "./store/tree.js";
import { boxToScreen, fit, levelOf, pan, toWorld, visibleBox, zoomAt } from "./store/view.js";
import { SelectionBar } from "./draw/bar.js";
import { Choosing } from "./draw/choosing.js";
import { describe, describePipe, fillTree, make, putAt, Tooltip } from "./draw/chrome.js";
import { bannersOf, showEmptyStates, staleNames } from "./draw/banners.js";
import { fillLegend } from "./draw/legend.js";
import { LivePanel } from "./draw/live_panel.js";
import { Finder } from "./draw/finder.js";
import { startGestures } from "./draw/gestures.js";
import { areRegionNamesAbove } from "./draw/names.js";
import { Stage } from "./draw/stage.js";
import { AddressBar, readAddress } from "./wire/address.js";
import { fetchHits, fetchSelection, fetchSnapshot, postRearrange, postSelection } from "./wire/fetches.js";
import { InFlight } from "./wire/flight.js";
import { LiveSocket } from "./wire/socket.js";
import { hooksOf } from "./hooks.js";
import { LiveTraffic } from "./live.js";
import { ratesHooksOf } from "../live/hooks.js";
import { Rates } from "../live/rates.js";
import { announce, toast } from "../ui/toast.js";

/** @typedef {import("./store/types.js").NodeRef} NodeRef */
/** @typedef {import("./store/types.js").Message} Message */
/** @typedef {import("./store/types.js").View} View */
/** @typedef {import("./store/types.js").Box} Box */
/** @typedef {import("./store/routes.js").Pipe} Pipe */
/** @typedef {import("./store/units.js").Unit} Unit */
/** @typedef {import("./draw/stage.js").Highlight} Highlight */
/** @typedef {import("./wire/socket.js").SocketState} SocketState */
/** @typedef {import("./wire/fetches.js").Hit} Hit */

const ZOOM_KEY = 1.25;
const FIT_PAD = 12;
const LEGEND_KEY = "vtapweb.map.legend";
const SAY_PAUSE_MS = 2500;
/** The rates in the tree's words are brought up to date so often while it has the focus. */
const TREE_AGAIN_MS = 10_000;
const REFETCH_PAUSE_MS = 1000;
const REFETCH_LONGEST_MS = 30_000;

/**
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} type @returns {T}
 */
function part(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The map page lacks #${id}.`);
  return element;
}

export class MapPage {
  /** @param {HTMLElement} root #map, with the addresses in its data attributes */
  constructor(root) {
    this.root = root;
    this.urls = {
      topology: root.dataset.topology ?? "/api/v1/topology",
      find: root.dataset.find ?? "/api/v1/topology/find",
      panel: root.dataset.panel ?? "/map/panel/",
      selection: root.dataset.selection ?? "/api/v1/topology/selection",
      table: root.dataset.table ?? "/table/nics",
      live: root.dataset.live ?? "/ws/live",
      mirror: root.dataset.mirror ?? "",
      inFlight: root.dataset.inFlight ?? "",
      traffic: root.dataset.traffic ?? "",
      picking: root.dataset.picking ?? "",
      rearrange: root.dataset.rearrange ?? "/api/v1/topology/rearrange",
    };
    this.host = part("map-stage", HTMLElement);
    this.tree = part("map-tree", HTMLElement);
    this.ring = part("map-ring", HTMLElement);
    this.bar = new SelectionBar(part("map-selection", HTMLElement));
    this.banners = part("map-banners", HTMLElement);
    this.legend = part("map-legend", HTMLElement);
    this.panel = part("panel", HTMLElement);
    this.stop = new AbortController();

    /** @type {Graph | null} */
    this.graph = null;
    this.sequence = sequenceStart();
    this.rates = new Rates();
    this.traffic = new Traffic(this.rates);
    /** @type {ReadonlySet<number>} */
    this.selection = new Set();
    /** @type {NodeRef | null} */
    this.focus = null;
    /** @type {number | null} */
    this.openNode = null;
    /** @type {NodeRef | Pipe | null} */
    this.hovered = null;
    /** @type {ReadonlySet<number> | null} */
    this.hits = null;
    this.isReady = false;
    this.clockOffset = 0;
    this.asked = readAddress(location.search);
    /** @type {AbortController | null} */
    this.fetching = null;
    this.refetchWait = REFETCH_PAUSE_MS;
    this.refetchTimer = 0;
    this.sayTimer = 0;
    /** @type {string[]} */
    this.toSay = [];
    this.sayCount = 0;
    this.secondTimer = 0;
    /** @type {SocketState} */
    this.line = { phase: "connecting", lostAt: null, retryAt: null };
    /** @type {string} */
    this.failure = "";
    /** Show everything once the map has been packed anew. */
    this.isFitWanted = false;
    /** @type {Map<number, string>} collector → its state as it was last told */
    this.saidStates = new Map();
    this.treeFilledAt = 0;
    /** Ids of the stale subscriptions whose banner was dismissed. */
    this.dismissed = "";

    this.stage = new Stage(this.host, this.traffic, { onView: () => this.handleView() });
    this.tooltip = new Tooltip(part("map-tooltip", HTMLElement), this.host);
    this.finder = new Finder(part("search", HTMLInputElement), part("map-hits", HTMLElement), {
      find: (q, signal) => fetchHits(this.urls.find, q, signal),
      onHits: (ids) => this.showHits(ids),
      onChoose: (hit) => this.flyToHit(hit),
    });
    this.address = new AddressBar(this.urls.selection, () => this.isReady
      ? { view: this.stage.flight?.to ?? this.stage.view, selection: this.selection, node: this.openNode, pick: this.asked.pick, unit: this.traffic.unit } : null);
    this.livePanel = new LivePanel(this.traffic);
    this.choosing = new Choosing(this.panel, (ids) => this.light(ids));
    this.inFlight = new InFlight(this.urls.inFlight, (changeOf) => this.showInFlight(changeOf));
    this.socket = new LiveSocket(this.urls.live, {
      onMessage: (message) => this.handleMessage(message),
      onFrame: (octets) => this.live.take(octets),
      onState: (state) => this.handleLine(state),
    });
    this.live = new LiveTraffic(this.urls.traffic, this.rates, this.traffic, {
      onNumbers: () => this.handleNumbers(),
      onStopped: () => this.handleStopped(),
      onOldPicture: () => void this.load(true),
    });
    this.stopGestures = startGestures(this.host, {
      onPan: (dx, dy) => this.stage.setView(pan(this.stage.view, dx, dy)),
      onZoom: (factor, at) => this.stage.setView(zoomAt(this.stage.view, this.stage.size, factor, at.x, at.y)),
      onClick: (at, isAdding) => this.handleClick(at, isAdding),
      onDoubleClick: (at) => this.handleDoubleClick(at),
      onHover: (at) => this.handleHover(at),
      onLasso: (line, isDone) => this.handleLasso(line, isDone),
    });
    this.listen();
  }

  start() {
    this.setUnit(this.asked.unit);
    try {
      this.openLegend(localStorage.getItem(LEGEND_KEY) === "open");
    } catch {
      this.openLegend(false);
    }
    this.socket.open();
    void this.load();
  }

  destroy() {
    this.stop.abort();
    this.fetching?.abort();
    this.stopGestures();
    this.finder.destroy();
    this.choosing.destroy();
    this.inFlight.destroy();
    this.live.destroy();
    this.address.destroy();
    this.socket.close();
    this.stage.destroy();
    for (const timer of [this.refetchTimer, this.sayTimer, this.secondTimer]) clearTimeout(timer);
  }

  listen() {
    const { signal } = this.stop;
    this.root.addEventListener("click", (event) => this.handleAction(event), { signal });
    this.panel.addEventListener("click", (event) => this.handleAction(event), { signal });
    document.addEventListener("click", (event) => void this.handleTable(event), { signal });
    document.addEventListener("keydown", (event) => this.handleKey(event), { signal });
    this.tree.addEventListener("focus", () => this.focusNode(this.focus ?? walk(this.mustGraph(), null, "ArrowDown")), { signal });
    this.tree.addEventListener("blur", () => this.placeRing(), { signal });
    document.addEventListener("vtap:theme", () => this.stage.restyle(), { signal });
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.stage.restyle(), { signal });
    document.fonts.ready.then(() => !signal.aborted && this.stage.restyle(), () => undefined);
    document.fonts.addEventListener("loadingdone", () => this.stage.restyle(), { signal });
    window.addEventListener("popstate", () => this.restore(), { signal });
    window.addEventListener("beforeunload", () => this.address.flush(), { signal });
    document.addEventListener("visibilitychange", () => !document.hidden && this.stage.touch(), { signal });
  }

  mustGraph() {
    if (!this.graph) throw new Error("The map has no data yet.");
    return this.graph;
  }

  // --- live -----------------------------------------------------------------------------------------------------------

  /** GETs the snapshot and applies what the socket said meanwhile. @param {boolean} [isAnew] whatever the browser keeps of it */
  async load(isAnew = false) {
    clearTimeout(this.refetchTimer);
    this.fetching?.abort();
    const fetching = new AbortController();
    this.fetching = fetching;
    try {
      const snapshot = await fetchSnapshot(this.urls.topology, fetching.signal, isAnew);
      if (fetching.signal.aborted) return;
      this.failure = "";
      const step = sequenceSnapshot(this.sequence, snapshot.seq);
      this.sequence = step.state;
      const before = this.graph;
      const graph = new Graph(snapshot);
      const added = before ? [...graph.nics.rowOf.keys()].filter((id) => !before.nics.rowOf.has(id)) : [];
      for (const message of step.apply) this.applyMessage(graph, message, added);
      this.show(graph, added, before);
      if (step.refetch) this.refetch();
      else this.refetchWait = REFETCH_PAUSE_MS;
    } catch (error) {
      if (fetching.signal.aborted) return;
      this.failure = error instanceof Error ? error.message : String(error);
      this.refetch();
    }
    this.showBanners();
  }

  /** Asks again after a while; longer from time to time. */
  refetch() {
    clearTimeout(this.refetchTimer);
    this.refetchTimer = setTimeout(() => void this.load(), this.refetchWait * (0.5 + Math.random() / 2));
    this.refetchWait = Math.min(REFETCH_LONGEST_MS, this.refetchWait * 2);
  }

  /** Numbers changed, or what is known of them. */
  handleNumbers() {
    this.stage.refreshLive();
    if (!this.root.dataset.rates && this.traffic.hasRates) this.handleStopped();
    this.livePanel.show(this.panel);
    if (this.legend.dataset.live !== this.liveKey()) this.fillLegend();
    this.sayStates();
    if (this.focus && document.activeElement === this.tree && performance.now() - this.treeFilledAt > TREE_AGAIN_MS) this.focusNode(this.focus);
  }

  /** The numbers stopped, or go on. */
  handleStopped() {
    this.root.dataset.rates = this.traffic.isStopped ? "stale" : "live";
    this.stage.refreshLive();
    this.showBanners();
  }

  /** @param {Message} message */
  handleMessage(message) {
    if (message.kind === "rates") {
      this.rates.stop();
      this.live.look();
      return;
    }
    if (message.kind === "health" || message.kind === "hello") this.live.poll.nudge();
    if (message.server_time !== undefined) {
      const at = typeof message.server_time === "number" ? message.server_time * 1000 : Date.parse(message.server_time);
      if (Number.isFinite(at)) this.clockOffset = at - Date.now();
    }
    if (message.kind === "change" || message.kind === "change_state" || message.kind === "hello") this.inFlight.nudge();
    const step = sequenceReceive(this.sequence, message);
    this.sequence = step.state;
    if (message.kind === "hello" && step.state.phase === "live") this.socket.send({ kind: "resume", seq: step.state.seq });
    if (step.refetch) {
      void this.load();
      return;
    }
    const graph = this.graph;
    if (!graph) return;
    /** @type {number[]} */
    const added = [];
    let isChanged = false;
    for (const one of step.apply) isChanged = this.applyMessage(graph, one, added) || isChanged;
    if (isChanged) this.show(graph, added, graph);
  }

  /** @param {Graph} graph @param {Message} message @param {number[]} added @returns {boolean} whether the graph changed */
  applyMessage(graph, message, added) {
    if (message.kind === "sync" || message.kind === "sync_progress") document.dispatchEvent(new CustomEvent("vtap:sync"));
    if (message.kind === "sync" && graph.counts.subscriptions === 0) this.askWhyEmpty();
    if (message.kind !== "topology" || !message.delta) return false;
    const before = { mirrors: graph.mirrors.size, nics: graph.nics.size };
    added.push(...graph.apply(message.delta));
    const words = [];
    if (graph.nics.size !== before.nics) words.push(`${count(Math.abs(graph.nics.size - before.nics), "NIC")} ${graph.nics.size > before.nics ? "added" : "removed"}`);
    if (graph.mirrors.size !== before.mirrors) words.push(`${count(Math.abs(graph.mirrors.size - before.mirrors), "mirror")} ${graph.mirrors.size > before.mirrors ? "added" : "removed"}`);
    this.say(words.length ? `Map changed: ${words.join(", ")}.` : "Map updated.");
    return true;
  }

  /** @param {Graph} graph @param {number[]} added @param {Graph | null} before */
  show(graph, added, before) {
    const isFirst = before === null;
    this.graph = graph;
    this.rates.setSeries(graph.series_revision, graph.series);
    this.traffic.setGraph(graph);
    this.showEmpty();
    this.showBanners();
    if (isFirst) {
      this.fillLegend();
      this.stage.view = this.asked.view ?? this.fitted();
    }
    this.selection = existing(isFirst ? new Set(this.asked.selection) : this.selection, graph);
    this.stage.selection = this.selection;
    this.hovered = null;
    this.stage.show(graph, added);
    this.fillLegend();
    this.bar.show(this.selection, this.mustGraph());
    if (this.focus && !graph.ref(this.focus.id)) this.focus = null;
    this.placeRing();
    if (isFirst && this.asked.pick && this.urls.picking) this.showPanel(this.urls.picking);
    else if (isFirst && this.asked.node && graph.ref(this.asked.node)) this.open(this.asked.node);
    if (this.openNode && !graph.ref(this.openNode)) this.close();
    if (!this.isReady) {
      this.isReady = true;
      this.root.dataset.ready = "true";
      this.address.write();
      void this.takeSelection();
    }
    this.root.dataset.revision = graph.revision;
    if (this.isFitWanted && !isFirst) {
      this.isFitWanted = false;
      this.stage.flyTo(this.fitted());
    }
  }

  /** NICs that a running change writes to bear its mark. @param {ReadonlyMap<number, number>} changeOf node id → change */
  showInFlight(changeOf) {
    this.stage.inFlight = changeOf;
    this.stage.touch();
    this.fillLegend();
  }

  /** @param {SocketState} state */
  handleLine(state) {
    this.line = state;
    this.rates.setLine(state.phase === "open");
    this.live.look();
    this.showBanners();
  }

  /** Collects words for screen readers and says them at most every few seconds; of many it counts all and keeps two. @param {string} words */
  say(words) {
    this.sayCount++;
    this.toSay = [...this.toSay.slice(-1), words];
    if (this.sayTimer) return;
    this.sayTimer = setTimeout(() => {
      announce(this.sayCount > 2 ? `${this.sayCount} changes on the map. The last: ${this.toSay.at(-1)}` : this.toSay.join(" "));
      this.sayTimer = 0;
      this.sayCount = 0;
      this.toSay = [];
    }, SAY_PAUSE_MS);
  }

  // --- banners: each kind of "old" has its own words ------------------------------------------------------------------------

  showBanners() {
    clearTimeout(this.secondTimer);
    const now = Date.now();
    const { items, pill, isCounting } = bannersOf({
      graph: this.graph, failure: this.failure, line: this.line, dismissed: this.dismissed, clockOffset: this.clockOffset, now, ratesStoppedAt: this.rates.staleSince(), hasRates: this.traffic.hasRates, inventoryAt: inventoryAt(),
    });
    this.tell(pill.state, pill.words);
    if (isCounting) this.secondTimer = setTimeout(() => this.showBanners(), 1000);
    const wasSaid = this.banners.dataset.words ?? "";
    const kinds = items.map((item) => item.dataset.test).join(" ");
    this.banners.replaceChildren(...items);
    if (kinds !== wasSaid) {
      this.banners.dataset.words = kinds;
      if (items.length) this.say(items.map((item) => item.querySelector("strong")?.textContent ?? "").join(" "));
    }
    this.root.dataset.line = this.line.phase;
  }

  /** @param {"live" | "connecting" | "stale" | "off"} state @param {string} words for the pill of the shell */
  tell(state, words) {
    document.dispatchEvent(new CustomEvent("vtap:live", { detail: { state, words } }));
  }

  /** The server knows why there is nothing: nothing granted, nothing read yet, nothing readable. */
  askWhyEmpty() {
    document.getElementById("map-empty-why")?.dispatchEvent(new CustomEvent("vtap:empty"));
  }

  showEmpty() {
    const graph = this.mustGraph();
    if (graph.counts.subscriptions === 0) this.askWhyEmpty();
    showEmptyStates(this.root, graph);
  }

  // --- view -----------------------------------------------------------------------------------------------------------

  fitted() {
    const bottom = part("map-legend-box", HTMLElement).offsetHeight;
    const room = { pad: FIT_PAD, bottom: bottom ? bottom + 8 : 0 };
    const view = fit(this.mustGraph().bounds(), this.stage.size, room);
    // Far away the names of regions stand above them.
    return areRegionNamesAbove(this.mustGraph(), view.k) ? fit(this.mustGraph().bounds(), this.stage.size, { ...room, top: 14 }) : view;
  }

  handleView() {
    this.tooltip.hide();
    this.placeRing();
    this.address.write();
    if (this.legend.dataset.level !== String(levelOf(this.stage.view.k))) this.fillLegend();
  }

  /** The legend tells of what this zoom draws. */
  fillLegend() {
    const level = levelOf(this.stage.view.k);
    this.legend.dataset.level = String(level);
    this.legend.dataset.live = this.liveKey();
    if (this.graph) fillLegend(this.legend, this.graph, level, this.traffic, this.stage.inFlight.size > 0);
  }

  /** What the legend tells of live numbers, as a key: another one means that it must be filled anew. */
  liveKey() {
    const states = new Set([...this.traffic.factsOf.values()].map((facts) => facts.state));
    return [this.traffic.unit, this.traffic.hasRates, this.traffic.silent.size > 0, ...[...states].sort()].join(" ");
  }

  /** States of collectors for screen readers: only what changed. */
  sayStates() {
    const graph = this.graph;
    if (!graph) return;
    for (const [id, facts] of this.traffic.factsOf) {
      const before = this.saidStates.get(id);
      if (before === facts.state) continue;
      this.saidStates.set(id, facts.state);
      if (before !== undefined) this.say(`${graph.nameOf(id)}: ${LIVE_STATES[facts.state]?.words ?? facts.state}.`);
    }
    for (const id of this.saidStates.keys()) if (!this.traffic.factsOf.has(id)) this.saidStates.delete(id);
  }

  /** @param {Unit} unit */
  setUnit(unit) {
    this.live.setUnit(unit);
    for (const button of this.root.querySelectorAll("[data-unit]")) button.setAttribute("aria-checked", String(/** @type {HTMLElement} */ (button).dataset.unit === unit));
    this.address.write(true);
  }

  /** After back or forward: what the address says. */
  restore() {
    if (!this.graph) return;
    const state = readAddress(location.search);
    this.setUnit(state.unit);
    this.stage.setView(state.view ?? this.fitted());
    this.select(state.selection);
    if (state.node && this.graph.ref(state.node)) this.open(state.node);
    else this.close();
  }

  /** The Table half of the switch carries the selection. @param {Event} event */
  async handleTable(event) {
    const link = event.target instanceof Element ? event.target.closest("[data-map-table]") : null;
    if (!(link instanceof HTMLAnchorElement) || !this.selection.size || (event instanceof MouseEvent && (event.ctrlKey || event.metaKey))) return;
    event.preventDefault();
    try {
      const select = await postSelection(this.urls.selection, [...this.selection]);
      location.assign(select ? `${this.urls.table}?select=${encodeURIComponent(select)}` : this.urls.table);
    } catch (error) {
      toast(`The selection could not be carried to the table: ${error instanceof Error ? error.message : "no answer"}`, "warn");
    }
  }

  /** A selection made on a table or find page: `/?select=…`. */
  async takeSelection() {
    const query = new URLSearchParams(location.search);
    const select = query.get("select");
    if (!select) return;
    this.address.awaited = select;
    try {
      const { ids, is_gone } = await fetchSelection(this.urls.selection, select);
      if (is_gone) toast("This selection is older than a week and no longer kept.", "warn");
      this.select(ids);
      this.address.kept = { ids: this.selection, select };
      this.address.awaited = "";
      if (!this.asked.view) this.showTogether(ids);
      if (ids.length > this.selection.size) toast(`${count(ids.length - this.selection.size, "selected NIC")} not on the map yet.`, "warn");
    } catch (error) {
      toast(`The selection could not be read: ${error instanceof Error ? error.message : "no answer"}`, "warn");
    }
  }

  /** Flies to a view that holds all of them. @param {number[]} ids */
  showTogether(ids) {
    const boxes = ids.map((id) => this.mustGraph().boxOf(id)).filter((box) => box !== null);
    if (!boxes.length) return;
    const x = Math.min(...boxes.map((box) => box.x));
    const y = Math.min(...boxes.map((box) => box.y));
    const right = Math.max(...boxes.map((box) => box.x + box.w));
    const bottom = Math.max(...boxes.map((box) => box.y + box.h));
    this.stage.flyTo(fit({ x: x - 60, y: y - 80, w: right - x + 120, h: bottom - y + 160 }, this.stage.size, { pad: 40, kMax: 1.1, bottom: 120 }));
  }

  /** @param {number} id flies to a node so that it and its neighbourhood can be read */
  flyTo(id) {
    const box = this.mustGraph().boxOf(id);
    if (!box) return;
    const around = { x: box.x - 260, y: box.y - 200, w: box.w + 520, h: box.h + 400 };
    const view = fit(around, this.stage.size, { pad: 40, kMax: 1.4 });
    this.stage.flyTo(view);
  }

  /** Moves just so far that a node is in the picture. @param {number} id */
  bringIntoView(id) {
    const box = this.mustGraph().boxOf(id);
    if (!box) return;
    const seen = visibleBox(this.stage.view, this.stage.size, -0.04);
    if (box.x >= seen.x && box.y >= seen.y && box.x + box.w <= seen.x + seen.w && box.y + box.h <= seen.y + seen.h) return;
    const isWide = box.w > seen.w || box.h > seen.h;
    this.stage.flyTo(isWide ? fit(box, this.stage.size, { pad: 40 }) : { ...this.stage.view, x: box.x + box.w / 2, y: box.y + box.h / 2 });
  }

  // --- selection, panel, highlight --------------------------------------------------------------------------------------

  /** @param {Iterable<number>} ids */
  select(ids) {
    this.selection = existing(new Set(ids), this.mustGraph());
    this.stage.selection = this.selection;
    this.stage.touch();
    this.bar.show(this.selection, this.mustGraph());
    this.address.write(true);
  }

  /** @param {number} id shows a node in the side panel */
  open(id) {
    this.openNode = id;
    this.asked.pick = "";
    const ref = this.mustGraph().ref(id);
    this.panel.dataset.node = String(id);
    this.fillPanel(`${this.urls.panel}${id}`);
    if (ref) this.focus = ref;
    this.placeRing();
    this.address.write(true);
    this.stage.touch();
  }

  /** @param {string} address of what the side panel shows */
  fillPanel(address) {
    const close = make("button", "btn btn--quiet btn--s map-panel__close", "✕");
    close.type = "button";
    close.dataset.action = "close";
    close.setAttribute("aria-label", "Close details");
    const body = make("div", "map-panel__body");
    body.id = "map-panel-body";
    body.setAttribute("aria-busy", "true");
    this.panel.replaceChildren(close, body);
    this.choosing.refresh();
    /** @type {{ajax: (verb: string, path: string, spec: object) => Promise<void>} | undefined} */
    const htmx = /** @type {any} */ (window).htmx;
    const done = () => {
      body.removeAttribute("aria-busy");
      this.livePanel.show(this.panel);
    };
    // Its own source: htmx keeps one request per source under way and would let this one wait for a slow one of a panel that is gone.
    htmx?.ajax("GET", address, { source: body, target: body, swap: "innerHTML" }).then(done, done);
  }

  /** Something other than a node, such as what one may choose from. @param {string} address */
  showPanel(address) {
    this.openNode = null;
    delete this.panel.dataset.node;
    this.fillPanel(address);
    this.placeRing();
  }

  close() {
    if (!this.panel.childElementCount) return;
    this.openNode = null;
    this.asked.pick = "";
    delete this.panel.dataset.node;
    this.panel.replaceChildren();
    this.choosing.refresh();
    this.placeRing();
    this.address.write(true);
  }

  /** "Mirror to…": the side panel tells where the selected NICs may go, the map lights what is eligible. */
  async mirror() {
    if (!this.selection.size || !this.urls.mirror) return;
    try {
      const select = await postSelection(this.urls.selection, [...this.selection]);
      this.showPanel(`${this.urls.mirror}?select=${encodeURIComponent(select)}`);
    } catch (error) {
      toast(`Where they may go could not be asked: ${error instanceof Error ? error.message : "no answer"}`, "warn");
    }
  }

  /** @param {number[] | null} ids node ids to light, with what they stand in; null = nothing is dimmed any more */
  light(ids) {
    const graph = this.graph;
    if (ids === null || !graph) this.stage.lit = null;
    else {
      const lit = new Set(ids.filter((id) => graph.ref(id)));
      for (const id of [...lit]) for (const around of graph.aroundOf(id)) lit.add(around);
      this.stage.lit = lit;
    }
    this.stage.touch();
  }

  /** @param {NodeRef | Pipe | null} what @returns {Highlight | null} the way from NIC to collector; null = dim nothing */
  highlightOf(what) {
    const graph = this.graph;
    if (!graph || !what) return null;
    /** @type {Highlight} */
    const highlight = { nics: new Set(), mirrors: new Set(), collectors: new Set(), pipes: new Set(), nodes: new Set() };
    const put = (/** @type {number} */ row) => {
      const strand = this.stage.routes.strandOfMirror.get(graph.mirrors.numbers.id[row]);
      if (!strand) return;
      highlight.mirrors.add(graph.mirrors.numbers.id[row]);
      highlight.nics.add(graph.mirrors.numbers.nic[row]);
      highlight.collectors.add(strand.collector);
      highlight.nodes.add(strand.vnet);
      const card = graph.collectors.rowOf.get(strand.collector);
      if (card !== undefined) highlight.nodes.add(graph.collectors.numbers.vnet[card]);
      if (strand.pipe) {
        highlight.pipes.add(strand.pipe);
        highlight.nodes.add(strand.pipe.id);
      }
    };
    if ("points" in what) {
      highlight.pipes.add(what);
      for (const id of [what.from, what.to, what.id]) highlight.nodes.add(id);
      for (const strand of this.stage.routes.strands) if (strand.pipe === what) strand.mirrors.forEach(put);
    } else if (what.kind === "nic") (graph.mirrorsOfNic.get(what.id) ?? []).forEach(put);
    else if (what.kind === "collector") {
      (graph.mirrorsOfCollector.get(what.id) ?? []).forEach(put);
      highlight.collectors.add(what.id);
    }
    return highlight.mirrors.size || highlight.pipes.size ? highlight : null;
  }

  /** @param {number[] | null} ids search hits; null = no search */
  showHits(ids) {
    const graph = this.graph;
    this.hits = ids?.length && graph ? new Set(ids.filter((id) => graph.ref(id))) : null;
    this.stage.hits = this.hits;
    this.stage.touch();
  }

  /** @param {Hit} hit */
  flyToHit(hit) {
    const graph = this.mustGraph();
    const ref = graph.ref(hit.id);
    if (!ref) {
      toast(`${hit.name} is not on this map.`, "warn");
      return;
    }
    this.showHits([hit.id]);
    this.open(hit.id);
    this.flyTo(hit.id);
    this.focusNode(ref);
  }

  // --- pointer --------------------------------------------------------------------------------------------------------

  /** @param {{x: number, y: number}} at px @returns {NodeRef | Pipe | null} */
  under(at) {
    const { stage } = this;
    if (!stage.index) return null;
    const world = toWorld(stage.view, stage.size, at.x, at.y);
    const level = levelOf(stage.view.k);
    const label = stage.labels.find(({ box }) => at.x >= box.x && at.x <= box.x + box.w && at.y >= box.y && at.y <= box.y + box.h);
    const labelled = label && stage.routes.pipes.find((pipe) => pipe.id === label.id);
    if (labelled) return labelled;
    const node = stage.index.at(world.x, world.y, level);
    if (node) return node;
    const reach = 5 / stage.view.k;
    for (const pipe of stage.routes.pipes) {
      const { box, points } = pipe;
      if (world.x < box.x - reach || world.x > box.x + box.w + reach || world.y < box.y - reach || world.y > box.y + box.h + reach) continue;
      for (let i = 0; i < points.length; i += 2) {
        const next = i + 2 < points.length ? i + 2 : i;
        const x = (points[i] + points[next]) / 2;
        const y = (points[i + 1] + points[next + 1]) / 2;
        const half = Math.hypot(points[next] - points[i], points[next + 1] - points[i + 1]) / 2;
        if (Math.hypot(world.x - x, world.y - y) <= Math.max(pipe.width / 2, half) + reach) return pipe;
      }
    }
    return null;
  }

  /** @param {{x: number, y: number} | null} at */
  handleHover(at) {
    const what = at ? this.under(at) : null;
    const isSame = what === this.hovered || (what && this.hovered && !("points" in what) && !("points" in this.hovered) && what.id === this.hovered.id);
    if (!isSame) {
      this.hovered = what;
      this.stage.highlight = this.highlightOf(what);
      this.stage.touch();
      this.host.dataset.over = what ? ("points" in what ? "pipe" : what.kind) : "";
    }
    if (what && at && this.graph) this.tooltip.show("points" in what ? describePipe(this.graph, what, this.traffic, this.stage.mirrorsOfPipes.get(what)) : describe(this.graph, what, this.traffic, this.stage.inFlight.get(what.id)), at.x, at.y);
    else this.tooltip.hide();
  }

  /** @param {{x: number, y: number}} at @param {boolean} isAdding */
  handleClick(at, isAdding) {
    const graph = this.graph;
    if (!graph) return;
    const what = this.under(at);
    this.tree.focus({ preventScroll: true });
    if (what === null) {
      if (!isAdding) {
        this.select([]);
        this.close();
        this.finder.clear();
      }
      return;
    }
    if (!("points" in what) && this.picks(what)) return;
    if ("points" in what) {
      if (what.id) this.open(what.id);
      return;
    }
    if (isAdding) {
      this.select(toggle(this.selection, graph.nicIdsUnder(what.id)));
      this.focus = what;
      this.placeRing();
      return;
    }
    if (what.kind === "nic") this.select([what.id]);
    this.open(what.id);
    this.focusNode(what);
  }

  /** While something is picked for a form, a node that is lit is what is picked. @param {NodeRef} ref @returns {boolean} whether the click was that */
  picks(ref) {
    const { pick, pickable } = this.choosing;
    if (!pick) return false;
    if (pickable.has(ref.id)) location.assign(`${pick}${ref.id}`);
    else toast(`${this.mustGraph().nameOf(ref.id)} is not lit: it cannot be picked. The panel says why.`, "warn");
    return true;
  }

  /** @param {{x: number, y: number}} at */
  handleDoubleClick(at) {
    const what = this.under(at);
    const box = what && !("points" in what) ? this.mustGraph().boxOf(what.kind === "nic" ? this.mustGraph().nics.numbers.subnet[this.mustGraph().nics.rowOf.get(what.id) ?? 0] : what.id) : null;
    if (box) this.stage.flyTo(fit(box, this.stage.size, { pad: 60, kMax: 1.8 }));
    else this.stage.flyTo(zoomAt(this.stage.view, this.stage.size, 1.8, at.x, at.y));
  }

  /** @param {Array<{x: number, y: number}>} line px @param {boolean} isDone */
  handleLasso(line, isDone) {
    const world = line.map((point) => toWorld(this.stage.view, this.stage.size, point.x, point.y));
    this.stage.lassoLine = isDone ? [] : world;
    this.tooltip.hide();
    this.stage.touch();
    if (isDone && this.stage.index) {
      const caught = this.stage.index.lasso(world);
      this.select(add(this.selection, caught));
      this.say(`${count(caught.length, "NIC")} caught, ${count(this.selection.size, "NIC")} selected.`);
    }
  }

  /** Buttons of the page and of the panel. @param {Event} event */
  handleAction(event) {
    const target = event.target instanceof Element ? event.target.closest("[data-action],[data-map-select],[data-map-take],[data-map-fly],[data-map-open],[data-map-panel]") : null;
    if (!(target instanceof HTMLElement) || !this.graph) return;
    const { action, mapSelect, mapTake, mapFly, mapOpen, mapPanel } = target.dataset;
    if (mapPanel) this.showPanel(mapPanel);
    else if (mapTake) this.select(add(this.selection, mapTake.split(",").map(Number)));
    else if (mapSelect) this.select(add(this.selection, this.graph.nicIdsUnder(Number(mapSelect))));
    else if (mapFly) this.flyTo(Number(mapFly));
    else if (mapOpen) {
      event.preventDefault();
      const ref = this.graph.ref(Number(mapOpen));
      if (!ref) return;
      this.open(ref.id);
      this.bringIntoView(ref.id);
    } else if (action === "fit") this.stage.flyTo(this.fitted());
    else if (action === "zoom-in") this.zoomBy(ZOOM_KEY);
    else if (action === "zoom-out") this.zoomBy(1 / ZOOM_KEY);
    else if (action === "clear") this.select([]);
    else if (action === "mirror") void this.mirror();
    else if (action === "copy-names") void this.bar.copyNames(this.selection, this.graph);
    else if (action === "close") this.close();
    else if (action === "unit") this.setUnit(target.dataset.unit === "packets" ? "packets" : "bits");
    else if (action === "reconnect") this.socket.reconnectNow();
    else if (action === "legend") this.openLegend(this.root.dataset.legend !== "open");
    else if (action === "ask-rearrange") this.askRearrange();
    else if (action === "dismiss-stale") {
      this.dismissed = staleNames(this.graph);
      this.showBanners();
    } else if (action === "dismiss") target.closest("[data-hint]")?.remove();
  }

  /** Open, all of it stands above the button; else as much as fits into one line. Remembered. @param {boolean} isOpen */
  openLegend(isOpen) {
    this.root.dataset.legend = isOpen ? "open" : "";
    this.root.querySelector('[data-action="legend"]')?.setAttribute("aria-expanded", String(isOpen));
    try {
      localStorage.setItem(LEGEND_KEY, isOpen ? "open" : "");
    } catch {
      // A browser that keeps nothing: the legend opens where it is asked for.
    }
  }

  /** Says what re-arranging does, and does it once that is confirmed. */
  askRearrange() {
    const dialog = document.getElementById("map-rearrange");
    if (!(dialog instanceof HTMLDialogElement)) return;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && void this.rearrange(), { once: true, signal: this.stop.signal });
    dialog.showModal();
  }

  async rearrange() {
    this.isFitWanted = true;
    try {
      await postRearrange(this.urls.rearrange);
      this.say("The map is being packed anew.");
    } catch (error) {
      this.isFitWanted = false;
      toast(`The map was not re-arranged: ${error instanceof Error ? error.message : "no answer"}`, "warn");
    }
  }

  // --- keyboard -------------------------------------------------------------------------------------------------------

  /** @param {number} factor */
  zoomBy(factor) {
    this.stage.flyTo(zoomAt(this.stage.view, this.stage.size, factor, this.stage.size.w / 2, this.stage.size.h / 2));
  }

  /** @param {KeyboardEvent} event */
  handleKey(event) {
    const { key } = event;
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (!this.graph || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
    if (key === "Escape") {
      if (this.hits) this.finder.clear();
      else if (this.panel.childElementCount) this.close();
      else if (this.selection.size) this.select([]);
      return;
    }
    if (key === "+" || key === "=") this.zoomBy(ZOOM_KEY);
    else if (key === "-") this.zoomBy(1 / ZOOM_KEY);
    else if (key === "t" && this.selection.size) void this.mirror();
    else if (key === "0") this.stage.flyTo(this.fitted());
    else if (target === this.tree) this.handleTreeKey(event);
    else return;
    if (target !== this.tree) event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  handleTreeKey(event) {
    const graph = this.mustGraph();
    const { key } = event;
    if (["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) {
      event.preventDefault();
      const to = walk(graph, this.focus, key);
      if (!to) return;
      this.focusNode(to);
      this.bringIntoView(to.id);
    } else if (key === "Enter" && this.focus) {
      event.preventDefault();
      if (this.picks(this.focus)) return;
      this.open(this.focus.id);
      this.bringIntoView(this.focus.id);
    } else if (key === " " && this.focus) {
      event.preventDefault();
      this.select(toggle(this.selection, graph.nicIdsUnder(this.focus.id)));
      this.focusNode(this.focus);
    }
  }

  /** @param {NodeRef | null} ref */
  focusNode(ref) {
    const graph = this.graph;
    if (!graph || !ref || !graph.ref(ref.id)) return;
    this.focus = ref;
    this.treeFilledAt = performance.now();
    fillTree(this.tree, graph, outline(graph, ref), ref, this.selection, this.traffic);
    this.placeRing();
  }

  /** The ring stands on the open node, and on the focused one while keys are used. */
  placeRing() {
    const graph = this.graph;
    const hasKeys = document.activeElement === this.tree && this.tree.matches(":focus-visible");
    const id = hasKeys ? this.focus?.id : this.openNode;
    const box = id && graph ? graph.boxOf(id) : null;
    this.ring.hidden = !box;
    if (!box) return;
    const on = boxToScreen(this.stage.view, this.stage.size, box);
    this.ring.dataset.kind = hasKeys ? "focus" : "open";
    putAt(this.ring, { x: on.x - 5, y: on.y - 5, w: on.w + 10, h: on.h + 10 });
  }
}

/** @returns {number | null} when the inventory was read, as the top bar says: unix ms */
function inventoryAt() {
  const at = Date.parse(document.querySelector("#inventory-pill time")?.getAttribute("datetime") ?? "");
  return Number.isFinite(at) ? at : null;
}

const root = document.getElementById("map");
if (root) {
  const page = new MapPage(root);
  /** @type {any} */ (window).vtap = { .../** @type {any} */ (window).vtap, graph: hooksOf(page), rates: ratesHooksOf(page.rates) };
  window.addEventListener("pagehide", (event) => !event.persisted && page.destroy(), { once: true });
  page.start();
}
