// @ts-check
/**
 * Choosing a TAP for the selected NICs: the side panel lists the TAPs, the map lights what is eligible and dims the rest.
 *
 * The server's rows say what each of them lights: `data-map-light="3,17,42"` are node ids, on the whole for all that may be chosen, on a
 * row for what may go there. Nothing here judges.
 */

/** @param {Element | null} element @returns {number[] | null} */
function lightOf(element) {
  const text = element instanceof HTMLElement ? element.dataset.mapLight : undefined;
  if (text === undefined) return null;
  return text.split(",").map(Number).filter((id) => Number.isInteger(id) && id > 0);
}

export class Choosing {
  /**
   * @param {HTMLElement} panel
   * @param {(ids: number[] | null) => void} onLight node ids to light; null = choosing is over
   */
  constructor(panel, onLight) {
    this.panel = panel;
    this.onLight = onLight;
    /** @type {Element | null} the row under the pointer or with the focus */
    this.row = null;
    this.isOn = false;
    /** What a click on a lit node leads to, without its id; "" = a click is as always. */
    this.pick = "";
    /** @type {ReadonlySet<number>} what may be picked */
    this.pickable = new Set();
    this.stop = new AbortController();
    const { signal } = this.stop;
    const over = (/** @type {Event} */ event) => this.#look(event.target instanceof Element ? event.target.closest("[data-map-choice]") : null);
    panel.addEventListener("pointerover", over, { signal });
    panel.addEventListener("focusin", over, { signal });
    panel.addEventListener("pointerleave", () => this.#look(null), { signal });
    panel.addEventListener("htmx:afterSettle", () => this.refresh(), { signal });
  }

  /** After the panel's content changed: lights what it says, or ends. */
  refresh() {
    const whole = this.panel.querySelector("[data-map-choosing]");
    if (whole === null) {
      if (this.isOn) this.onLight(null);
      this.isOn = false;
      this.pick = "";
      return;
    }
    this.isOn = true;
    this.row = null;
    this.pick = (whole instanceof HTMLElement && whole.dataset.mapPick) || "";
    this.pickable = new Set(lightOf(whole));
    this.onLight(lightOf(whole) ?? []);
  }

  /** @param {Element | null} row */
  #look(row) {
    if (!this.isOn || row === this.row) return;
    this.row = row;
    this.onLight(lightOf(row) ?? lightOf(this.panel.querySelector("[data-map-choosing]")) ?? []);
  }

  destroy() {
    this.stop.abort();
  }
}
