// The overview: how much of the corpus, by source, domain, month, genre and stance, and behaviour.

import { addressOf, change } from "./address.js";
import { fillFigure } from "./charts.js";
import { hasTokens, taxonomy, thresholds } from "./corpus.js";
import { at, el, problem, table, words, LABELS, PORTRAYALS } from "./dom.js";
import { headline } from "./headline.js";
import { ask } from "./service.js";
import { bars, documentsOf, figure, heat, largestMonths, months, sharesTable } from "./shares.js";

const FIRST = 8;
const ESTIMATORS = {
  flagged: "Flagged: a census of what is at or over the label’s threshold, without what refutes the portrayal.",
  expected: "Expected: the probabilities of all documents, added up.",
  audited: "Audited: from documents that were read, with intervals of 95% that hold together where there are groups.",
};
const STANCES = ["depicted", "warned", "endorsed", "refuted"];
const form = at("overview-form");
const overtaking = {};
const all = new Set();

/** Show the overview as the address says. */
export async function showOverview(given) {
  const unit = given.unit ?? "documents";
  const estimator = given.estimator ?? "flagged";
  for (const [name, value] of Object.entries({ unit, estimator })) for (const radio of form.elements[name]) radio.checked = radio.value === value;
  at("estimator-words").textContent = ESTIMATORS[estimator] ?? "";
  const [terms, limits, tokens] = await Promise.all([taxonomy().catch(() => null), thresholds().catch(() => ({})), hasTokens().catch(() => true)]);
  form.querySelector("[value=tokens]").disabled = !tokens && unit !== "tokens";
  for (const legend of document.querySelectorAll("#overview .legend")) legend.hidden = !tokens && unit === "tokens";
  if (!tokens && unit === "tokens") {
    withoutTokens();
    return;
  }
  drawHeadline(unit, limits, terms);
  const asked = { unit, estimator, limits };
  drawBars("source", "Sources", asked);
  drawBars("domain", "Domains", asked);
  drawMonths(asked);
  drawHeat(asked, PORTRAYALS.includes(given.label) ? given.label : "malevolent");
  drawBars("behaviour", "Behaviours", asked);
}

async function drawHeadline(unit, limits, terms) {
  await filling(at("headline"), "headline", async () => {
    const { cards, words: said } = await headline(unit, limits, terms?.labels);
    return () => {
      at("headline").replaceChildren(...cards);
      at("interval-words").replaceChildren(...said);
    };
  });
}

/** Fill a place with what `make` brings, unless a later call for the same place has overtaken it. */
async function filling(place, name, make) {
  const mine = (overtaking[name] = {});
  place.setAttribute("aria-busy", "true");
  try {
    const fill = await make();
    if (overtaking[name] === mine) fill();
  } catch (error) {
    // 409: an audited share was asked for, and there is no audit that could give one.
    if (overtaking[name] === mine) place.replaceChildren(error.status === 409 ? unread() : problem(error, () => filling(place, name, make)));
  }
  if (overtaking[name] === mine) place.removeAttribute("aria-busy");
}

function withoutTokens() {
  for (const place of document.querySelectorAll("#interval-words, #overview .chart")) place.replaceChildren();
  at("headline").replaceChildren(el("p", { class: "empty" }, "This corpus was scanned without token counts: choose documents or bytes, or scan it again with --token-column."));
}

function unread() {
  return el("p", { class: "empty" }, "Nothing was read yet, so there is no audited share. ", el("a", { href: addressOf("audit") }, "Read some documents in the audit"), ".");
}

const linking = ({ estimator, limits }) => (row) =>
  documentsOf({ label: row.label, estimator, by: row.by, group: row.group, threshold: limits[row.label] });

function drawBars(by, title, asked) {
  const place = at(`by-${by}`);
  return filling(place, by, async () => {
    const { rows } = await ask("/v1/prevalence", { by, unit: asked.unit, estimator: asked.estimator });
    const portrayed = rows.filter((row) => PORTRAYALS.includes(row.label));
    return () => showBars(place, by, title, by === "behaviour" ? ownLabels(portrayed) : portrayed, asked);
  });
}

