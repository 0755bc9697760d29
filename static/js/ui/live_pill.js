// @ts-check
/**
 * The pill that says whether this page is live. Whoever holds the socket dispatches `vtap:live` on the document with
 * `{state: "live" | "connecting" | "stale" | "off", words}`; the words stand beside the dot, so colour never speaks alone.
 */

/** @param {Document} page */
export function startLivePill(page) {
  page.addEventListener("vtap:live", (event) => {
    const pill = page.getElementById("live-pill");
    const words = page.getElementById("live-words");
    if (!pill || !words || !(event instanceof CustomEvent)) return;
    pill.dataset.state = String(event.detail.state);
    if (words.textContent !== event.detail.words) words.textContent = String(event.detail.words);
  });
}
