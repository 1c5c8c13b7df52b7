// The documents: filters in the address bar, a table of what they take, and one document beside it.

import { addressOf, change, state } from "./address.js";
import { sources, taxonomy, thresholds } from "./corpus.js";
import { showDocument } from "./document.js";
import { at, el, words, number, problem, LABELS, PORTRAYALS } from "./dom.js";
import { highlighted } from "./evidence.js";
import { latest } from "./service.js";

const PAGE = 20;
const FILTERS = ["label", "min_score", "max_score", "source", "stance", "genre", "behaviour", "domain", "month", "shard", "text", "where"];
const SNIPPET = 170;
const askDocuments = latest();
const form = at("filters");
let listed = null;
let filled = null;

const keyOf = (found) => `${found.shard}#${found.row}`;

/** Show the documents that the address asks for, and the chosen one. */
export async function showDocuments(given) {
  filled ??= fillChoices().catch(() => (filled = null));
  await filled;
  const filters = Object.fromEntries(FILTERS.map((name) => [name, given[name] ?? ""]));
  showFilters(filters);
  const asked = JSON.stringify(filters);
  if (listed !== asked) {
    listed = asked;
    await list(filters);
  }
  choose(state().given.document);
}

async function fillChoices() {
  const [terms, names] = await Promise.all([taxonomy(), sources()]);
  const fill = (name, values) => form.elements[name].append(...values.map((value) => new Option(words(value), value)));
  fill("stance", terms.stances.map((term) => term.name));
  fill("genre", terms.genres.map((term) => term.name));
  fill("behaviour", terms.behaviours.map((term) => term.name));
  form.elements.source.append(...names.map((name) => new Option(name, name)));
}

function showFilters(filters) {
  for (const name of FILTERS) {
    const field = form.elements[name];
    if (!field) continue;
    // A value that is not among the choices came by the address bar: it is shown, not dropped.
    if (field.options && ![...field.options].some((option) => option.value === filters[name])) field.append(new Option(words(filters[name]), filters[name]));
    field.value = filters[name];
  }
  const active = FILTERS.filter((name) => filters[name]);
  at("chips").replaceChildren(
    ...active.map((name) => el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${words(name)} ${filters[name]}`, on: { click: () => change({ [name]: "", document: "" }) } }, `${words(name)}: ${["label", "behaviour"].includes(name) ? words(filters[name]) : filters[name]} ×`)),
    ...(active.length > 1 ? [el("button", { type: "button", class: "chip", on: { click: () => change(Object.fromEntries([...FILTERS, "document"].map((name) => [name, ""]))) } }, "Clear all")] : []));
}

/** List what the filters take, from the first page or onward from a cursor. */
async function list(filters, cursor = "") {
  const place = at("list");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await askDocuments("/v1/documents", { ...filters, passages: true, limit: PAGE, cursor });
    if (!cursor) place.replaceChildren(answer.documents.length || answer.next ? emptyTable(filters) : nothing());
    const rows = answer.documents.map((found) => line(found, filters.label));
    place.querySelector("tbody")?.append(...rows);
    if (cursor) rows[0]?.querySelector("a").focus({ preventScroll: true });
    place.querySelector(".more")?.remove();
    const shown = place.querySelectorAll("tbody tr").length;
    if (answer.next) place.append(el("p", { class: "more" }, el("button", { type: "button", on: { click: () => list(filters, answer.next) } }, filters.text ? "Look further" : "Load more")));
    else if (!shown) place.replaceChildren(nothing());
    at("count").textContent = counted(shown, answer);
  } catch (error) {
    if (error.name === "AbortError") return;
    listed = null;
    place.replaceChildren(problem(error, () => list(filters)));
    at("count").textContent = "";
  }
  place.removeAttribute("aria-busy");
}

const nothing = () => el("p", { class: "empty panel" }, "No document passes these filters. Take one away, or lower the score.");

/** Return how many documents are shown, and of how many; who looks into the evidence knows only where it ends. */
function counted(shown, { total, next }) {
  if (total) return `${number(shown)} of ${number(total)} candidate documents, highest score first`;
  if (next) return `${number(shown)} found so far: the evidence of more documents is yet to be read`;
  return shown ? `${number(shown)} candidate documents, highest score first` : "";
}

function emptyTable(filters) {
  const score = filters.label ? LABELS[filters.label] : "Portrayal";
  return el("table", { class: "listing" },
    el("caption", { class: "visually-hidden" }, "Documents, highest score first"),
    el("thead", {}, el("tr", {}, ["Document and passage", "Genre and stance", score].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}));
}

function line(found, label) {
  const name = label || strongest(found);
  const passage = bestPassage(found, name);
  const { given } = state();
  const stance = found[`${name}_stance`];
  return el("tr", { "data-key": keyOf(found) },
    el("th", { scope: "row" },
      el("a", { class: "key", href: addressOf("documents", { ...given, document: keyOf(found) }) }, found.shard, el("span", {}, ` #${found.row}`)),
      el("span", { class: "where" }, [found.source, found.domain, found.month].filter(Boolean).join(" · ")),
      el("span", { class: "snippet" }, passage ? snippet(passage) : "The screen stopped every window of it.")),
    el("td", {}, words(found.genre) || "–", el("br"), el("span", { class: "soft" }, stance && stance !== "none" ? stance : "")),
    el("td", { "data-label": name, class: "score" }, found[name] === null ? "–" : found[name].toFixed(3), el("span", { class: "soft" }, label ? "" : LABELS[name])));
}

function strongest(found) {
  return PORTRAYALS.reduce((best, name) => ((found[name] ?? 0) > (found[best] ?? 0) ? name : best));
}

function bestPassage(found, label) {
  return (found.passages ?? []).reduce((best, passage) => (best && (best[label] ?? 0) >= (passage[label] ?? 0) ? best : passage), null);
}

function snippet(passage) {
  if (passage.text === null) return "This scan kept no text.";
  const points = Array.from(passage.text);
  const first = passage.evidence.find((span) => span.behaviour) ?? passage.evidence[0];
  const from = Math.max(0, Math.min((first?.start ?? passage.start) - passage.start - 60, points.length - SNIPPET));
  const to = Math.min(points.length, from + SNIPPET);
  const cut = points.slice(from, to).join("");
  return [from > 0 ? "…" : "", ...highlighted(cut, passage.evidence, passage.start + from, { named: false }), to < points.length ? "…" : ""];
}

/** Mark the chosen document in the table, and show it; on a wide page the first one if none is. */
function choose(key) {
  const rows = [...document.querySelectorAll("#list tbody tr")];
  const wide = matchMedia("(min-width: 62rem)").matches;
  const shown = key ?? (wide ? rows[0]?.dataset.key : undefined);
  for (const row of rows) {
    if (row.dataset.key === shown) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    const link = row.querySelector("a.key");
    link.href = addressOf("documents", { ...state().given, document: row.dataset.key });
  }
  showDocument(at("document"), shown, { thresholds, chosen: Boolean(key), close: () => change({ document: "" }) });
}

// On a phone the filters would hide what they filter.
at("filter-box").open = matchMedia("(min-width: 46rem)").matches;
form.addEventListener("change", (event) => {
  if (event.target.checkValidity()) change({ [event.target.name]: event.target.value.trim(), document: "" });
  else event.target.reportValidity();
});
form.addEventListener("submit", () => document.activeElement?.blur());
