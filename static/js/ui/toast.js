// @ts-check
/** Short notices at the lower right, spoken by the aria-live region they stand in. */

/**
 * Shows a notice. Bad ones stay until dismissed.
 * @param {string} words
 * @param {"ok" | "warn" | "bad"} [tone]
 */
export function toast(words, tone = "ok") {
  const box = document.createElement("div");
  box.className = tone === "ok" ? "toast" : `toast toast--${tone}`;
  const text = document.createElement("span");
  text.className = "toast__text";
  text.textContent = words;
  const close = document.createElement("button");
  close.type = "button";
  close.dataset.toastClose = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "✕";
  box.append(text, close);
  document.getElementById("toasts")?.append(box);
  if (tone !== "bad") setTimeout(() => box.remove(), 6000);
}

/**
 * Says something to screen readers only.
 * @param {string} words
 */
export function announce(words) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = words;
}

/** @param {Document} page */
export function startToasts(page) {
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-toast-close]") : null;
    button?.closest(".toast")?.remove();
  });
  page.addEventListener("htmx:responseError", (event) => {
    const status = event instanceof CustomEvent ? event.detail?.xhr?.status : "";
    toast(`vtapweb refused that request (${status}). Nothing was changed on this page; reload it and try again.`, "bad");
  });
  page.addEventListener("htmx:sendError", () => toast("vtapweb does not answer. You are seeing the last picture it sent.", "bad"));
}
