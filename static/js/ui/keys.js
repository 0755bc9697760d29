// @ts-check
/** Keys of every page: "/" finds, Esc leaves a field or closes the open menu. Menus close on a click elsewhere. */

/** @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {Document} page */
function closeMenus(page) {
  for (const menu of page.querySelectorAll("details[data-menu][open]")) menu.removeAttribute("open");
}

/** @param {Document} page */
export function startKeys(page) {
  page.addEventListener("keydown", (event) => {
    if (event.key === "/" && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
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
    for (const menu of page.querySelectorAll("details[data-menu][open]")) {
      if (event.target instanceof Node && !menu.contains(event.target)) menu.removeAttribute("open");
    }
  });
}
