// Drawing: Plot's SVG made fit for this page, and for those who do not see it.

import { plot } from "./vendor/plot.js";
import { el } from "./dom.js";

const drawings = new WeakMap();
const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) drawings.get(target)?.(Math.floor(contentRect.width));
});

/**
 * Return a place that a chart fills, drawn again where its width changes.
 *
 * `options(width)` are Plot's; `name` says what the chart shows. Where the marks are too many to tab
 * through, `tabbable` is false: the table beside a chart has the same links.
 */
export function chart(name, options, { tabbable = true } = {}) {
  const place = el("div", { class: "drawing" });
  let drawn = 0;
  drawings.set(place, (width) => {
    if (width === drawn || width < 40) return;
    drawn = width;
    place.replaceChildren(fit(plot({ width, ...options(width) }), name, tabbable));
  });
  resized.observe(place);
  return place;
}

function fit(svg, name, tabbable) {
  // Plot brings a style element, which the content security policy forbids; page.css has its rules.
  svg.querySelector("style")?.remove();
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", name);
  for (const link of svg.querySelectorAll("a")) {
    link.setAttribute("aria-label", link.querySelector("[aria-label]").getAttribute("aria-label"));
    if (!tabbable) link.setAttribute("tabindex", "-1");
  }
  // Plot names its groups and marks by attributes that only elements with a role may have.
  for (const mark of svg.querySelectorAll("[aria-label]:not(a)")) {
    mark.dataset.mark = mark.getAttribute("aria-label");
    mark.removeAttribute("aria-label");
  }
  for (const text of svg.querySelectorAll("text")) text.setAttribute("aria-hidden", "true");
  return svg;
}

/** Fill a figure with its title, drawing, remarks, and the same as a table. */
export function fillFigure(figure, { title, controls = null, drawing, legend = null, note = "", table }) {
  figure.replaceChildren(
    el("figcaption", {}, el("h2", {}, title), controls),
    ...[legend, drawing].filter(Boolean),
    ...(note ? [el("p", { class: "note" }, note)] : []),
    ...(table ? [el("details", {}, el("summary", {}, "As a table"), table)] : []));
  figure.removeAttribute("aria-busy");
}
