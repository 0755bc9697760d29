/**
 * Another time for a page: it goes as fast as the page has done what was due, second by second, with its server's time in step.
 *
 *     play.run(until) ── the next of: a timer of the page, a word of the server ──▶ world.now_ms ──▶ Date (off by what the machine's clock is
 *     wrong), performance.now (stands still in some sleeps), timers, animation frames
 *
 * Time stands still while the server is asked over HTTP or its socket opens, so that no answer comes late only because time ran. What the server
 * sends is real (fetch and WebSocket go to the stand), it only waits for its second: a text {"played_ms"} says which one the next messages are of.
 * Observers, animations and painting are the browser's own. An init script: (file)(START_MS); what it knows outlives a reload of the page.
 */
(start_ms) => {
  if (!location.protocol.startsWith("http")) return;
  const real = { setTimeout: window.setTimeout.bind(window), fetch: window.fetch.bind(window), Socket: window.WebSocket, Date: window.Date };
  const KEPT = "played";
  /** now_ms: the world's time; slept_ms: so much the steady clock stood still; off_ms: the machine's time of day is wrong; network: "up" | "gone" | "mute" */
  const world = { now_ms: start_ms, slept_ms: 0, off_ms: 0, network: "up", late_ms: 0, ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
  const loaded_ms = world.now_ms - world.slept_ms;
  const mono = () => world.now_ms - world.slept_ms - loaded_ms;
  let isLeaving = false;
  const leave = () => {
    isLeaving = true;
    sessionStorage.setItem(KEPT, JSON.stringify(world));
  };
  window.navigation?.addEventListener("navigate", leave);
  window.addEventListener("pagehide", leave);

  // --- clocks and timers ----------------------------------------------------------------------------------------------
  performance.now = mono;
  window.Date = class extends real.Date {
    constructor(...told) {
      super(...(told.length ? told : [world.now_ms + world.off_ms]));
    }

    static now() {
      return world.now_ms + world.off_ms;
    }
  };
  const timers = new Map(); // number → {at_ms: steady time, every_ms, deed, isFrame}
  let last = 0;
  const plan = (deed, wait_ms, more = {}) => {
    timers.set(++last, { at_ms: mono() + Math.max(0, Number(wait_ms) || 0), deed, ...more });
    return last;
  };
  window.setTimeout = (deed, wait_ms, ...told) => plan(() => deed(...told), wait_ms);
  window.setInterval = (deed, wait_ms, ...told) => plan(() => deed(...told), wait_ms, { every_ms: Math.max(1, wait_ms) });
  window.clearTimeout = window.clearInterval = (number) => void timers.delete(number);
  window.requestAnimationFrame = (deed) => plan(() => deed(mono()), 16, { isFrame: true });
  window.cancelAnimationFrame = window.clearTimeout;
  let isHidden = false;
  let isStuck = false; // no frame is ever painted
  Object.defineProperty(document, "hidden", { get: () => isHidden });
  Object.defineProperty(document, "visibilityState", { get: () => (isHidden ? "hidden" : "visible") });

  // --- the network ----------------------------------------------------------------------------------------------------
  let underWay = 0;
  const asked = { http: 0, sockets: 0, failed: 0 };
  AbortSignal.timeout = (ms) => {
    const control = new AbortController();
    control.timer = plan(() => control.abort(new DOMException("It took too long.", "TimeoutError")), ms);
    control.signal.done = () => timers.delete(control.timer);
    return control.signal;
  };
  window.fetch = async (url, told = {}) => {
    asked.http++;
    if (world.network === "gone") throw new TypeError("The network is gone.");
    if (world.network === "mute") return new Promise((_, fail) => told.signal?.addEventListener("abort", () => fail(told.signal.reason)));
    underWay++;
    try {
      const answer = await real.fetch(url, { ...told, headers: { ...told.headers, "played-ms": String(world.now_ms) } });
      const octets = await answer.arrayBuffer();
      return new Response(octets.byteLength ? octets : null, { status: answer.status, headers: answer.headers });
    } finally {
      underWay--;
      told.signal?.done?.();
    }
  };
  const sockets = new Set();
  window.WebSocket = class extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    constructor(url) {
      super();
      asked.sockets++;
      this.url = url;
      this.told_ms = -Infinity; // all up to here has come
      this.waiting = []; // {at_ms, event}
      this.isOver = false;
      sockets.add(this);
      if (world.network === "mute") return;
      if (world.network === "gone") {
        this.isOver = true;
        this.waiting.push({ at_ms: world.now_ms + 10, event: new CloseEvent("close", { code: 1006 }) });
        return;
      }
      this.real = new real.Socket(`${url}${url.includes("?") ? "&" : "?"}played_ms=${world.now_ms}`);
      this.real.binaryType = "arraybuffer";
      this.real.onmessage = ({ data }) => {
        const told = typeof data === "string" && data.startsWith('{"played_ms"') ? JSON.parse(data).played_ms : null;
        if (told !== null) this.told_ms = told;
        else this.waiting.push({ at_ms: this.told_ms, event: new MessageEvent("message", { data }) });
      };
      this.real.onclose = ({ code }) => {
        this.isOver = true;
        this.waiting.push({ at_ms: this.told_ms, event: new CloseEvent("close", { code }) });
      };
    }

    get readyState() {
      return this.real ? this.real.readyState : 0;
    }

    /** Nothing of what the server says until then has come yet. */
    isBehind(until_ms) {
      return !this.isOver && this.real !== undefined && this.told_ms < until_ms;
    }

    send(text) {
      if (world.network === "up") this.real.send(text);
    }

    /** The machine slept, or its cable was cut: nothing comes any more, and nobody says so. */
    mute() {
      this.isOver = true;
      this.waiting.length = 0;
      if (this.real) this.real.onmessage = this.real.onclose = null;
    }

    close() {
      this.mute();
      this.real?.close();
      sockets.delete(this);
    }
  };

  // --- playing --------------------------------------------------------------------------------------------------------
  const channel = new MessageChannel();
  const turns = [];
  channel.port1.onmessage = () => turns.shift()?.();
  const turn = () => new Promise((done) => (turns.push(done), channel.port2.postMessage(0)));
  const pause = () => new Promise((done) => real.setTimeout(done, 1));
  /** A hidden page's timers come at most once a minute; a frame never. */
  const dueAt = ({ at_ms, isFrame }) => (isFrame && (isHidden || isStuck) ? Infinity : world.late_ms ? Math.ceil(at_ms / world.late_ms) * world.late_ms : at_ms);
  const next = (until_ms) => {
    let found = null;
    let at_ms = until_ms;
    for (const socket of sockets) {
      const [first] = socket.waiting;
      if (!first || first.at_ms >= at_ms) continue;
      at_ms = first.at_ms;
      found = () => {
        socket.waiting.shift();
        if (first.event.type === "close") sockets.delete(socket);
        socket.dispatchEvent(first.event);
      };
    }
    for (const [number, timer] of timers) {
      const due_ms = dueAt(timer) + loaded_ms + world.slept_ms;
      if (due_ms >= at_ms) continue;
      at_ms = due_ms;
      found = () => {
        if (timer.every_ms) timer.at_ms = mono() + timer.every_ms;
        else timers.delete(number);
        timer.deed();
      };
    }
    return found && { at_ms, deed: found };
  };
  const settled = async (until_ms) => {
    await turn();
    while (isLeaving || underWay || [...sockets].some((socket) => socket.isBehind(until_ms))) await pause();
  };
  window.play = {
    now_ms: () => world.now_ms,
    stats: () => ({ ...asked, timers: timers.size, sockets: sockets.size }),
    /** Plays until then. Ends with the page, if it reads itself anew. @param {number} until_ms of the world */
    async run(until_ms) {
      for (;;) {
        await settled(until_ms);
        const due = next(until_ms);
        if (!due) break;
        world.now_ms = Math.max(world.now_ms, due.at_ms);
        try {
          due.deed();
        } catch (error) {
          reportError(error);
        }
      }
      world.now_ms = Math.max(world.now_ms, until_ms);
      return world.now_ms;
    },
    /** The machine sleeps, with a steady clock that goes on or stands still. */
    sleep(until_ms, isSteady) {
      for (const socket of sockets) socket.mute();
      if (!isSteady) world.slept_ms += until_ms - world.now_ms;
      world.now_ms = until_ms;
    },
    clockOff(off_ms) {
      world.off_ms = off_ms;
    },
    network(how) {
      world.network = how;
      if (how !== "up") for (const socket of sockets) socket.mute();
    },
    /** The graphics of the machine hang: until the page is read anew. */
    stick() {
      isStuck = true;
    },
    hide(is) {
      isHidden = is;
      world.late_ms = is ? 60_000 : 0;
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
}
