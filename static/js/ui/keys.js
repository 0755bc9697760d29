// @ts-check
/** Keys of every page: "/" finds, "?" tells the keys, j and k walk over a table's rows, Esc leaves a field or closes the open menu;
 * letters of `data-shortcut`. */

/** @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {Document} page */
function closeMenus(page) {
  for (const menu of page.querySelectorAll("details[data-menu][open]")) menu.removeAttribute("open");
}

/** @param {Document} page */
function showKeys(page) {
  closeMenus(page);
  const dialog = page.getElementById("keys");
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

/**
 * The link of the row that is `step` rows from the focused one; without one in focus the first row's.
 * @param {Document} page @param {number} step @returns {HTMLElement | null}
 */
function rowLink(page, step) {
  const links = [...page.querySelectorAll("main tbody tr")].map((row) => row.querySelector("a.table__name, td a[href]"));
  const rows = links.filter((link) => link instanceof HTMLElement);
  const here = page.activeElement?.closest("tr");
  const at = here ? rows.findIndex((link) => link.closest("tr") === here) : -1;
  return rows[at < 0 ? 0 : at + step] ?? null;
}

/**
 * What a single letter stands for: the button or field with that `data-shortcut` in the focused row, else the only one on the page.
 * @param {Document} page @param {string} key @returns {HTMLElement | null}
 */
function shortcut(page, key) {
  if (!/^[a-z]$/.test(key)) return null;
  const row = page.activeElement?.closest("main tbody tr");
  const found = [...(row ?? page).querySelectorAll(`[data-shortcut="${key}"]`)].filter((one) => one instanceof HTMLElement);
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** @param {Document} page */
export function startKeys(page) {
  page.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isFree = !isTyping(event.target) && !page.querySelector("dialog[open]");
    const isInRow = event.target instanceof Element && event.target.closest("main tbody tr");
    const step = event.key === "j" || (event.key === "ArrowDown" && isInRow) ? 1 : event.key === "k" || (event.key === "ArrowUp" && isInRow) ? -1 : 0;
    if (isFree && event.key === "?") {
      event.preventDefault();
      showKeys(page);
    }
    if (isFree && step && !event.shiftKey) {
      const link = rowLink(page, step);
      if (link) {
        event.preventDefault();
        link.focus();
      }
    }
    const deed = isFree ? shortcut(page, event.key) : null;
    if (deed) {
      event.preventDefault();
      if (deed instanceof HTMLButtonElement || deed.tagName === "SUMMARY") deed.click();
      else deed.focus();
    }
    if (isFree && event.key === "/") {
      const field = page.getElementById("search");
      if (field instanceof HTMLInputElement) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    }
    if (event.key === "Escape") {
      closeMenus(page);
      if (event.target instanceof HTMLInputElement && event.target.type === "search") event.target.blur();
    }
  });
  page.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-show-keys]")) showKeys(page);
    for (const menu of page.querySelectorAll("details[data-menu][open]")) {
      if (event.target instanceof Node && !menu.contains(event.target)) menu.removeAttribute("open");
    }
  });
}
