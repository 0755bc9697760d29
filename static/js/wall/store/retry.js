// @ts-check
/** When to try again, for ever. Pure: chance and clock come in. */

/** So long after the line was lost the tries are close together, so that a server that comes back is seen within 5 s. */
export const CLOSE_FOR_MS = 120_000;
const CLOSE_MOST_MS = 3000;
const MOST_MS = 30_000;
const FIRST_MS = 500;

/**
 * @param {number} attempt 0, 1, … since the line was lost @param {number} lost_for_ms @param {number} chance 0..1
 * @returns {number} ms to wait: doubling, half of it by chance, so that the screens of a hall do not come back in one moment
 */
export function waitBefore(attempt, lost_for_ms, chance) {
  const most = lost_for_ms < CLOSE_FOR_MS ? CLOSE_MOST_MS : MOST_MS;
  return Math.round(Math.min(most, FIRST_MS * 2 ** Math.min(attempt, 10)) * (0.5 + chance / 2));
}
