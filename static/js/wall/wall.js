// @ts-check
/**
 * The page of a display: one WallPage owns the line, the model and the views, and lives for months without hands.
 *
 * Rule 1: whatever fails, the page goes on, says so, and tries again; it is only ever read anew when the server has just answered. Rule 2: all that is
 * kept has a bound. Rule 3: nothing is drawn more than once a second but an alarm and a message to the people before the screen.
 */

import { Graph } from "../topology/store/graph.js";
import { decodeFrame } from "../topology/wire/frames.js";
import { Cover } from "./draw/cover.js";
import { el, mark, part, show } from "./draw/dom.js";
import { Foot } from "./draw/foot.js";
import { Head } from "./draw/head.js";
import { Strip } from "./draw/strip.js";
import { hooksOf } from "./hooks.js";
import { WallMap } from "./map/wall_map.js";
import { WallModel } from "./model.js";
import { Pace } from "./store/pace.js";
import { agoMs, isStuck, reloadDue } from "./store/reload.js";
import { agedPicture, wholePicture } from "./store/picture.js";
import { Sleep } from "./store/sleep.js";
import { isRunOut, lightAt, viewDue } from "./store/slots.js";
import { PICTURE_OLD_MS } from "./store/trust.js";
import { makeView } from "./views/index.js";
import { askState, askTopology, askTraffic, Refused } from "./wire/asks.js";
import { WallLine } from "./wire/line.js";

/** @typedef {import("./store/types.js").State} State */
/** @typedef {import("./store/types.js").View} View */
/** @typedef {import("./store/types.js").WallView} WallView */
/** @typedef {import("./store/types.js").What} What */
/** @typedef {import("./wire/line.js").Message} Message */

const STATE_AGAIN_MS = 5 * 60_000;
const TRAFFIC_AGAIN_MS = 10_000;
const FAILED_AGAIN_MS = 5000;
const REPORT_MS = 5000;
const BROKEN_VIEW_AGAIN_MS = 60_000;
const PAIR_AGAIN_MS = 2 * 60_000;
const SHIFT_MS = 3 * 60_000;
const SHIFT_UNITS = 8;
const VERSION_AGAIN_MS = 15 * 60_000;
const RELOADED = "vtapweb.wall.reloaded"; // sessionStorage: why and when the page was last read anew, and how often
/** @type {readonly What[]} */
const ORDER = ["state", "topology", "picture", "frame", "second"];

export class WallPage {
  constructor() {
    this.root = part("wall");
    this.version = this.root.dataset.version ?? "";
    this.model = new WallModel();
    this.model.map = new WallMap(this.model);
    this.head = new Head(part("wall-head"), this.model);
    this.foot = new Foot(part("wall-foot"), this.model);
    this.strip = new Strip(part("wall-strip"), this.model);
    this.cover = new Cover(this.model);
    this.host = part("wall-view");
    /** @type {Map<string, {host: HTMLElement, view: WallView | null, failedAt: number}>} one for each kind, for the page's life */
    this.made = new Map();
    /** @type {{view: View, kind: string, why: string} | null} */
    this.shown = null;
    this.pace = new Pace();
    /** @type {Set<What>} what is new since the last drawing */
    this.news = new Set();
    this.isUrgent = false;
    this.isDrawAsked = false;
    this.loadedAt = performance.now();
    this.drawnAt = performance.now();
    this.figures = { drawn: 0, frames: 0, pictures: 0, states: 0, errors: 0, lastError: "", transitions: 0, reports: 0 };
    /** mono ms of drawings within the last ten seconds. @type {number[]} */
    this.drawings = [];
    this.spread = Math.random();
    /** How the picture is moved against burn-in. */
    this.moved = "";
    /** @type {number | null} mono ms since when the server has another version */
    this.newVersionAt = null;
    this.loaded_ms = 0;
    /** @type {number | null} */
    this.reloadAsked_ms = null;
    this.isReloading = false;
    this.asking = { state: false, topology: false, traffic: false };
    this.wanted = { state: false, topology: false, traffic: false };
    /** mono ms of the last answer, or of the last time that there was none. */
    this.askedAt = { state: 0, topology: 0, traffic: 0 };
    this.failed = { state: false, topology: false, traffic: false };
    /** @type {Record<"state" | "topology" | "traffic", number>} timers */
    this.timers = { state: 0, topology: 0, traffic: 0 };
    this.seq = 0;
    this.sleep = new Sleep();
    /** Grows when what is told of the estate is told in other words: an answer to a question of before is not taken. */
    this.era = 0;
    /** mono ms of the newest picture, or of the greeting after which one should come; Infinity once it was told to be old. */
    this.pictureAt = performance.now();
    /** Something with names was taken since the page was cleared. */
    this.hasNames = false;
    this.reportedAt = 0;
    this.isRevoked = false;
    this.line = new WallLine("/ws/live?as=display", {
      onMessage: (message) => this.handleMessage(message),
      onFrame: (octets) => this.handleFrame(octets),
      onPhase: (phase, wait_ms) => this.handlePhase(phase, wait_ms),
    });
  }

