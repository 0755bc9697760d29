// @ts-check
/** Copy buttons: `data-copy="#id"` copies that element's text, `data-copy-text` its own value. */

/** @param {Document} page */
export function startCopy(page) {
  page.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy], [data-copy-text]") : null;
    if (!(button instanceof HTMLElement)) return;
    const selector = button.dataset.copy;
    const text = selector ? (page.querySelector(selector)?.textContent ?? "") : (button.dataset.copyText ?? "");
    const label = button.querySelector("[data-copy-label]") ?? button;
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Select and copy by hand"; // no clipboard over plain http or by policy
    }
    setTimeout(() => {
      label.textContent = before;
    }, 1600);
  });
}
