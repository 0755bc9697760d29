// @ts-check
/** Instants in the viewer's zone, ages that stay true; UTC stays in the title. `age` and `moment` are pure. */

/**
 * An age in words: 42000 → "42 s ago".
 * @param {number} age_ms
 */
export function age(age_ms) {
  const s = Math.max(0, Math.round(age_ms / 1000));
  if (s < 90) return `${s} s ago`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min ago`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} d ago`;
}

/**
 * An instant in a zone, to the second; the date is left out on the same day.
 * @param {Date} at
 * @param {Date} now
 * @param {string} [zone] IANA name; the viewer's own when left out
 */
export function moment(at, now, zone) {
  const day = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" });
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, timeStyle: "medium" });
  return day.format(at) === day.format(now) ? `today ${clock.format(at)}` : `${day.format(at)} ${clock.format(at)}`;
}

/** @param {Element} element @param {Date} now */
function paint(element, now) {
  if (!(element instanceof HTMLTimeElement)) return;
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const style = element.dataset.time;
  const words = style === "age" ? age(now.getTime() - at.getTime()) : moment(at, now);
  const shown = style === "clock" ? words.slice(words.indexOf(" ") + 1) : words;
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * An instant as the server's pages write it: in the viewer's zone, UTC in its title.
 * @param {Date} at
 * @param {"moment" | "clock"} style
 */
export function instant(at, style) {
  const element = document.createElement("time");
  const stamp = at.toISOString();
  element.dateTime = `${stamp.slice(0, 19)}Z`;
  element.title = `${stamp.slice(0, 10)} ${stamp.slice(11, 19)} UTC`;
  element.dataset.time = style;
  paint(element, new Date());
  return element;
}

/** @param {Document} page */
export function startTimes(page) {
  const all = () => {
    const now = new Date();
    for (const element of page.querySelectorAll("time[data-time]")) paint(element, now);
  };
  all();
  page.addEventListener("htmx:afterSettle", all);
  page.addEventListener("vtap:painted", all);
  setInterval(() => {
    if (!page.hidden) all();
  }, 1000);
}
