// The page: its state lives in the address bar, so that what is seen can be shared.

import { el, words, number, size, problem, PORTRAYALS } from "./dom.js";
import { listDocuments } from "./documents.js";
import { ask } from "./service.js";
import { drawChart, drawHeadline } from "./shares.js";
import { prepareTrial } from "./try.js";

const VIEW = { by: "source", unit: "documents", estimator: "flagged" };
const FILTERS = ["label", "min_score", "source", "stance", "genre", "behaviour", "domain", "month", "shard"];
const sharesForm = document.getElementById("shares-form");
const filterForm = document.getElementById("filters");

function state() {
  const given = new URLSearchParams(location.search);
  const view = Object.fromEntries(Object.entries(VIEW).map(([name, usual]) => [name, given.get(name) ?? usual]));
  const filters = Object.fromEntries(FILTERS.map((name) => [name, given.get(name) ?? ""]));
  return { view, filters };
}

function change(changes) {
  const given = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || VIEW[name] === value) given.delete(name);
    else given.set(name, value);
  }
  history.pushState(null, "", `${location.pathname}${given.size ? `?${given}` : ""}`);
}

function showView() {
  const { view } = state();
  for (const radio of sharesForm.elements.by) radio.checked = radio.value === view.by;
  sharesForm.elements.unit.value = view.unit;
  sharesForm.elements.estimator.value = view.estimator;
  drawChart(view, choose);
}

function showDocuments() {
  const { filters } = state();
  for (const name of FILTERS) {
    const field = filterForm.elements[name];
    if (!field) continue;
    // A value that is not among the choices came by the address bar: it is shown, not dropped.
    if (![...field.options].some((option) => option.value === filters[name])) field.append(new Option(words(filters[name]), filters[name]));
    field.value = filters[name];
  }
  const others = FILTERS.filter((name) => !filterForm.elements[name] && filters[name]);
  const active = FILTERS.some((name) => filters[name]);
  document.getElementById("chips").replaceChildren(
    ...others.map((name) => el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${name} ${filters[name]}`, on: { click: () => refilter({ [name]: "" }) } }, `${name}: ${filters[name]} ×`)),
    ...(active ? [el("button", { type: "button", class: "chip", on: { click: () => refilter(Object.fromEntries(FILTERS.map((name) => [name, ""]))) } }, "Clear all")] : []));
  listDocuments(filters);
}

function refilter(changes) {
  change(changes);
  showDocuments();
}

function choose(by, group) {
  refilter({ [by]: group });
  document.getElementById("documents").scrollIntoView();
}

async function showCorpus() {
  const place = document.getElementById("corpus");
  try {
    const { scans, failed } = await ask("/v1/scans");
    const sum = (name) => scans.reduce((total, scan) => total + scan[name], 0);
    const parts = [
      [number(sum("documents")), "documents"],
      [size(sum("bytes")), "of text"],
      [number(sum("shards")), "shards"],
      [number(sum("candidates")), "mention an AI"],
      [number(sum("escalated")), "were read closely"],
    ];
    place.replaceChildren(...parts.map(([figure, what]) => el("span", {}, el("strong", {}, figure), ` ${what}`)));
    const warnings = [];
    if (sum("partial_parts")) warnings.push(`Partial: ${number(sum("partial_parts"))} of ${number(sum("parts"))} parts were cut short by --limit.`);
    if (failed.length) warnings.push(`Not counted: ${number(failed.length)} failed ${failed.length > 1 ? "parts, the first of" : "part, of"} ${failed[0].shard} (${failed[0].why ?? "no reason was kept"}).`);
    document.getElementById("warnings").replaceChildren(...warnings.map((text) => el("p", { class: "warning" }, text)));
    const last = scans.at(-1);
    document.getElementById("provenance").textContent = last ? `Scanned from ${last.root}, begun ${last.started}. Taxonomy ${last.taxonomy_digest}, lexicon ${last.lexicon_digest}, models ${last.models_digest}.` : "";
  } catch (error) {
    place.replaceChildren(problem(error, showCorpus));
  }
}

async function fillChoices(taxonomy) {
  const fill = (name, values) => filterForm.elements[name].append(...values.map((value) => new Option(words(value), value)));
  fill("stance", taxonomy.stances.map((term) => term.name));
  fill("genre", taxonomy.genres.map((term) => term.name));
  fill("behaviour", taxonomy.behaviours.map((term) => term.name));
  const sources = await ask("/v1/prevalence", { by: "source", label: PORTRAYALS[0] });
  const names = sources.rows.map((row) => row.group).filter((name) => name !== null);
  filterForm.elements.source.append(...names.sort().map((name) => new Option(name, name)));
}

sharesForm.addEventListener("change", (event) => {
  change({ [event.target.name]: event.target.value });
  showView();
});
filterForm.addEventListener("change", (event) => refilter({ [event.target.name]: event.target.value }));
for (const form of [sharesForm, filterForm]) form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("more").addEventListener("click", () => listDocuments(state().filters, true));
window.addEventListener("popstate", () => {
  showView();
  showDocuments();
});

prepareTrial();
showCorpus();
const taxonomy = await ask("/v1/taxonomy").catch(() => null);
drawHeadline(taxonomy);
showView();
if (taxonomy) await fillChoices(taxonomy).catch(() => null);
showDocuments();
