// @ts-check
/** The page's state in the address bar: ?at=x,y,k&sel=ids&node=id&unit=packets, or select=@name for a selection the server keeps, and pick=destination while that is picked. Other parameters are left as they are. */

import { idsFromText, idsToText } from "../store/selection.js";
import { viewFromText, viewToText } from "../store/view.js";
import { toast } from "../../ui/toast.js";
import { postSelection } from "./fetches.js";

const PAUSE_MS = 250;
/** Longer selections are kept by the server, and the address names them. */
const LONGEST_SELECTION = 1500;

/** @typedef {import("../store/types.js").View} View */
/** @typedef {{view: View | null, selection: number[], node: number | null, pick: string, unit: "bits" | "packets"}} PageState */

/** @param {string} search @returns {PageState} */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const node = Number(query.get("node"));
  return { view: viewFromText(query.get("at")), selection: idsFromText(query.get("sel")), node: Number.isInteger(node) && node > 0 ? node : null, pick: query.get("pick") ?? "", unit: query.get("unit") === "packets" ? "packets" : "bits" };
}

/** @param {string} search @param {{view: View | null, selection: ReadonlySet<number>, select?: string, node: number | null, pick?: string, unit?: string}} state @returns {string} the new query, "" or "?…" */
export function addressOf(search, state) {
  const query = new URLSearchParams(search);
  const put = (/** @type {string} */ name, /** @type {string} */ value) => (value ? query.set(name, value) : query.delete(name));
  put("at", state.view ? viewToText(state.view) : "");
  put("sel", idsToText(state.selection));
  put("select", state.select ?? "");
  put("node", state.node ? String(state.node) : "");
  put("pick", state.pick ?? "");
  put("unit", state.unit === "packets" ? "packets" : "");
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}

/** Writes the page's state into the address bar: what a person did at once, the view once it rests. */
export class AddressBar {
  /** @param {string} url of kept selections @param {() => {view: View, selection: ReadonlySet<number>, node: number | null, pick: string, unit: "bits" | "packets"} | null} stateOf null = nothing to write yet */
  constructor(url, stateOf) {
    this.url = url;
    this.stateOf = stateOf;
    this.timer = 0;
    this.writtenAt = -PAUSE_MS;
    this.isOver = false;
    /** The selection that the server keeps, and its name in the address. */
    this.kept = { ids: /** @type {ReadonlySet<number>} */ (new Set()), select: "" };
    /** The kept selection that the address names and that is not fetched yet. */
    this.awaited = "";
  }

  /** Writes once the view rests. What a person did is written at once, so that whoever leaves now comes back to it. */
  write(isDeed = false) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = 0;
      void this.#keep();
    }, PAUSE_MS);
    // Browsers refuse an address that changes too often.
    if (isDeed && performance.now() - this.writtenAt >= PAUSE_MS) this.put();
  }

  /** Before the page is left: what still waits. */
  flush() {
    if (this.timer) this.put();
  }

  /** A selection that is too long for the address is kept by the server and named there. */
  async #keep() {
    const selection = this.stateOf()?.selection;
    if (selection && isLong(selection) && this.kept.ids !== selection) {
      let select = "";
      try {
        select = await postSelection(this.url, [...selection]);
        if (this.isOver || this.stateOf()?.selection !== selection) return; // another one meanwhile: it writes the address
      } catch (error) {
        if (this.isOver) return;
        toast(`This selection is too long for the address and could not be kept: ${error instanceof Error ? error.message : "no answer"} A bookmark will not hold it.`, "warn");
      }
      this.kept = { ids: selection, select };
    }
    this.put();
  }

  /** Puts into the address what is known now: of a long selection its name if the server keeps it already. */
  put() {
    const state = this.stateOf();
    if (!state || this.isOver) return;
    this.writtenAt = performance.now();
    const isKept = isLong(state.selection);
    const select = isKept && this.kept.ids === state.selection ? this.kept.select : this.awaited;
    history.replaceState(null, "", location.pathname + addressOf(location.search, { ...state, selection: isKept ? new Set() : state.selection, select }));
  }

  destroy() {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}

/** @param {ReadonlySet<number>} selection */
function isLong(selection) {
  return idsToText(selection).length > LONGEST_SELECTION;
}
