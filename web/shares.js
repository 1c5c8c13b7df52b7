// Shares of the corpus by group: bars, months, and genre by stance, each mark a link to documents.

import { areaY, axisX, axisY, barX, cell, dot, gridX, gridY, lineY, ruleY, text } from "./vendor/plot.js";
import { addressOf } from "./address.js";
import { chart } from "./charts.js";
import { el, words, percent, roughly, amount, table, LABELS, PORTRAYALS } from "./dom.js";

const LINE = 17;
const COLOURS = { domain: PORTRAYALS, range: ["var(--malevolent)", "var(--self)", "var(--benevolent)"] };
const CONDITION_ONLY = ["source", "domain", "month", "genre"];

const nameOf = (by, group) => (group === null ? `no ${by}` : by === "source" || by === "domain" ? group : words(group));

/** Return the address of the documents that a share counts. */
export function documentsOf({ label, estimator, by, group, stance, threshold }) {
  const conditions = [];
  const filters = { label, stance };
  if (estimator !== "expected") {
    filters.min_score = threshold;
    if (!stance && label !== "ai_agent") conditions.push(`${label}_stance != 'refuted'`);
  }
  if (by && group === null && CONDITION_ONLY.includes(by)) conditions.push(`${by} is null`);
  else if (by) filters[by] = group;
  return addressOf("documents", { ...filters, where: conditions.join(" and ") });
}

const saying = (row) => `${nameOf(row.by, row.group)}, ${LABELS[row.label].toLowerCase()}: ${percent(row.share)} of ${amount(row.denominator, row.unit)}${row.low === null ? "" : `, interval ${percent(row.low)} to ${percent(row.high)}`}`;