  start() {
    window.addEventListener("error", (event) => this.note(event.error ?? event.message));
    window.addEventListener("unhandledrejection", (event) => this.note(event.reason));
    new ResizeObserver(() => this.handleResize()).observe(this.host);
    void document.fonts.ready.then(() => this.handleResize());
    document.addEventListener("visibilitychange", () => {
      this.drawnAt = performance.now();
      if (!document.hidden) this.refresh();
    });
    this.line.open();
    this.ask("state");
    const second = () => {
      // Just after the server's clock has come to another second, so that the seconds on the wall do not jump.
      setTimeout(second, 1000 - ((this.model.now() + 990) % 1000));
      this.handleSecond();
    };
    second();
  }

  /** Something failed that nobody expected: counted and told in the report. @param {unknown} error */
  note(error) {
    this.figures.errors++;
    this.figures.lastError = (error instanceof Error ? `${error.message} ${error.stack?.split("\n")[1]?.trim() ?? ""}` : String(error)).slice(0, 200);
  }

  /* What comes from the server. */

  /** @param {Message} message */
  handleMessage(message) {
    const { model } = this;
    model.heardAt = performance.now();
    if (typeof message.seq === "number") {
      if (this.seq && message.seq > this.seq + 1) {
        this.ask("state", 2000 * this.spread); // what was said to this display may be among what was missed; others missed it, too
        this.ask("topology");
      }
      if (message.kind === "hello" || message.seq > this.seq) this.seq = message.seq; // a tick may have waited behind what is newer
    }
    switch (message.kind) {
      case "hello":
        this.pictureAt = performance.now();
        model.clock.atLeast(Date.parse(String(message.server_time)) || 0);
        this.refresh();
        break;
      case "picture":
        this.figures.pictures++;
        if (message.is_masked === true && model.state && !model.state.is_masked) this.ask("state"); // visitors came, and the word was lost
        if (this.mayTake(message.is_masked === false)) this.handlePicture(wholePicture(message));
        break;
      case "rates":
        model.isStopped = true;
        model.stopped_ms = typeof message.since === "string" ? Date.parse(message.since) : null;
        model.rates.stop();
        this.draw("frame");
        break;
      case "topology":
      case "refetch":
        this.ask("topology", 2000 * this.spread);
        break;
      case "wall":
        if (message.deed === "revoked") this.revoke();
        else this.ask("state");
        break;
    }
  }

  /** Nothing with names is taken while visitors are there, however late it comes. @param {boolean} hasNames */
  mayTake(hasNames) {
    if (hasNames && this.model.state?.is_masked) {
      this.ask("state", 1000); // unless they have gone
      return false;
    }
    this.hasNames ||= hasNames;
    return true;
  }

  /** @param {import("./store/types.js").Picture} picture */
  handlePicture(picture) {
    const { model } = this;
    const before = model.picture;
    model.picture = picture;
    this.pictureAt = performance.now();
    model.clock.atLeast(picture.at_ms);
    const alarms = (/** @type {typeof picture | null} */ one) => one?.alarms.map((alarm) => `${alarm.number} ${alarm.severity} ${alarm.is_taken} ${alarm.is_acknowledged} ${alarm.is_muted} ${alarm.owner}`).join() ?? "";
    const states = (/** @type {typeof picture | null} */ one) => one?.collectors.map((collector) => `${collector.key} ${collector.state}`).join() ?? "";
    // Something begins or ends: that waits for no second.
    const isOther = before === null || alarms(before) !== alarms(picture) || states(before) !== states(picture);
    if (isOther) this.ask("traffic");
    this.draw("picture", isOther);
  }

