// One document: why it was flagged, its passages with their evidence, and the score of each stage.

import { el, words, number, problem, size, table, track, LABELS, PORTRAYALS } from "./dom.js";
import { highlighted } from "./evidence.js";
import { latest } from "./service.js";
import { reasons } from "./why.js";

const askDocument = latest();
let shown = null;

/** Show the document of a key in a place; `chosen` says that the user asked for this one. */
export async function showDocument(place, key, { thresholds, chosen, close }) {
  place.classList.toggle("chosen", chosen);
  place.hidden = !key;
  if (!key || key === shown) return;
  place.setAttribute("aria-busy", "true");
  try {
    const [found, limits] = await Promise.all([askDocument(`/v1/documents/${encodeURIComponent(key)}`), thresholds()]);
    place.replaceChildren(...contents(found, limits, close));
    shown = key;
    if (chosen && matchMedia("(max-width: 62rem)").matches) place.focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    shown = null;
    place.replaceChildren(problem(error, () => showDocument(place, key, { thresholds, chosen, close })));
  }
  place.removeAttribute("aria-busy");
}

function contents(found, limits, close) {
  const label = PORTRAYALS.reduce((best, name) => ((found[name] ?? 0) > (found[best] ?? 0) ? name : best));
  const passages = [...(found.passages ?? [])].sort((a, b) => (b[label] ?? 0) - (a[label] ?? 0));
  const [first, ...others] = passages;
  const facts = [found.source, found.domain, found.month, found.genre, found.language, size(found.bytes)].filter(Boolean);
  return [
    el("header", {},
      el("h2", { class: "key" }, found.shard, el("span", {}, ` #${found.row}`)),
      el("button", { type: "button", class: "small back", on: { click: close } }, "Back to the table")),
    el("p", { class: "facts" }, facts.map((fact) => el("span", { class: "fact" }, words(fact)))),
    el("div", { class: "verdicts" }, Object.keys(LABELS).map((name) => verdict(name, found[name], limits[name]))),
    el("h3", {}, "Why"),
    el("ul", { class: "why" }, reasons(found, limits).map((reason) => el("li", {}, reason))),
    el("h3", {}, "What it says"),
    ...(first ? [first, ...(others.length === 1 ? others : [])] : []).map(quote),
    first ? null : el("p", { class: "empty" }, "The screen stopped every window of this document, so no passage was kept."),
    others.length > 1 ? el("details", {}, el("summary", {}, `${number(others.length)} more passages`), others.map(quote)) : null,
    el("details", { class: "stages-box" }, el("summary", {}, "Scores of each stage"), stages(found)),
  ].filter(Boolean);
}

/** Return one label's probability as a name, a number and a bar, with the threshold marked. */
export function verdict(name, score, threshold) {
  const bar = track(score, 1);
  if (threshold) {
    const mark = el("span", { class: "threshold", title: `threshold ${threshold}` });
    mark.style.left = `${100 * threshold}%`;
    bar.append(mark);
  }
  return el("div", { class: "verdict", "data-label": name },
    el("span", { class: "verdict-name" }, LABELS[name]),
    el("span", { class: "value" }, score === null || score === undefined ? "–" : score.toFixed(3)),
    bar);
}

function quote(passage) {
  if (passage.text === null) return el("p", { class: "empty" }, `Code points ${passage.start}–${passage.end}: the text was not kept, or your key does not show it.`);
  return el("blockquote", {}, highlighted(passage.text, passage.evidence, passage.start));
}

function stages(found) {
  const judged = (name) => Math.max(...(found.passages ?? []).map((passage) => passage[`judge_${name}`] ?? -1));
  const rows = [
    ["Screen", (name) => found[`screen_${name}`]],
    ["Judge, highest passage", (name) => (judged(name) < 0 ? null : judged(name))],
    ["Verdict, highest passage", (name) => found[`${name}_max`]],
    ["Stance of that passage", (name) => found[`${name}_stance`]],
    ["Verdict, document", (name) => found[name]],
  ];
  const cell = (value) => (value === null || value === undefined ? "–" : typeof value === "number" ? value.toFixed(4) : words(value));
  return el("div", {},
    el("p", { class: "note" }, `Probabilities from 0 to 1. The gate found ${number(found.gate_matches)} lexicon ${found.gate_matches === 1 ? "term" : "terms"} in ${size(found.bytes)}. A dash means that the stage did not run.`),
    table("Scores of each stage", ["", ...Object.values(LABELS)], rows.map(([title, value]) => [title, ...Object.keys(LABELS).map((name) => cell(value(name)))])));
}