function showBars(place, by, title, rows, asked) {
  const total = new Map();
  for (const row of rows) total.set(row.group, (total.get(row.group) ?? 0) + row.numerator);
  const ordered = [...total].sort((a, b) => b[1] - a[1]).map(([group]) => group);
  const shown = all.has(by) ? ordered : ordered.slice(0, FIRST);
  const left = ordered.length - shown.length;
  const more = left > 0 ? el("button", { type: "button", class: "small", on: { click: () => { all.add(by); showBars(place, by, title, rows, asked); } } }, `Show ${left} more`) : null;
  const linked = linking(asked);
  fillFigure(place, {
    title, controls: more,
    drawing: shown.length ? bars(rows, shown, linked, `Shares by ${by}`) : el("p", { class: "empty" }, `Nothing that is counted here has a ${by}.`),
    note: rows.length ? `Most counted first${common(rows)}.` : "",
    table: rows.length ? sharesTable(rows, by, linked) : null,
  });
}

/** Return one row for each behaviour: that of the label which it speaks for. */
function ownLabels(rows) {
  const best = new Map();
  for (const row of rows) if (row.share > (best.get(row.group)?.share ?? 0)) best.set(row.group, row);
  return [...best.values()];
}

function drawMonths(asked) {
  const place = at("by-month");
  return filling(place, "month", async () => {
    const { rows } = await ask("/v1/prevalence", { by: "month", unit: asked.unit, estimator: asked.estimator });
    const portrayed = rows.filter((row) => PORTRAYALS.includes(row.label));
    const dated = portrayed.filter((row) => row.group !== null);
    const drawn = largestMonths(dated);
    const hidden = new Set(dated.map((row) => row.group)).size - new Set(drawn.map((row) => row.group)).size;
    const linked = linking(asked);
    return () => fillFigure(place, {
      title: "Months",
      drawing: dated.length ? months(drawn, linked, "Shares by month") : el("p", { class: "empty" }, "No document of this corpus has a date: scan it with --date-column to see a trend."),
      note: dated.length ? `Dots are as large as what their month holds. ${hidden ? `The ${hidden} smallest months, together under 2% of what is dated, are in the table only.` : ""}` : "",
      table: dated.length ? sharesTable(portrayed, "month", linked) : null,
    });
  });
}

function drawHeat(asked, label) {
  const place = at("by-genre-and-stance");
  place.dataset.label = label;
  return filling(place, "heat", async () => {
    const genres = (await taxonomy()).genres.map((term) => term.name);
    const estimator = asked.estimator === "audited" ? "flagged" : asked.estimator;
    const answers = await Promise.all(STANCES.map((stance) => ask("/v1/prevalence", { by: "genre", label, unit: asked.unit, estimator, stance })));
    const rows = answers.flatMap(({ rows }, i) => rows.map((row) => ({ ...row, genre: row.group, group: STANCES[i] }))).filter((row) => genres.includes(row.genre));
    const linked = (row) => documentsOf({ label, estimator, by: "genre", group: row.genre, stance: row.group, threshold: asked.limits[label] });
    const find = (genre, stance) => rows.find((row) => row.genre === genre && row.group === stance);
    return () => fillFigure(place, {
      title: "Genre and stance",
      controls: el("label", { class: "field inline" }, el("span", { class: "visually-hidden" }, "Label of the heat map"), chooser(label)),
      drawing: heat(rows, genres, STANCES, linked, `Shares of ${words(label)} by genre and stance`),
      note: `${LABELS[label]}, in per cent of all ${asked.unit} of the corpus, ${estimator}${asked.estimator === "audited" ? " (an audit is too small for so many cells)" : ""}. Refuted is beside the headline share, the others are in it.`,
      table: table("Shares by genre and stance", ["genre", ...STANCES], genres.map((genre) => [words(genre), ...STANCES.map((stance) => {
        const row = find(genre, stance);
        return row ? figure({ ...row, by: "genre", group: genre }, () => linked(row)) : "–";
      })])),
    });
  });
}

function chooser(label) {
  const select = el("select", { on: { change: (event) => change({ label: event.target.value === "malevolent" ? "" : event.target.value }) } },
    PORTRAYALS.map((name) => el("option", { value: name, selected: name === label }, LABELS[name])));
  return select;
}

/** Return the remarks that hold for every row. */
function common(rows) {
  const remarks = rows.map((row) => row.note.split("; "));
  return (remarks[0] ?? []).filter((remark) => remarks.every((list) => list.includes(remark))).map((remark) => `; ${remark}`).join("");
}

form.addEventListener("change", (event) => {
  const usual = { unit: "documents", estimator: "flagged" }[event.target.name];
  change({ [event.target.name]: event.target.value === usual ? "" : event.target.value });
});
