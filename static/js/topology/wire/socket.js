// @ts-check
/**
 * The live socket: opens, reconnects with backoff and jitter, notices silence. Knows nothing of what the messages mean; texts are messages, octets
 * are frames of rates.
 */

/** @typedef {import("../store/types.js").Message} Message */
/** @typedef {{phase: "connecting" | "open" | "waiting" | "signed_out", lostAt: number | null, retryAt: number | null}} SocketState  ms since 1970 */

/** The server's close code for: not signed in, or no longer. Trying again would not help. */
const SIGNED_OUT = 4401;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** The server ticks every 5 s; after so long without a word the line is dead. */
export const SILENCE_MS = 16_000;

/** @param {number} attempt 0, 1, … @param {number} chance 0..1 @returns {number} ms: doubling, half of it by chance */
export function waitBefore(attempt, chance) {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + chance / 2);
}

export class LiveSocket {
  /**
   * @param {string} path
   * @param {{onMessage: (message: Message) => void, onFrame: (octets: ArrayBuffer) => void, onState: (state: SocketState) => void}} told
   */
  constructor(path, told) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.told = told;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {SocketState} */
    this.state = { phase: "connecting", lostAt: null, retryAt: null };
    this.attempt = 0;
    this.retryTimer = 0;
    this.silenceTimer = 0;
    this.isClosed = false;
    this.handleOnline = () => this.reconnectNow();
    window.addEventListener("online", this.handleOnline);
  }

  open() {
    clearTimeout(this.retryTimer);
    if (this.isClosed) return;
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.#set({ ...this.state, phase: "connecting", retryAt: null });
    this.#listen();
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.#listen();
      if (typeof event.data !== "string") {
        this.told.onFrame(event.data);
        return;
      }
      /** @type {Message} */
      const message = JSON.parse(event.data);
      if (message.kind === "hello") {
        this.attempt = 0;
        this.#set({ phase: "open", lostAt: null, retryAt: null });
      }
      this.told.onMessage(message);
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      if (event.code === SIGNED_OUT) this.#signedOut();
      else this.#lost();
    });
  }

  /** @param {Message} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  reconnectNow() {
    if (this.state.phase === "waiting") this.open();
  }

  close() {
    this.isClosed = true;
    window.removeEventListener("online", this.handleOnline);
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  #listen() {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      const socket = this.socket;
      this.#lost();
      socket?.close();
    }, SILENCE_MS);
  }

  #signedOut() {
    clearTimeout(this.silenceTimer);
    this.socket = null;
    this.#set({ phase: "signed_out", lostAt: this.state.lostAt ?? Date.now(), retryAt: null });
  }

  #lost() {
    clearTimeout(this.silenceTimer);
    this.socket = null;
    if (this.isClosed) return;
    const wait = waitBefore(this.attempt++, Math.random());
    this.#set({ phase: "waiting", lostAt: this.state.lostAt ?? Date.now(), retryAt: Date.now() + wait });
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  /** @param {SocketState} state */
  #set(state) {
    this.state = state;
    this.told.onState(state);
  }
}
