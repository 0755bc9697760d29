// @ts-check
/**
 * The display's socket: opens, opens again for ever, notices silence, sleep and a changed network. Knows nothing of what the messages mean but the
 * greeting; texts are messages, octets are frames of rates.
 */

import { waitBefore } from "../store/retry.js";
import { SILENCE_MS } from "../store/trust.js";

/** @typedef {import("../store/types.js").Phase} Phase */
/** @typedef {{kind: string, seq?: number, [more: string]: unknown}} Message */

/** The server's close codes: the cookie is no display's any more; the display was revoked. */
const NO_DISPLAY = 4401;
const REVOKED = 4410;
/** A try that leads nowhere is given up, so that a network that swallows packets does not hold the line for minutes. */
const OPENING_MS = 8000;

export class WallLine {
  /**
   * @param {string} path
   * @param {{onMessage: (message: Message) => void, onFrame: (octets: ArrayBuffer) => void, onPhase: (phase: Phase, wait_ms: number | null) => void}} told
   *   `wait_ms`: until the next try
   */
  constructor(path, told) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.told = told;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Phase} */
    this.phase = "connecting";
    this.attempt = 0;
    this.opened = 0; // times that the server greeted
    /** @type {number | null} mono ms */
    this.lostAt = performance.now();
    this.heardAt = performance.now();
    this.retryTimer = 0;
    this.silenceTimer = 0;
    const again = () => this.reconnectNow();
    window.addEventListener("online", again);
    document.addEventListener("visibilitychange", () => !document.hidden && again());
    document.addEventListener("resume", again);
  }

  open() {
    clearTimeout(this.retryTimer);
    this.#drop();
    /** @type {WebSocket} */
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.#set("connecting", null);
    this.#listen(OPENING_MS);
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.heardAt = performance.now();
      this.#listen(SILENCE_MS);
      if (typeof event.data !== "string") {
        this.told.onFrame(event.data);
        return;
      }
      /** @type {Message} */
      const message = JSON.parse(event.data);
      if (message.kind === "hello") {
        this.attempt = 0;
        this.lostAt = null;
        this.opened++;
        this.#set("open", null);
      }
      this.told.onMessage(message);
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket !== this.socket) return;
      if (code === REVOKED) this.end("revoked");
      else if (code === NO_DISPLAY) this.#lost("unpaired");
      else this.#lost("waiting");
    });
  }

  /** @param {object} message @returns {boolean} whether it went out */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN || this.phase !== "open") return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** The machine woke up, or its network came back: a line that stood before may be dead without knowing it. */
  reconnectNow() {
    if (this.phase === "revoked") return;
    if (this.phase === "open" && performance.now() - this.heardAt < SILENCE_MS / 2) return;
    this.attempt = 0;
    this.open();
  }

  /** Never again. @param {Phase} phase */
  end(phase) {
    clearTimeout(this.retryTimer);
    this.#drop();
    this.#set(phase, null);
  }

  /** @param {number} most_ms without a word */
  #listen(most_ms) {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.#lost("waiting"), most_ms);
  }

  /** @param {"waiting" | "unpaired"} phase */
  #lost(phase) {
    this.#drop();
    this.lostAt ??= performance.now();
    const wait = waitBefore(this.attempt++, performance.now() - this.lostAt, Math.random());
    this.retryTimer = setTimeout(() => this.open(), wait);
    this.#set(phase, wait);
  }

  #drop() {
    clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** @param {Phase} phase @param {number | null} wait_ms */
  #set(phase, wait_ms) {
    this.phase = phase;
    this.told.onPhase(phase, wait_ms);
  }
}
