// The list of documents: filters, cards with passages and evidence, page by page.

import { el, words, number, problem, track, LABELS, PORTRAYALS } from "./dom.js";
import { highlighted } from "./evidence.js";
import { latest } from "./service.js";

const PAGE = 10;
const askDocuments = latest();
let next = null;

/** List the documents of a state's filters, from the first page or from the next. */
export async function listDocuments(filters, onward = false) {
  const list = document.getElementById("list");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  list.setAttribute("aria-busy", "true");
  more.disabled = true;
  try {
    const answer = await askDocuments("/v1/documents", { ...filters, passages: true, limit: PAGE, cursor: onward ? next : "" });
    next = answer.next;
    const cards = answer.documents.map((found) => card(found, filters.label));
    if (onward) {
      list.append(...cards);
      cards[0]?.focus({ preventScroll: true });
    } else {
      list.replaceChildren(...(cards.length ? cards : [el("p", { class: "empty panel" }, "No document passes these filters. Take one away, or lower the score.")]));
    }
    const shown = list.querySelectorAll("article").length;
    count.textContent = answer.total ? `${number(shown)} of ${number(answer.total)} candidate documents, highest score first` : "";
    more.hidden = next === null;
  } catch (error) {
    if (error.name === "AbortError") return;
    list.replaceChildren(problem(error, () => listDocuments(filters)));
    count.textContent = "";
    more.hidden = true;
  }
  more.disabled = false;
  list.removeAttribute("aria-busy");
}

function card(found, label) {
  const passages = [...(found.passages ?? [])];
  const rank = (passage) => (label ? passage[label] : Math.max(...PORTRAYALS.map((name) => passage[name] ?? 0))) ?? 0;
  passages.sort((a, b) => rank(b) - rank(a));
  const [first, ...others] = passages;
  const stance = found[`${label || strongest(found)}_stance`];
  return el("article", { class: "document panel", tabindex: "-1" },
    el("header", {},
      el("h3", { class: "key" }, found.shard, el("span", {}, ` #${found.row}`)),
      el("p", { class: "facts" }, [found.source, found.domain, found.month, found.genre, stance && stance !== "none" ? stance : null]
        .filter(Boolean).map((fact) => el("span", { class: "fact" }, words(fact))))),
    el("div", { class: "reading" },
      el("div", { class: "verdicts" }, Object.keys(LABELS).map((name) => verdict(name, found[name]))),
      first ? quote(first) : el("p", { class: "empty" }, "The screen stopped every window of this document, so no passage was kept.")),
    others.length ? el("details", {}, el("summary", {}, `${others.length} more ${others.length > 1 ? "passages" : "passage"}`), others.map(quote)) : null,
    el("details", {}, el("summary", {}, "Scores of each stage"), stages(found)));
}

function strongest(found) {
  return PORTRAYALS.reduce((best, name) => ((found[name] ?? 0) > (found[best] ?? 0) ? name : best));
}

/** Return one label's probability as a name, a number and a bar. */
export function verdict(name, score) {
  return el("div", { class: "verdict", "data-label": name },
    el("span", { class: "verdict-name" }, LABELS[name]),
    el("span", { class: "value" }, score === null ? "–" : score.toFixed(2)),
    track(score, 1));
}

function quote(passage) {
  if (passage.text === null) return el("p", { class: "empty" }, `Code points ${passage.start}–${passage.end}; this scan kept no text.`);
  return el("blockquote", {}, highlighted(passage.text, passage.evidence, passage.start));
}

function stages(found) {
  const rows = [
    ["Screen", (name) => found[`screen_${name}`]],
    ["Verdict, document", (name) => found[name]],
    ["Verdict, highest passage", (name) => found[`${name}_max`]],
    ["Stance of that passage", (name) => found[`${name}_stance`]],
  ];
  const cell = (value) => el("td", {}, value === null || value === undefined ? "–" : typeof value === "number" ? value.toFixed(4) : words(value));
  return el("div", { class: "scroll" },
    el("p", { class: "note" }, `The gate found ${number(found.gate_matches)} lexicon ${found.gate_matches === 1 ? "term" : "terms"} in ${number(found.bytes)} bytes. A dash means that the stage did not run.`),
    el("table", { class: "stages" },
      el("thead", {}, el("tr", {}, el("td", {}), Object.values(LABELS).map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(([title, value]) => el("tr", {}, el("th", { scope: "row" }, title), Object.keys(LABELS).map((name) => cell(value(name))))))));
}