  /** @param {ArrayBuffer} octets */
  handleFrame(octets) {
    const { model } = this;
    model.heardAt = performance.now();
    const frame = decodeFrame(octets);
    if (!frame) return;
    this.figures.frames++;
    if (!model.rates.take(frame)) {
      if (model.rates.isSnapshotOld) this.ask("topology");
      return;
    }
    model.clock.atLeast(frame.unix_s * 1000);
    const wasStopped = model.isStopped;
    model.isStopped = false;
    model.stopped_ms = null;
    this.draw("frame", wasStopped);
  }

  /** @param {import("./store/types.js").Phase} phase @param {number | null} wait_ms */
  handlePhase(phase, wait_ms) {
    const { model } = this;
    if (phase === "revoked") {
      this.revoke();
      return;
    }
    const isOpen = phase === "open";
    model.line = {
      phase,
      lost_ms: isOpen ? null : (model.line.lost_ms ?? (model.clock.isSet ? model.clock.at(model.heardAt) : null)),
      retry_ms: wait_ms === null ? (isOpen ? null : model.line.retry_ms) : model.now() + wait_ms,
      attempt: this.line.attempt,
    };
    model.rates.setLine(isOpen);
    if (isOpen) model.heardAt = performance.now();
    // The cookie may be no display's any more: the server says which page this is. A door that stays shut may have a reason.
    if (phase === "unpaired" || (phase === "waiting" && this.line.attempt > 1)) this.ask("state");
    this.draw("state", true);
  }

  revoke() {
    if (this.isRevoked) return;
    this.isRevoked = true;
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    if (this.line.phase !== "revoked") this.line.end("revoked");
    this.clear();
    this.model.map?.destroy();
    this.model.map = null;
    this.model.line = { phase: "revoked", lost_ms: null, retry_ms: null, attempt: 0 };
    this.model.state = null;
    this.head.update();
    this.foot.update();
    this.strip.update(null);
    this.cover.update(this.version);
    setTimeout(() => void this.pairAgain(), PAIR_AGAIN_MS);
  }

  /** Nothing of the estate stays, neither in the model nor in what was drawn of it and is hidden now. */
  clear() {
    for (const one of this.made.values()) one.view?.destroy();
    this.made.clear();
    this.host.replaceChildren();
    this.shown = null;
    this.hasNames = false;
    this.model.forget();
    this.model.map?.update("topology");
    for (const id of ["wall-head", "wall-foot", "wall-strip"]) part(id).replaceChildren();
    this.head = new Head(part("wall-head"), this.model);
    this.foot = new Foot(part("wall-foot"), this.model);
    this.strip = new Strip(part("wall-strip"), this.model);
    this.cover.forget();
  }