/** Return a chart of bars: for each of `groups` its name and a bar for each of the portrayals that it has. */
export function bars(rows, groups, linked, name) {
  const shown = rows.filter((row) => groups.includes(row.group)).map((row) => ({ ...row, key: keyOf(row.group), share: row.share ?? 0 }));
  const audited = shown.some((row) => row.low !== null);
  const labels = shown.length > groups.length ? PORTRAYALS : ["bar"];
  const options = { fy: "key", y: (row) => (labels.length > 1 ? row.label : "bar") };
  return chart(name, (width) => {
    const ticks = width < 420 ? 3 : 5;
    return {
      height: groups.length * LINE * (labels.length + 1.5) + 34,
      marginLeft: 1, marginRight: 62, marginTop: 22, marginBottom: 10,
      x: { label: null },
      y: { domain: ["", ...labels], axis: null, padding: 0.18 },
      fy: { domain: groups.map(keyOf), axis: null, padding: 0.08 },
      color: COLOURS,
      marks: [
        axisX({ anchor: "top", facetAnchor: "top", tickFormat: roughly, ticks, tickSize: 0 }),
        gridX({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
        text(groups, { fy: keyOf, y: () => "", x: 0, text: (group) => nameOf(shown[0]?.by, group), textAnchor: "start", className: "group", fill: "currentColor" }),
        barX(shown, { ...options, x: "share", fill: "label", fillOpacity: audited ? 0.45 : 1, href: linked, ariaLabel: saying, rx: 2, title: saying }),
        ...(audited ? [ruleY(shown, { ...options, x1: "low", x2: "high", stroke: "currentColor", strokeWidth: 1.5, marker: "tick" })] : []),
        text(shown, { ...options, x: (row) => row.high ?? row.share, text: (row) => percent(row.share), textAnchor: "start", dx: 6, fill: "currentColor" }),
      ],
    };
  });
}

// Facets take no null.
const keyOf = (group) => group ?? " ";

/** Return a chart of the months: a band for each portrayal, with dots as large as their month. */
export function months(rows, linked, name) {
  const dated = rows.filter((row) => row.share !== null).map((row) => ({ ...row, date: new Date(`${row.group}-01T00:00Z`) }));
  const audited = dated.some((row) => row.low !== null);
  const options = { fy: "label", x: "date" };
  return chart(name, (width) => ({
    height: 420, marginLeft: 44, marginRight: 12, marginTop: 22, marginBottom: 26,
    x: { type: "utc", label: null }, y: { label: null, zero: true, nice: true },
    fy: { domain: PORTRAYALS, axis: null, padding: 0.22 },
    r: { range: [1.5, 7] },
    color: COLOURS,
    marks: [
      axisX({ ticks: width < 500 ? 4 : 9, tickSize: 0 }), axisY({ tickFormat: roughly, ticks: 3, tickSize: 0 }),
      gridY({ ticks: 3, stroke: "var(--line)", strokeOpacity: 1 }),
      text(PORTRAYALS, { fy: (label) => label, frameAnchor: "top-left", dy: -16, text: (label) => LABELS[label], className: "group", fill: "currentColor" }),
      ...(audited ? [areaY(dated, { ...options, y1: "low", y2: "high", fill: "label", fillOpacity: 0.15 })] : []),
      lineY(dated, { ...options, y: "share", stroke: "label", strokeWidth: 1.5, strokeOpacity: 0.5 }),
      dot(dated, { ...options, y: "share", fill: "label", r: "denominator", href: linked, ariaLabel: saying, title: saying }),
    ],
  }), { tabbable: false });
}

/** Return the rows of the months that hold all but `part` of what is dated, smallest months left out. */
export function largestMonths(rows, part = 0.02) {
  const sizes = new Map(rows.map((row) => [row.group, row.denominator]));
  let left = part * [...sizes.values()].reduce((sum, size) => sum + size, 0);
  for (const [month, size] of [...sizes].sort((a, b) => a[1] - b[1])) {
    left -= size;
    if (left < 0) break;
    sizes.delete(month);
  }
  return rows.filter((row) => sizes.has(row.group));
}

/** Return a heat map of genre by stance for one label; rows have `genre`. */
export function heat(rows, genres, stances, linked, name) {
  const top = Math.max(...rows.map((row) => row.share ?? 0), 1e-12);
  const said = (row) => `${words(row.genre)}, ${row.group}: ${percent(row.share)} of ${amount(row.denominator, row.unit)}`;
  const filled = rows.filter((row) => row.share > 0);
  return chart(name, (width) => ({
    height: genres.length * 36 + 30, marginLeft: width < 420 ? 78 : 104, marginRight: 1, marginTop: 26, marginBottom: 2,
    x: { domain: stances, label: null, padding: 0.05 }, y: { domain: genres, label: null, padding: 0.08 },
    marks: [
      axisX({ anchor: "top", tickSize: 0, label: null }), axisY({ tickSize: 0, tickFormat: words, label: null, textAnchor: "start", dx: width < 420 ? -66 : -92 }),
      cell(genres.flatMap((genre) => stances.map((group) => ({ genre, group }))), { x: "group", y: "genre", fill: "var(--track)", rx: 3 }),
      cell(filled, { x: "group", y: "genre", fill: "var(--hue)", fillOpacity: (row) => 0.12 + 0.48 * Math.sqrt(row.share / top), href: linked, ariaLabel: said, title: said, rx: 3 }),
      text(rows, { x: "group", y: "genre", text: (row) => roughly(row.share), fill: "currentColor", fillOpacity: (row) => (row.share > 0 ? 1 : 0.7), className: "on-heat" }),
    ],
    opacity: { type: "identity" },
  }));
}

/** Return the table of some rows, groups down and labels across, with links. */
export function sharesTable(rows, by, linked) {
  const groups = [...new Set(rows.map((row) => row.group))];
  const find = (group, label) => rows.find((row) => row.group === group && row.label === label);
  return table(`Shares by ${by}`, [words(by), ...PORTRAYALS.map((label) => LABELS[label]), `of ${rows[0]?.unit ?? ""}`],
    groups.map((group) => [
      nameOf(by, group),
      ...PORTRAYALS.map((label) => figure(find(group, label), linked)),
      amount(rows.find((row) => row.group === group).denominator, rows[0].unit),
    ]));
}

/** Return a share as a link, with its interval where there is one. */
export function figure(row, linked) {
  if (!row || row.share === null) return "–";
  const interval = row.low === null ? "" : ` (${percent(row.low)} to ${percent(row.high)})`;
  return row.share > 0 ? el("a", { href: linked(row), "aria-label": saying(row) }, `${percent(row.share)}${interval}`) : `0%${interval}`;
}
