// @ts-check
/** Coverage: marks the cell whose reasons stand in the panel, and shuts the panel without reading the page anew. Without script both are links. */

const panel = /** @type {HTMLElement} */ (document.getElementById("panel"));

/** Marks the cell that the address names, and no other. */
function mark() {
  const here = new URLSearchParams(location.search);
  const wanted = here.has("goal") ? `${here.get("place")} ${here.get("goal")}` : "";
  for (const link of document.querySelectorAll(".hit > a")) {
    const its = new URLSearchParams(link.getAttribute("href") ?? "");
    if (wanted && `${its.get("place")} ${its.get("goal")}` === wanted) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** @param {MouseEvent} event */
function handleClick(event) {
  const shut = event.target instanceof Element ? event.target.closest("a[data-panel-close]") : null;
  if (!shut || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const marked = /** @type {HTMLElement | null} */ (document.querySelector(".hit > a[aria-current]"));
  panel.replaceChildren();
  history.replaceState(history.state, "", shut.getAttribute("href") || location.pathname);
  mark();
  marked?.focus();
}

panel.addEventListener("click", handleClick);
document.addEventListener("htmx:pushedIntoHistory", mark);
mark();