  /** A revoked screen waits for its next pairing by itself. The first answer takes its cookie away, the next one is a code. */
  async pairAgain() {
    try {
      const answer = await fetch("/wall", { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10_000) });
      if (answer.status < 500) location.reload();
      else throw new Refused(answer.status);
    } catch {
      setTimeout(() => void this.pairAgain(), PAIR_AGAIN_MS);
    }
  }

  /* What is asked for. */

  /** All that may have changed while nobody listened. */
  refresh() {
    this.line.reconnectNow();
    this.ask("state");
    this.ask("topology");
    this.ask("traffic");
  }

  /**
   * Asks once at a time, and once more for whatever moved while it was asked. What fails is asked again: with the next greeting, and every few seconds.
   *
   * @param {"state" | "topology" | "traffic"} what @param {number} [after_ms]
   */
  ask(what, after_ms = 0) {
    if (this.isRevoked) return;
    if (this.asking[what]) {
      this.wanted[what] = true;
      return;
    }
    if (this.timers[what] && after_ms) return; // one is under way: whoever asks every second must not put it off for ever
    clearTimeout(this.timers[what]);
    this.timers[what] = setTimeout(() => void this.askNow(what), after_ms);
  }

  /** @param {"state" | "topology" | "traffic"} what */
  async askNow(what) {
    this.timers[what] = 0;
    this.asking[what] = true;
    this.wanted[what] = false;
    const began = performance.now();
    const era = this.era;
    try {
      if (what === "state") {
        const state = await askState();
        if (!this.isRevoked) this.takeState(state, performance.now() - began);
      } else if (what === "topology") {
        const { told, hasNames } = await askTopology();
        if (era !== this.era || !this.mayTake(hasNames)) this.wanted.topology = true;
        else if (!this.isRevoked && told.revision !== this.model.graph?.revision) this.takeSnapshot(told);
      } else {
        const { told, hasNames } = await askTraffic();
        if (era !== this.era || !this.mayTake(hasNames)) this.wanted.traffic = true;
        else if (!this.isRevoked) this.model.traffic.setFacts(told);
      }
      this.failed[what] = false;
    } catch (error) {
      if (error instanceof Refused && error.status === 410) this.revoke();
      else if (error instanceof Refused && error.status === 401) void this.reload("unpaired");
      // No answer: the cover tells of a server that is away, and the question is asked again.
      this.failed[what] = true;
    } finally {
      this.askedAt[what] = performance.now();
      this.asking[what] = false;
    }
    if (this.wanted[what]) this.ask(what, 250);
  }

  /** @param {State} state @param {number} took_ms */
  takeState(state, took_ms) {
    const { model } = this;
    const wasMasked = model.state?.is_masked;
    this.figures.states++;
    model.clock.set(state.server_ms, took_ms);
    model.state = state;
    if (!this.loaded_ms) this.loaded_ms = model.now();
    if (!this.version) this.version = state.version;
    this.newVersionAt = state.version === this.version ? null : (this.newVersionAt ?? performance.now());
    if (wasMasked === undefined ? state.is_masked && this.hasNames : wasMasked !== state.is_masked) {
      // Another picture of the same estate: nothing of the other one may stay, not for a second.
      this.era++;
      this.clear();
      this.draw("topology", true);
      this.line.open();
      this.ask("topology");
      this.ask("traffic");
    }
    const asked = state.reload_asked_ms;
    if (asked !== null && asked > Math.max(this.loaded_ms, this.reloadAsked_ms ?? 0)) {
      this.reloadAsked_ms = asked;
      void this.reload("asked");
    }
    mark(document.documentElement, "theme", state.display.theme);
    document.documentElement.style.setProperty("--scale", String(state.display.scale || 1));
    this.draw("state", true);
  }

  /** @param {import("../topology/store/types.js").Snapshot} snapshot */
  takeSnapshot(snapshot) {
    const { model } = this;
    model.graph = new Graph(snapshot);
    model.rates.setSeries(snapshot.series_revision, snapshot.series);
    model.traffic.setGraph(model.graph);
    this.draw("topology", true);
  }

  /* What is shown. */

  /** @param {What} what @param {boolean} [isUrgent] now, not at the next second */
  draw(what, isUrgent = false) {
    this.news.add(what);
    this.isUrgent ||= isUrgent;
    // Seconds without news are drawn too, but a wall that gets a frame a second is drawn once a second, when the frame comes.
    const lead_ms = what === "second" ? 400 : -250;
    if (this.isDrawAsked || this.isRevoked || (!this.isUrgent && !this.pace.mayDraw(performance.now() - lead_ms))) return;
    this.isDrawAsked = true;
    requestAnimationFrame(() => {
      this.isDrawAsked = false;
      try {
        this.drawNow();
      } catch (error) {
        this.note(error);
      }
    });
  }

  drawNow() {
    if (this.isRevoked) return;
    const began = performance.now();
    const news = ORDER.filter((what) => this.news.has(what));
    this.news.clear();
    this.isUrgent = false;
    this.choose();
    this.head.update();
    this.foot.update();
    this.strip.update(this.shown);
    const one = this.shown ? this.made.get(this.shown.kind) : undefined;
    if (one?.view) this.guard(one, (view) => news.forEach((what) => view.update(what)));
    this.cover.update(this.version);
    const ended = performance.now();
    this.pace.drew(began, ended - began);
    this.drawnAt = ended;
    this.figures.drawn++;
    this.drawings.push(ended);
    while (this.drawings[0] !== undefined && this.drawings[0] < ended - 10_000) this.drawings.shift();
  }

  /** Brings the view that is due into the picture. */
  choose() {
    const { state, picture } = this.model;
    if (!state) return;
    const now = this.model.now();
    const { view, slot, isTakenByAlarm } = viewDue(state, picture, now);
    mark(this.root, "scene", state.scene);
    mark(this.root, "role", state.display.role);
    if (!view) return;
    const why = isTakenByAlarm ? "alarm" : (slot?.why ?? "");
    const isSame = this.shown?.view.id === view.id && JSON.stringify(this.shown.view) === JSON.stringify(view);
    let one = this.made.get(view.kind);
    const isTriedAgain = one !== undefined && one.view === null && performance.now() - one.failedAt > BROKEN_VIEW_AGAIN_MS;
    if (isSame && !isTriedAgain) {
      this.shown = { view, kind: view.kind, why };
      return;
    }
    if (!one) {
      one = { host: el("section", `wall-view wall-view--${view.kind}`), view: null, failedAt: -Infinity };
      one.host.hidden = true;
      this.host.append(one.host);
      this.made.set(view.kind, one);
    }
    const made = one;
    if (this.shown && this.shown.kind !== view.kind) show(this.made.get(this.shown.kind)?.host ?? made.host, false);
    if (this.shown) this.figures.transitions++;
    this.shown = { view, kind: view.kind, why };
    show(made.host, true);
    made.host.dataset.view = String(view.id);
    this.comeIn(made.host);
    if (!made.view && performance.now() - made.failedAt > BROKEN_VIEW_AGAIN_MS) {
      made.host.replaceChildren();
      try {
        made.view = makeView(view.kind, made.host, this.model);
      } catch (error) {
        this.fail(made, error);
      }
    }
    this.guard(made, (drawn) => drawn.show(view));
  }

  /** A short change of light, so that one sees that it is another view. @param {HTMLElement} host */
  comeIn(host) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    host.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 300, easing: "ease-out" });
  }

  /** @param {{host: HTMLElement, view: WallView | null, failedAt: number}} one @param {(view: WallView) => void} deed */
  guard(one, deed) {
    if (!one.view) return;
    try {
      deed(one.view);
    } catch (error) {
      this.fail(one, error);
    }
  }

  /** A view that cannot be drawn must not take the rest of the wall with it. @param {{host: HTMLElement, view: WallView | null, failedAt: number}} one @param {unknown} error */
  fail(one, error) {
    this.note(error);
    one.view = null;
    one.failedAt = performance.now();
    one.host.replaceChildren(el("p", "wall-said", "This view could not be drawn. It is tried again within a minute; the head and the foot of this screen are right."));
  }

  /** The machine slept: what is shown is of another time, and the line that stood then is dead. */
  handleWake() {
    this.drawnAt = performance.now();
    this.line.open();
    this.ask("state");
  }

  handleResize() {
    for (const [kind, one] of this.made) if (kind === this.shown?.kind) this.guard(one, (view) => view.resize());
  }

  /* What happens by itself. */

  handleSecond() {
    if (this.isRevoked) return;
    const { model } = this;
    const at = performance.now();
    if (this.sleep.isOver(at, Date.now())) this.handleWake();
    const now = model.now();
    this.head.tick();
    if (model.picture && model.line.phase === "open" && at - this.pictureAt > PICTURE_OLD_MS) {
      this.pictureAt = Infinity;
      model.picture = agedPicture(model.picture);
      this.draw("picture", true);
    }
    this.draw("second");
    const isOpen = model.line.phase === "open";
    const isStateDue = (model.state && isRunOut(model.state.slots, now)) || (isOpen && this.failed.state);
    if (at - this.askedAt.state > (isStateDue ? FAILED_AGAIN_MS : isOpen ? STATE_AGAIN_MS : Infinity)) this.ask("state");
    if (isOpen && at - this.askedAt.traffic > TRAFFIC_AGAIN_MS) this.ask("traffic");
    if (isOpen && this.failed.topology && at - this.askedAt.topology > FAILED_AGAIN_MS) this.ask("topology");
    this.light(now);
    if (at - this.reportedAt >= REPORT_MS) this.report(at);
    this.lookAfter(at, now);
  }

  /** Dims by schedule, and moves the whole picture by some pixels now and then, so that nothing burns in. @param {number} now_ms */
  light(now_ms) {
    const percent = this.model.state ? lightAt(this.model.state.dims, now_ms) : 100;
    const dim = part("wall-dim");
    show(dim, percent < 100);
    const opacity = String(1 - percent / 100);
    if (dim.style.opacity !== opacity) dim.style.opacity = opacity;
    const turn = Math.floor(now_ms / SHIFT_MS) % 8;
    const units = (/** @type {number} */ part) => `calc(var(--u) * ${Math.round((SHIFT_UNITS / 2) * part)})`;
    const moved = `translate(${units(Math.cos((turn * Math.PI) / 4))}, ${units(Math.sin((turn * Math.PI) / 4))})`;
    if (this.moved !== moved) this.root.style.transform = this.moved = moved;
  }

  /** @param {number} at mono ms */
  report(at) {
    const memory = /** @type {{memory?: {usedJSHeapSize: number}}} */ (/** @type {unknown} */ (performance)).memory;
    const within_s = Math.min(10, Math.max(1, (at - this.loadedAt) / 1000));
    const isSent = this.line.send({
      kind: "report", version: this.version, frames_per_s: Math.round((10 * this.drawings.filter((one) => one > at - 10_000).length) / within_s) / 10, drawn_ms: Math.round(this.pace.drawn_ms * 10) / 10,
      heap_octets: memory?.usedJSHeapSize ?? null, errors: this.figures.errors, last_error: this.figures.lastError, drawn_ago_ms: Math.round(at - this.drawnAt), view: this.shown?.view.id ?? null,
      size: [window.innerWidth, window.innerHeight], clock_off_s: Math.round(this.model.clock.offS() * 10) / 10,
    });
    if (!isSent) return;
    this.reportedAt = at;
    this.figures.reports++;
  }

  /** Reads the page anew when it is time, or when it hangs. @param {number} at mono ms @param {number} now_ms */
  lookAfter(at, now_ms) {
    const { model } = this;
    const reloaded = this.reloaded();
    const drawn_ago_ms = at - this.drawnAt;
    if (isStuck({ isVisible: !document.hidden, drawn_ago_ms, reloaded_ago_ms: reloaded?.why === "stuck" ? agoMs(reloaded.at_ms, Date.now()) : null })) {
      void this.reload("stuck");
      return;
    }
    if (!model.state || model.line.phase !== "open") return;
    const why = reloadDue({
      version: this.version, serverVersion: model.state.version, sinceNew_ms: this.newVersionAt === null ? null : at - this.newVersionAt, spread: this.spread, picture: model.picture,
      next_reload_ms: model.state.next_reload_ms, loaded_ms: this.loaded_ms, now_ms,
    });
    // Read anew and still another version: two servers take turns, and the page would go on and on.
    if (why === "version" && reloaded?.why === "version" && agoMs(reloaded.at_ms, Date.now()) < VERSION_AGAIN_MS) return;
    if (why) void this.reload(why);
  }

  /** @returns {{why: string, at_ms: number, count: number} | null} the machine's time: only compared with itself */
  reloaded() {
    try {
      return JSON.parse(sessionStorage.getItem(RELOADED) ?? "null");
    } catch {
      return null; // a browser that keeps nothing
    }
  }

  /**
   * Reads the page anew, if the server answers: a page that is away would be the browser's own, and nobody is here to press a key.
   *
   * @param {"unpaired" | "asked" | "version" | "daily" | "stuck"} why
   */
  async reload(why) {
    if (this.isReloading) return;
    const before = this.reloaded();
    if (why !== "asked" && before && agoMs(before.at_ms, Date.now()) < 20_000) return; // one that did not help is not tried at once again
    this.isReloading = true;
    try {
      const answer = await fetch("/wall", { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) throw new Refused(answer.status);
      await answer.text();
      try {
        sessionStorage.setItem(RELOADED, JSON.stringify({ why, at_ms: Date.now(), count: (before?.count ?? 0) + 1 }));
      } catch {
        // A browser that keeps nothing counts nothing.
      }
      location.reload();
    } catch {
      this.isReloading = false; // not now: it stays due
    }
  }
}

const page = new WallPage();
page.start();
Object.assign(window, { vtap: { .../** @type {{vtap?: object}} */ (window).vtap, wall: hooksOf(page), rates: undefined } });
