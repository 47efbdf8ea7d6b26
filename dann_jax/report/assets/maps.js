// Maps: the same rows before and after, coloured by what is chosen.
"use strict";
(() => {
  const block = document.querySelector("#map-data");
  if (!block) return;
  const { rows, columns, points, methods } = JSON.parse(block.textContent);
  const chooser = (name) => document.querySelector(`#map-${name}`);
  const place = document.querySelector("#map-panels");
  const legend = document.querySelector("#map-legend");
  const said = document.querySelector("#map-details");
  const [colour, method, after] = ["colour", "method", "place"].map(chooser);
  const COLOURS = 8;
  // A legend of more names than this is no help.
  const MOST = 64;
  // Colours repeat after eight names, with another shape each time.
  const SHAPES = [
    "M-10,0a10,10 0 1,0 20,0a10,10 0 1,0 -20,0", "M-9,-9H9V9H-9Z", "M0,-12L11,9H-11Z",
    "M0,-13L13,0L0,13L-13,0Z", "M-4,-11H4V-4H11V4H4V11H-4V4H-11V-4H-4Z", "M0,12L11,-9H-11Z",
  ];
  const shape = (id) => SHAPES[Math.floor(id / COLOURS) % SHAPES.length];
  const hue = (id) => `arm-${(id + 1) % COLOURS}`;
  const make = (name, attributes, ...children) => {
    const own = ["svg", "path", "desc"].includes(name)
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) own.setAttribute(key, value);
    own.append(...children);
    return own;
  };

  let marked = new Set();
  let chosen = -1;
  let panels = [];

  const describe = (row) => {
    const known = Object.entries(columns).map(([name, { words, ids }]) => `${name} ${words[ids[row]]}`);
    return [rows[row], ...known].filter(Boolean).join(", ");
  };
  const choose = (row) => {
    for (const { marks } of panels) marks[chosen]?.classList.remove("chosen");
    chosen = row;
    for (const { svg, marks } of panels) {
      const mark = marks[row];
      if (!mark) continue;
      mark.classList.add("chosen");
      svg.append(mark);
    }
    said.textContent = row < 0 ? "" : describe(row);
  };

  const nearest = (svg, marks, found, event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 1000;
    const y = 1000 - ((event.clientY - box.top) / box.height) * 1000;
    let best = -1;
    let least = 40 ** 2;
    found.forEach(([left, up], row) => {
      const apart = (left - x) ** 2 + (up - y) ** 2;
      if (left !== null && apart < least) [best, least] = [row, apart];
    });
    return best;
  };

  const panel = (title, found) => {
    const { ids } = columns[colour.value];
    const svg = make("svg", {
      viewBox: "0 0 1000 1000", role: "application", tabindex: "0",
      "aria-label": `${title}: map of ${found.length} rows; arrow keys go from row to row`,
    });
    const marks = found.map(([x, y], row) => x === null ? null : make("path", {
      d: shape(ids[row]), class: `row ${hue(ids[row])}`, transform: `translate(${x},${1000 - y})`,
    }));
    svg.append(...marks.filter(Boolean));
    svg.addEventListener("pointermove", (event) => {
      const row = nearest(svg, marks, found, event);
      if (row >= 0 && row !== chosen) choose(row);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      let row = chosen;
      do row = (row + step + found.length) % found.length;
      while (marked.size && !marked.has(ids[row]));
      choose(row);
    });
    panels.push({ svg, marks });
    return make("figure", {}, make("figcaption", {}, title), svg);
  };

  const dim = () => {
    const { ids } = columns[colour.value];
    for (const { marks } of panels) {
      marks.forEach((mark, row) => mark?.classList.toggle("dim", marked.size > 0 && !marked.has(ids[row])));
    }
  };

  const drawLegend = () => {
    const { words } = columns[colour.value];
    legend.replaceChildren(...words.slice(0, MOST).map((word, id) => {
      const sign = make("svg", { viewBox: "-13 -13 26 26", "aria-hidden": "true", class: hue(id) },
        make("path", { d: shape(id) }));
      const button = make("button", { type: "button", "aria-pressed": "false" }, sign, word);
      button.addEventListener("click", () => {
        if (!marked.delete(id)) marked.add(id);
        button.setAttribute("aria-pressed", String(marked.has(id)));
        dim();
      });
      return button;
    }));
    if (words.length > MOST) legend.append(`and ${words.length - MOST} more`);
  };

  const draw = () => {
    panels = [];
    marked = new Set();
    const figures = [];
    const input = Object.values(points).map((own) => own.input?.[method.value]).find(Boolean);
    if (input && after.value !== "input") figures.push(panel("Before: input", input));
    for (const [arm, own] of Object.entries(points)) {
      const found = own[after.value]?.[method.value];
      if (found) figures.push(panel(`${arm}: ${after.value}`, found));
    }
    place.replaceChildren(...figures);
    if (!figures.length) place.textContent = `No ${methods[method.value] ?? method.value} of this.`;
    drawLegend();
    choose(-1);
  };
  for (const own of [colour, method, after]) own.addEventListener("change", draw);
  draw();
})();
