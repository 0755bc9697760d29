// @ts-check
/**
 * A form that is left for the map keeps what was typed: it lies in the tab's session storage until the form is back, and is taken once.
 * Its destination and its token are not part of it: the one is what the map was asked for, the other is the page's own.
 */

const LEFT_OUT = new Set(["destination", "csrfmiddlewaretoken", "q"]);
const nameOf = (/** @type {string} */ form) => `vtapweb.form.${form}`;

/** @param {Document} page */
export function startKeeping(page) {
  page.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("[data-keep-form]") : null;
    const form = link?.closest("form");
    if (!(link instanceof HTMLElement) || !form) return;
    const typed = [...new FormData(form)].filter(([name, value]) => !LEFT_OUT.has(name) && typeof value === "string");
    try {
      sessionStorage.setItem(nameOf(link.dataset.keepForm ?? ""), JSON.stringify(typed));
    } catch {
      // A browser that keeps nothing: the form comes back empty.
    }
  });
  for (const form of page.querySelectorAll("form[data-kept-form]")) {
    if (form instanceof HTMLFormElement) putBack(form, nameOf(form.dataset.keptForm ?? ""));
  }
}

/** @param {HTMLFormElement} form @param {string} name */
function putBack(form, name) {
  /** @type {Array<[string, string]>} */
  let typed = [];
  try {
    typed = JSON.parse(sessionStorage.getItem(name) ?? "[]");
    sessionStorage.removeItem(name);
  } catch {
    return;
  }
  for (const [field, value] of typed) {
    for (const element of form.querySelectorAll(`[name="${CSS.escape(field)}"]`)) {
      if (element instanceof HTMLInputElement && (element.type === "radio" || element.type === "checkbox")) element.checked ||= element.value === value;
      else if ((element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) && !element.value) element.value = value;
      else if (element instanceof HTMLSelectElement) element.value = value;
    }
  }
}
