// Evidence inside a text: spans are marked, and the behaviour that each shows is named.

import { el, words, LABELS } from "./dom.js";

/**
 * Return a text as nodes, its evidence highlighted.
 *
 * Offsets count code points of the document; `start` is where the text begins in it. Behaviours are
 * written out unless `named` is false.
 */
export function highlighted(text, evidence, start = 0, { named = true } = {}) {
  const points = Array.from(text);
  const spans = evidence
    .map((span) => ({ ...span, from: Math.max(0, span.start - start), to: Math.min(points.length, span.end - start) }))
    .filter((span) => span.from < span.to)
    .filter((span, index, all) => !all.some((other, place) => place !== index && repeats(span, other, index > place)));
  const cuts = [...new Set([0, points.length, ...spans.flatMap((span) => [span.from, span.to])])].sort((a, b) => a - b);
  const nodes = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const [from, to] = [cuts[i], cuts[i + 1]];
    const over = spans.filter((span) => span.from < to && span.to > from);
    const piece = points.slice(from, to).join("");
    if (over.length === 0) {
      nodes.push(piece);
      continue;
    }
    // What is done says more than who does it, so a behaviour's colour wins over the agent's.
    const main = over.find((span) => span.behaviour) ?? over[0];
    const ending = named ? over.filter((span) => span.to === to && span.behaviour) : [];
    nodes.push(el("mark", { "data-label": main.label, "data-agent": !main.behaviour, title: titleOf(over) }, piece,
      ending.map((span) => el("span", { class: "named", "data-label": span.label }, words(span.behaviour)))));
  }
  return nodes;
}

function titleOf(spans) {
  return spans.map((span) => `${LABELS[span.label]}${span.behaviour ? `: ${words(span.behaviour)}` : ""}`).join("; ");
}

/** Return whether a span says nothing beyond another; of two that are equal the `later` does. */
function repeats(span, other, later) {
  const inside = other.from <= span.from && span.to <= other.to;
  const equal = other.from === span.from && span.to === other.to;
  return inside && other.label === span.label && other.behaviour === span.behaviour && (!equal || later);
}
