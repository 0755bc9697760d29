// @ts-check
/** The theme: kept in a cookie, so that the server's first byte has it and nothing flashes. */

export const THEMES = /** @type {const} */ (["dark", "light", "system"]);

/** @param {Document} page */
export function startTheme(page) {
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-theme-set]") : null;
    if (button instanceof HTMLElement) setTheme(page, button.dataset.themeSet ?? "system");
  });
}

/**
 * Shows and keeps a theme; tells the page by a `vtap:theme` event (canvases repaint on it).
 * @param {Document} page
 * @param {string} theme
 */
export function setTheme(page, theme) {
  page.documentElement.dataset.theme = theme;
  page.cookie = `vtap_theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  for (const one of page.querySelectorAll("[data-theme-set]")) {
    one.setAttribute("aria-checked", String(one instanceof HTMLElement && one.dataset.themeSet === theme));
  }
  page.dispatchEvent(new CustomEvent("vtap:theme", { detail: { theme } }));
}
