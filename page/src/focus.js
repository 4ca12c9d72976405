// Keeps the focus near when the element that had it goes away: a button that was pressed, an item that was removed.
const REACHED = "a[href], button, input, select, textarea, summary, [tabindex='0']";

const seen = (box, selector) => [...box.querySelectorAll(selector)].filter((each) => each.checkVisibility());
const reached = (box) => seen(box, REACHED).filter((each) => each.tabIndex >= 0 && !each.disabled);

/** Without this, browsers put the focus on the page, so a keyboard begins at its top and a screen reader is lost. */
export function keepFocus(app) {
  let last = null; // the element, and its place among what is reached in each of its ancestors, from the inside out
  app.addEventListener("focusin", ({ target }) => {
    const way = [];
    for (let box = target.parentElement; box && box !== app; box = box.parentElement) way.push([box, reached(box).indexOf(target)]);
    last = { target, way };
  });
  app.addEventListener("pointerdown", ({ target }) => { if (!last?.target.contains(target)) last = null; });
  new MutationObserver(() => {
    if (!last || last.target.isConnected || document.activeElement !== document.body) return;
    const [box, place] = last.way.find(([each]) => each.isConnected && each.checkVisibility()) ?? [document.getElementById("main"), 0];
    last = null;
    const others = box.matches("main, .split, .detail") ? [] : reached(box); // of a whole view that was replaced, the heading
    const next = others[Math.min(Math.max(place, 0), others.length - 1)] ?? seen(box, "h2")[0] ?? box;
    if (!next.matches(REACHED) && !next.hasAttribute("tabindex")) next.setAttribute("tabindex", "-1");
    next.focus();
  }).observe(app, { childList: true, subtree: true });
}
