// @ts-check
/**
 * The seq protocol of the live socket as a pure state machine.
 *
 *   buffering --snapshot(seq)--> live --gap | is_refetch | "refetch"--> buffering
 *
 * While buffering every message is kept. With a snapshot those at or below its seq are dropped and the rest applied.
 * Live: old is ignored, next is applied, a gap asks for the snapshot again. A tick carries the current seq without
 * content: if it is further ahead than the next one we have missed something. A hello after a reconnect changes nothing: whoever
 * holds the socket asks to resume from our seq, and what we missed is sent again. A hello below our seq is another server's: refetch.
 */

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Delta} Delta */
/** @typedef {{phase: "buffering" | "live", seq: number, buffer: Message[]}} Sequence */
/** @typedef {{state: Sequence, apply: Message[], refetch: boolean}} Step */

/** More than this in the buffer and a fresh snapshot is cheaper than the rest of the story. */
export const BUFFER_LIMIT = 2000;

/** @returns {Sequence} */
export function sequenceStart() {
  return { phase: "buffering", seq: 0, buffer: [] };
}

/**
 * Takes one message from the socket.
 *
 * @param {Sequence} state
 * @param {Message} message
 * @returns {Step}
 */
export function sequenceReceive(state, message) {
  if (message.kind === "refetch") return refetch(message);
  if (typeof message.seq !== "number") return { state, apply: [message], refetch: false };
  if (state.phase === "buffering") {
    if (message.kind === "hello") return { state, apply: [], refetch: false };
    if (state.buffer.length >= BUFFER_LIMIT) return { state: { ...state, buffer: [message] }, apply: [], refetch: true };
    return { state: { ...state, buffer: [...state.buffer, message] }, apply: [], refetch: false };
  }
  if (message.kind === "hello") return message.seq < state.seq ? refetch(message) : { state, apply: [], refetch: false };
  return next(state, message);
}

/**
 * Takes the snapshot that was asked for.
 *
 * @param {Sequence} state
 * @param {number} seq what the snapshot includes
 * @returns {Step}
 */
export function sequenceSnapshot(state, seq) {
  /** @type {Step} */
  let step = { state: { phase: "live", seq, buffer: [] }, apply: [], refetch: false };
  const kept = state.buffer.filter((message) => (message.seq ?? 0) > seq || message.kind === "tick");
  for (const message of kept) {
    const one = next(step.state, message);
    step = { state: one.state, apply: [...step.apply, ...one.apply], refetch: one.refetch };
    if (one.refetch) {
      step.state.buffer = kept.slice(kept.indexOf(message) + 1);
      return step;
    }
  }
  return step;
}

/** @param {Sequence} state @param {Message} message @returns {Step} */
function next(state, message) {
  const seq = /** @type {number} */ (message.seq);
  if (seq <= state.seq) return { state, apply: [], refetch: false };
  if (seq > state.seq + 1) return refetch(message);
  if (message.is_refetch) return refetch(message);
  return { state: { ...state, seq }, apply: message.kind === "tick" ? [] : [message], refetch: false };
}

/** @param {Message} message @returns {Step} */
function refetch(message) {
  const isContent = message.kind === "topology" && !message.is_refetch;
  return { state: { phase: "buffering", seq: 0, buffer: isContent ? [message] : [] }, apply: [], refetch: true };
}
