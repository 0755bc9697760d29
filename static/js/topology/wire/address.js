// @ts-check
/** The page's state in the address bar: ?at=x,y,k&sel=ids&node=id, or select=@name for a selection the server keeps, and pick=destination while that is picked. Other parameters are left as they are. */

import { idsFromText, idsToText } from "../store/selection.js";
import { viewFromText, viewToText } from "../store/view.js";

/** @typedef {import("../store/types.js").View} View */
/** @typedef {{view: View | null, selection: number[], node: number | null, pick: string}} PageState */

/** @param {string} search @returns {PageState} */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const node = Number(query.get("node"));
  return { view: viewFromText(query.get("at")), selection: idsFromText(query.get("sel")), node: Number.isInteger(node) && node > 0 ? node : null, pick: query.get("pick") ?? "" };
}

/** @param {string} search @param {{view: View | null, selection: ReadonlySet<number>, select?: string, node: number | null, pick?: string}} state @returns {string} the new query, "" or "?…" */
export function addressOf(search, state) {
  const query = new URLSearchParams(search);
  const put = (/** @type {string} */ name, /** @type {string} */ value) => (value ? query.set(name, value) : query.delete(name));
  put("at", state.view ? viewToText(state.view) : "");
  put("sel", idsToText(state.selection));
  put("select", state.select ?? "");
  put("node", state.node ? String(state.node) : "");
  put("pick", state.pick ?? "");
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}
