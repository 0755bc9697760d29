// @ts-check
/**
 * Tables: selecting rows (also with shift), the selection bar, arrow keys. The selection outlives paging, sorting and filtering
 * within one kind; the rows themselves come from the server.
 */
import { isTyping } from "./keys.js";
import { announce } from "./toast.js";

/** @type {Map<string, string>} key → name, in the order of choosing */
const selected = new Map();
/** @type {HTMLTableRowElement | null} */
let anchor = null;

/** @returns {HTMLTableRowElement[]} */
const rows = () => [...document.querySelectorAll("tr[data-key]")].filter((row) => row instanceof HTMLTableRowElement);

/** @param {HTMLTableRowElement} row @param {boolean} on */
function choose(row, on) {
  const key = row.dataset.key ?? "";
  if (on) selected.set(key, row.dataset.name ?? key);
  else selected.delete(key);
}

function paint() {
  const all = rows();
  for (const row of all) {
    const on = selected.has(row.dataset.key ?? "");
    row.classList.toggle("is-selected", on);
    const box = row.querySelector("[data-select-row]");
    if (box instanceof HTMLInputElement) box.checked = on;
  }
  const whole = document.querySelector("[data-select-all]");
  if (whole instanceof HTMLInputElement) {
    const count = all.filter((row) => selected.has(row.dataset.key ?? "")).length;
    whole.checked = count > 0 && count === all.length;
    whole.indeterminate = count > 0 && count < all.length;
  }
  const bar = document.getElementById("selection-bar");
  if (!bar) return;
  bar.hidden = selected.size === 0;
  const number = bar.querySelector("[data-selected-count]");
  if (number) number.textContent = selected.size.toLocaleString("en");
}

/** @param {HTMLTableRowElement} row @param {boolean} on @param {boolean} isRange */
function toggle(row, on, isRange) {
  const all = rows();
  const from = anchor ? all.indexOf(anchor) : -1;
  if (isRange && from >= 0) {
    const to = all.indexOf(row);
    for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) choose(one, on);
  } else {
    choose(row, on);
  }
  anchor = row;
  paint();
  announce(`${selected.size} selected`);
}

function clear() {
  selected.clear();
  anchor = null;
  paint();
}

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element)) return;
  if (target instanceof HTMLInputElement && target.matches("[data-select-row]")) {
    const row = target.closest("tr");
    if (row) toggle(row, target.checked, event.shiftKey);
  } else if (target instanceof HTMLInputElement && target.matches("[data-select-all]")) {
    for (const row of rows()) choose(row, target.checked);
    paint();
    announce(`${selected.size} selected`);
  } else if (target.closest("[data-clear-selection]")) {
    clear();
  } else if (target.closest("[data-copy-names]")) {
    void navigator.clipboard?.writeText([...selected.values()].join("\n")).then(() => announce("Names copied"));
  } else if (!target.closest("a, button, input, label")) {
    const row = target.closest("tr[data-key]");
    const link = row?.querySelector("a.table__name");
    if (link instanceof HTMLAnchorElement && !getSelection()?.toString()) link.focus();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && selected.size && !isTyping(event.target)) return clear();
  const row = event.target instanceof Element ? event.target.closest("tr[data-key]") : null;
  if (!(row instanceof HTMLTableRowElement)) return;
  const all = rows();
  const at = all.indexOf(row);
  if (event.shiftKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const next = all[at + (event.key === "ArrowDown" ? 1 : -1)];
    const link = next?.querySelector("a.table__name");
    if (next && link instanceof HTMLElement) {
      event.preventDefault();
      link.focus();
      toggle(next, true, false);
    }
  } else if (event.key === " " && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    toggle(row, !selected.has(row.dataset.key ?? ""), event.shiftKey);
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.id !== "selection-form") return;
  const slot = form.querySelector("[data-selected-keys]");
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = "key";
  input.value = [...selected.keys()].join(",");
  slot?.replaceChildren(input);
});

document.addEventListener("htmx:afterSettle", paint);
paint();
