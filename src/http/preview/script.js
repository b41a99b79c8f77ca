// Loads the page again when the document changed, and keeps every view where the editor had scrolled it.
"use strict";
const key = "tidings-preview";
const version = document.documentElement.dataset.version;
const views = [...document.querySelectorAll("iframe, pre")];
const inside = (view) => (view.tagName === "IFRAME" ? view.contentDocument?.scrollingElement : view);

const before = JSON.parse(sessionStorage.getItem(key) ?? "null");
sessionStorage.removeItem(key);
if (before && before.path === location.pathname) {
  document.querySelector("main").scrollLeft = before.left;
  views.forEach((view, at) => {
    const restore = () => { const part = inside(view); if (part) part.scrollTop = before.tops[at] ?? 0; };
    view.addEventListener("load", restore);
    restore();
  });
}

async function watch() {
  const live = document.getElementById("live");
  for (;;) {
    try {
      const answer = await fetch("/preview/version?after=" + encodeURIComponent(version), { cache: "no-store" });
      live.className = "";
      live.textContent = "live";
      if (answer.ok && (await answer.text()) !== version) {
        const tops = views.map((view) => inside(view)?.scrollTop ?? 0);
        const left = document.querySelector("main").scrollLeft;
        sessionStorage.setItem(key, JSON.stringify({ path: location.pathname, left, tops }));
        location.reload();
        return;
      }
    } catch {
      live.className = "lost";
      live.textContent = "Tidings has stopped";
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
watch();
