// @ts-check
/** The bar about the selected NICs: how many and where, and their names for the clipboard. */

import { summary } from "../store/selection.js";
import { count } from "../store/states.js";
import { toast } from "../../ui/toast.js";

/** @typedef {import("../store/graph.js").Graph} Graph */

export class SelectionBar {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
  }

  /** @param {ReadonlySet<number>} selection @param {Graph} graph */
  show(selection, graph) {
    this.element.hidden = selection.size === 0;
    if (!selection.size) return;
    const { nics, vnets, subnets, mirrored } = summary(selection, graph);
    const where = vnets.length > 2 ? `${vnets.slice(0, 2).join(", ")} and ${vnets.length - 2} more` : vnets.join(", ");
    this.#put("count", `${count(nics, "NIC")} selected`);
    this.#put("where", `${where} · ${count(subnets, "subnet")} · ${mirrored ? `${mirrored} already mirrored` : "none mirrored yet"}`);
  }

  /** @param {string} name @param {string} words */
  #put(name, words) {
    const element = this.element.querySelector(`[data-words="${name}"]`);
    if (element && element.textContent !== words) element.textContent = words;
  }

  /** @param {ReadonlySet<number>} selection @param {Graph} graph */
  async copyNames(selection, graph) {
    const names = [...selection].map((id) => graph.nameOf(id)).sort();
    try {
      await navigator.clipboard.writeText(names.join("\n"));
      toast(`${count(names.length, "name")} copied, one a line.`);
    } catch {
      toast("This browser did not let us copy. The table page shows the names.", "warn");
    }
  }
}
