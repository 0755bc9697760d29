// @ts-check
/** How a rate is told: three figures and a unit, the same everywhere on the map. Pure. */

/** @typedef {"bits" | "packets"} Unit */

const PREFIXES = ["", "k", "M", "G", "T"];
const WORDS = { bits: "b/s", packets: "pkt/s" };

/**
 * @param {number} value per second @param {Unit} unit
 * @returns {{figure: string, unit: string}} "8.74" and "Gb/s", "12.4" and "k pkt/s"; "—" and "" for what is not known
 */
export function rateParts(value, unit) {
  if (!Number.isFinite(value)) return { figure: "—", unit: "" };
  let step = 0;
  let scaled = Math.abs(value);
  while (scaled >= 999.5 && step < PREFIXES.length - 1) {
    scaled /= 1000;
    step++;
  }
  const digits = scaled >= 99.95 || (step === 0 && (unit === "packets" || scaled >= 9.95)) ? 0 : scaled >= 9.995 ? 1 : 2;
  const space = unit === "packets" && step ? " " : "";
  return { figure: scaled === 0 ? "0" : scaled.toFixed(digits), unit: `${PREFIXES[step]}${space}${WORDS[unit]}` };
}

/** @param {number} value per second @param {Unit} unit @returns {string} "8.74 Gb/s" */
export function rateWords(value, unit) {
  const { figure, unit: words } = rateParts(value, unit);
  return words ? `${figure} ${words}` : figure;
}

/** A round figure without the noughts behind it. @param {number} value per second @param {Unit} [unit] @returns {string} "10 Gb/s", "2.5 Gb/s" */
export function roundWords(value, unit = "bits") {
  const { figure, unit: words } = rateParts(value, unit);
  return `${figure.includes(".") ? figure.replace(/\.?0+$/, "") : figure} ${words}`;
}

/** @param {number} seconds @returns {string} "41 s", "6 min", "3 h", "2 days" */
export function ageWords(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 100) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} days`;
}

/** @param {number} share 0.87 @returns {string} "87 %" */
export function shareWords(share) {
  return share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`;
}
