// Theme, which arms are drawn, the epoch of the curves, copying. The page can be read
// without any of it.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  root.classList.add("scripted");

  // The theme. A page opened from disk may have no storage.
  const remember = (key, value) => {
    try {
      if (value === undefined) return localStorage.getItem(key);
      localStorage.setItem(key, value);
    } catch { /* It is not remembered. */ }
    return null;
  };
  const button = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => button.setAttribute("aria-pressed", String(isDark()));
  const kept = remember("dann-report-theme");
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  system.addEventListener("change", showTheme);
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember("dann-report-theme", root.dataset.theme);
    showTheme();
  });
  showTheme();

  // Arms.
  for (const box of all("input[data-arm]")) {
    box.addEventListener("change", () => {
      root.classList.toggle(`hide-${box.dataset.arm % 8}`, !box.checked);
    });
  }

  // Where the reader is.
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  all("main > section").forEach((section) => seen.observe(section));

  // Curves: one epoch for all charts.
  const data = one("#curve-data");
  if (data) {
    const { frame, panels } = JSON.parse(data.textContent);
    const slider = one("#epoch");
    const shorten = (value) => String(Number(value.toPrecision(3)));
    const nearest = (epochs, wanted) => epochs.reduce((best, epoch, place) =>
      Math.abs(epoch - wanted) < Math.abs(epochs[best] - wanted) ? place : best, 0);
    const charts = all("figure.curves").map((figure) => {
      const svg = figure.querySelector("svg");
      return {
        svg, cursor: svg.querySelector(".cursor"), first: Number(svg.dataset.first),
        last: Number(svg.dataset.last), arms: Object.values(panels[figure.dataset.panel]),
        shown: [...figure.querySelectorAll(".readout b")],
      };
    });
    const show = (epoch) => {
      slider.value = epoch;
      one("#epoch-shown").textContent = slider.value;
      for (const { cursor, first, last, arms, shown } of charts) {
        const part = last > first ? (epoch - first) / (last - first) : 0.5;
        const x = frame.left + Math.min(Math.max(part, 0), 1) * (frame.right - frame.left);
        cursor.removeAttribute("hidden");
        cursor.setAttribute("x1", x);
        cursor.setAttribute("x2", x);
        arms.forEach(([epochs, values], place) => {
          shown[place].textContent = shorten(values[nearest(epochs, epoch)]);
        });
      }
    };
    slider.addEventListener("input", () => show(Number(slider.value)));
    for (const { svg, first, last } of charts) {
      svg.addEventListener("pointermove", (event) => {
        const box = svg.getBoundingClientRect();
        const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
        const part = (x - frame.left) / (frame.right - frame.left);
        show(Math.round(first + Math.min(Math.max(part, 0), 1) * (last - first)));
      });
    }
  }

  // Copying.
  for (const copy of all(".copy")) {
    copy.addEventListener("click", async () => {
      const code = copy.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        copy.textContent = "Selected";
      }
    });
  }

  // On paper everything is open.
  addEventListener("beforeprint", () => all("details").forEach((own) => { own.open = true; }));
})();
