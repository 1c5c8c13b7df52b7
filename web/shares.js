// The headline cards and the bars by group.

import { el, words, percent, number, problem, track, LABELS, PORTRAYALS } from "./dom.js";
import { ask, latest } from "./service.js";

const FIRST_GROUPS = 15;
const LAST_MONTHS = 24;
const askShares = latest();

/** Draw the three headline cards. */
export async function drawHeadline(taxonomy) {
  const place = document.getElementById("headline");
  try {
    const [flagged, expected, stances] = await Promise.all([
      ask("/v1/prevalence"),
      ask("/v1/prevalence", { estimator: "expected" }),
      ask("/v1/prevalence", { by: "stance" }),
    ]);
    const find = (answer, label, group = "all") => answer.rows.find((row) => row.label === label && row.group === group);
    const rows = PORTRAYALS.map((label) => ({
      label,
      flagged: find(flagged, label),
      expected: find(expected, label),
      refuted: find(stances, label, "refuted"),
    }));
    const top = Math.max(...rows.flatMap((row) => [row.flagged.share, row.expected.share]), 1e-12);
    place.replaceChildren(...rows.map((row) => card(row, top, taxonomy)));
  } catch (error) {
    place.replaceChildren(problem(error, () => drawHeadline(taxonomy)));
  }
  place.removeAttribute("aria-busy");
}

function card({ label, flagged, expected, refuted }, top, taxonomy) {
  const question = taxonomy?.labels.find((term) => term.name === label)?.question;
  return el("article", { class: "card", "data-label": label },
    el("h3", {}, LABELS[label]),
    el("p", { class: "big" }, percent(flagged.share)),
    el("p", { class: "of" }, `${number(flagged.numerator)} of ${number(flagged.denominator)} documents flagged`),
    el("div", { class: "pair" },
      meter("flagged", flagged.share, top),
      meter("expected", expected.share, top, true)),
    el("p", { class: "beside" }, `Refuted, beside: ${percent(refuted?.share ?? 0)}`),
    question ? el("p", { class: "question" }, question) : null);
}

function meter(name, share, top, pale = false) {
  return el("div", { class: "meter" },
    el("span", { class: "meter-name" }, name),
    track(share, top, pale ? "bar pale" : "bar"),
    el("span", { class: "value" }, percent(share)));
}

/** Draw the bars by group; `choose(by, group)` is called when a group is picked. */
export async function drawChart(state, choose, all = false) {
  const place = document.getElementById("chart");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await askShares("/v1/prevalence", { by: state.by, unit: state.unit, estimator: state.estimator });
    place.replaceChildren(...chart(answer.rows.filter((row) => PORTRAYALS.includes(row.label)), state, choose, all));
  } catch (error) {
    if (error.name === "AbortError") return;
    place.replaceChildren(problem(error, () => drawChart(state, choose)));
  }
  place.removeAttribute("aria-busy");
}

function chart(rows, state, choose, all) {
  const groups = new Map();
  for (const row of rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  const total = (group) => group.reduce((sum, row) => sum + row.numerator, 0);
  const months = state.by === "month";
  const ordered = [...groups.values()];
  if (!months) ordered.sort((a, b) => total(b) - total(a));
  const shown = all ? ordered : months ? ordered.slice(-LAST_MONTHS) : ordered.slice(0, FIRST_GROUPS);
  if (shown.length === 0) return [el("p", { class: "empty" }, `Nothing was scanned that has a ${state.by}.`)];
  const top = Math.max(...shown.flat().map((row) => row.share ?? 0));
  const counted = !["genre", "stance", "behaviour"].includes(state.by);
  const table = el("table", { class: "shares" },
    el("caption", { class: "visually-hidden" }, `Share of ${state.unit} by ${state.by}, ${state.estimator}`),
    el("thead", {}, el("tr", {},
      el("th", { scope: "col" }, words(state.by)),
      el("th", { scope: "col" }, axis(top)),
      counted ? el("th", { scope: "col", class: "amount" }, state.unit) : null)),
    el("tbody", {}, shown.map((group) => line(group, top, counted, state, choose))));
  const left = ordered.length - shown.length;
  return [
    table,
    left > 0 ? el("button", { type: "button", on: { click: () => drawChart(state, choose, true) } }, `Show ${left} ${months ? "earlier" : "more"}`) : null,
    el("p", { class: "note" }, note(rows, state)),
  ].filter(Boolean);
}

function axis(top) {
  return el("div", { class: "axis", "aria-hidden": "true" }, [0, 0.5, 1].map((at) => el("span", {}, percent(top * at))));
}

function line(group, top, counted, state, choose) {
  const name = group[0].group;
  const shown = name === null ? `(no ${state.by})` : words(name);
  const pick = name === null
    ? el("span", { class: "nobody" }, shown)
    : el("button", { type: "button", class: "pick", title: `List documents of ${shown}`, on: { click: () => choose(state.by, name) } }, shown);
  return el("tr", {},
    el("th", { scope: "row" }, pick),
    el("td", { class: "bars" }, group.map((row) => el("div", { class: "bar-line", "data-label": row.label },
      el("span", { class: "visually-hidden" }, `${LABELS[row.label]}: `),
      track(row.share, top),
      el("span", { class: "value" }, percent(row.share))))),
    counted ? el("td", { class: "amount" }, number(group[0].denominator)) : null);
}

/** Return the remarks that hold for every row. */
function note(rows, state) {
  const remarks = rows.map((row) => row.note.split("; "));
  const common = (remarks[0] ?? []).filter((remark) => remarks.every((list) => list.includes(remark)));
  return `${state.by === "month" ? "In order of time" : "Most counted first"}; ${common.join("; ")}.`;
}
