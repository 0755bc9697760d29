// @ts-check
/** Which view is due. The server says it for the hours to come; this only reads what it said. Pure. */

/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").Slot} Slot */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Alarm} Alarm */

/** So long an alarm that nobody has taken keeps the stage to itself; after that it stays at the top of whatever is due. */
export const NEW_FOR_MS = 10 * 60_000;

/** @param {readonly Slot[]} slots @param {number} now_ms @returns {Slot | null} the one that is due; the last one goes on until the server says more */
export function slotAt(slots, now_ms) {
  /** @type {Slot | null} */
  let due = null;
  for (const slot of slots) {
    if (slot.from_ms > now_ms && due) break;
    due = slot;
  }
  return due;
}

/** @param {readonly Slot[]} slots @param {number} now_ms @returns {boolean} whether what the server said reaches no further than now */
export function isRunOut(slots, now_ms) {
  const last = slots.at(-1);
  return !last || (last.until_ms !== null && last.until_ms <= now_ms);
}

/** @param {Alarm} alarm @returns {boolean} somebody should look at it, and nobody does */
export function isUntaken(alarm) {
  return !alarm.is_taken && !alarm.is_acknowledged && !alarm.is_muted;
}

/** @param {Alarm} alarm @param {number} now_ms @returns {boolean} */
export function isNew(alarm, now_ms) {
  return isUntaken(alarm) && alarm.severity !== "notice" && now_ms - alarm.opened_ms < NEW_FOR_MS;
}

/**
 * What is shown. On the stage of a room a new alarm comes before what is due, unless somebody has just put something there, or visitors are in the room.
 *
 * @param {State} state @param {Picture | null} picture @param {number} now_ms
 * @returns {{view: View | null, slot: Slot | null, isTakenByAlarm: boolean}} view null: the server names none
 */
export function viewDue(state, picture, now_ms) {
  const slot = slotAt(state.slots, now_ms);
  const view = slot ? (state.views[String(slot.view)] ?? null) : null;
  const mayTake = state.display.role === "stage" && state.scene !== "visitors" && slot?.why !== "pushed" && view?.kind !== "alarms";
  if (mayTake && picture?.alarms.some((alarm) => isNew(alarm, now_ms))) {
    const alarms = Object.values(state.views).find((one) => one.kind === "alarms" && one.options.number === undefined);
    return { view: alarms ?? { id: 0, name: "Alarms", kind: "alarms", options: {} }, slot, isTakenByAlarm: true };
  }
  return { view, slot, isTakenByAlarm: false };
}

/** @param {readonly {from_ms: number, until_ms: number, percent: number}[]} dims @param {number} now_ms @returns {number} percent of the full light, 100 by day */
export function lightAt(dims, now_ms) {
  let percent = 100;
  for (const dim of dims) if (dim.from_ms <= now_ms && now_ms < dim.until_ms) percent = Math.min(percent, dim.percent);
  return Math.max(5, percent);
}
