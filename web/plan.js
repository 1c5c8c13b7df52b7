// What a plan says: sizes, portrayals, buckets, bounds and stages, and what it would also touch.

import { axisX, barX, gridX, ruleX, text } from "./vendor/plot.js";
import { chart } from "./charts.js";
import { el, amount, number, percent, roughly, signed, table, track, words, LABELS, PORTRAYALS } from "./dom.js";

const GROUPS = ["source", "domain", "month", "genre"];
const SHOWN = 10;
let breakdown = "source";

/** Return the contents of a plan's panel. */
export function planContents(plan) {
  const of = (size) => size[plan.unit] ?? 0;
  return [
    el("h2", {}, "Before and after"),
    totals(plan, of),
    el("div", { class: "changes" }, PORTRAYALS.map((label) => portrayal(plan, label, of))),
    folded("buckets", "Buckets and their weights", buckets(plan, of), true),
    plan.constraints.length ? folded("constraints", "Constraints", constraints(plan), true) : null,
    plan.stages.length ? folded("stages", "Stages", stages(plan), true) : null,
    plan.audited.length ? folded("audited", "Audited shares", audited(plan), true) : null,
    folded("collateral", "Collateral: what it would also touch", collateral(plan, of), true),
    ...(plan.notes.length ? [el("ul", { class: "notes" }, plan.notes.map((note) => el("li", {}, note)))] : []),
  ].filter(Boolean);
}

/** Return in a sentence what a plan does to the portrayals. */
export function said(plan) {
  const of = (size) => size[plan.unit] ?? 0;
  return PORTRAYALS.map((label) => {
    const group = portrayed(plan, label);
    return `${LABELS[label]} ${group ? signed(change(of(group.before), of(group.after))) : "–"}`;
  }).join(", ");
}

const portrayed = (plan, label) => plan.groups.find((group) => group.by === "label" && group.group === label && group.stance === null);

function folded(name, title, contents, open) {
  return el("details", { "data-name": name, open }, el("summary", {}, title), contents);
}

const change = (before, after) => (before ? (after - before) / before : null);

function totals(plan, of) {
  const [before, after] = [of(plan.before), of(plan.after)];
  const moved = change(before, after);
  return el("p", { class: "totals" }, "The corpus of ", el("strong", {}, amount(before, plan.unit)), " is seen as ", el("strong", {}, amount(after, plan.unit)),
    Math.abs(moved ?? 0) < 0.0005 ? ", as much as before." : ` (${signed(moved)}).`,
    plan.divergence !== null ? ` Its mix is ${plan.divergence.toPrecision(2)} nats from the original.` : "");
}

function portrayal(plan, label, of) {
  const group = portrayed(plan, label);
  if (!group) return null;
  const before = of(group.before) / (of(plan.before) || 1);
  const after = of(group.after) / (of(plan.after) || 1);
  const top = Math.max(before, after);
  return el("div", { class: "change", "data-label": label },
    el("h3", {}, LABELS[label]),
    el("p", { class: "moved" }, signed(change(before, after))),
    meter("before", before, top, "bar pale"),
    meter("after", after, top, "bar"));
}

function meter(name, share, top, kind) {
  return el("div", { class: "meter" }, el("span", { class: "meter-name" }, name), track(share, top, kind), el("span", { class: "value" }, percent(share)));
}

function buckets(plan, of) {
  const heads = ["bucket", "weight", "before", "after", "no portrayal in it"];
  return table("Buckets", heads, plan.buckets.map((bucket) => [
    el("span", { title: bucket.where ?? "what no bucket takes" }, bucket.name),
    `${bucket.action === "drop" ? "dropped" : `× ${number3(bucket.weight)}`}${bucket.action === "weigh" || bucket.action === "drop" ? "" : `, ${words(bucket.action)}`}`,
    `${bucket.estimated ? "≈ " : ""}${amount(of(bucket.before), plan.unit)}`,
    amount(of(bucket.after), plan.unit),
    percent(of(bucket.before) ? of(bucket.unlabelled) / of(bucket.before) : 0),
  ]));
}

const number3 = (value) => (value === null ? "–" : Number(value.toPrecision(4)).toLocaleString("en-GB", { maximumFractionDigits: 4 }));

function constraints(plan) {
  return table("Constraints", ["constraint", "limit", "before", "after", "binds", "price, nats a unit"], plan.constraints.map((bound) => [
    `${bound.constraint}${bound.group === null ? "" : ` (${bound.group})`}`,
    number3(bound.limit), number3(bound.value_before), number3(bound.value_after),
    bound.missed_by ? `missed by ${number3(bound.missed_by)}` : bound.binds ? "yes" : "no",
    bound.price ? number3(bound.price) : "–",
  ]));
}

function stages(plan) {
  return table("Weights by stage", ["stage until", ...plan.buckets.map((bucket) => bucket.name)], plan.stages.map((stage) => [
    percent(stage.until), ...stage.weights.map((weight) => `× ${number3(weight)}`),
  ]));
}

function audited(plan) {
  const share = ([value, low, high]) => `${percent(value)} (${percent(low)} to ${percent(high)})`;
  return table("Audited shares, with intervals of 95%", ["label", "before", "after", "documents read"], plan.audited.map((row) => [
    LABELS[row.label] ?? words(row.label), share(row.before), share(row.after), number(row.n_audited),
  ]));
}

function collateral(plan, of) {
  const place = el("div", {});
  const draw = () => place.replaceChildren(...moved(plan, of, choose));
  const choose = (by) => {
    breakdown = by;
    draw();
    place.querySelector("select").focus();
  };
  draw();
  return place;
}

function moved(plan, of, choose) {
  const named = plan.buckets.filter((bucket) => bucket.weight !== 1 && bucket.of !== plan.buckets.at(-1).of);
  const sum = (name) => named.reduce((total, bucket) => total + of(bucket[name]), 0);
  const [touched, unlabelled] = [sum("before"), sum("unlabelled")];
  const groups = plan.groups.filter((group) => group.by === breakdown);
  const rows = groups.map((group) => ({ ...group, name: group.group === null ? `no ${breakdown}` : words(group.group), change: change(of(group.before), of(group.after)) ?? 0 }));
  const shown = rows.filter((row) => Math.abs(row.change) >= 0.00005).slice(0, SHOWN);
  const select = el("select", { "aria-label": "Collateral by", on: { change: (event) => choose(event.target.value) } }, GROUPS.map((by) => el("option", { value: by, selected: by === breakdown }, `by ${by}`)));
  return [
    el("p", {}, `Buckets of another weight than 1 touch ${amount(touched, plan.unit)}, of which ${amount(unlabelled, plan.unit)} (${percent(touched ? unlabelled / touched : 0)}) reach the threshold of no portrayal.`),
    el("div", { class: "buttons" }, select, el("span", {}, `change in per cent; what moves most ${plan.unit} first`)),
    shown.length ? diverging(shown, `Change of size by ${breakdown}`) : el("p", { class: "empty" }, `No ${breakdown} changes by as much as 0.01%.`),
    el("details", { "data-name": "collateral-table" }, el("summary", {}, "As a table"),
      table(`Change by ${breakdown}`, [breakdown, "before", "after", "change", "touched", "of it no portrayal"], rows.slice(0, 100).map((row) => [
        row.name, amount(of(row.before), plan.unit), amount(of(row.after), plan.unit), signed(row.change), amount(of(row.touched), plan.unit), amount(of(row.unlabelled), plan.unit),
      ])),
      rows.length > 100 ? el("p", { class: "note" }, `${number(rows.length - 100)} more in the answer of POST /v1/plans.`) : null),
  ];
}

function diverging(rows, name) {
  const losing = Math.min(0, ...rows.map((row) => row.change));
  const winning = Math.max(0, ...rows.map((row) => row.change));
  return chart(name, (width) => ({
    height: rows.length * 36 + 30, marginLeft: losing < 0 ? 52 : 1, marginRight: 62, marginTop: 22, marginBottom: 4,
    x: { label: null, domain: [losing, winning] }, y: { domain: ["", "bar"], axis: null, padding: 0.1 }, fy: { domain: rows.map((row) => row.name), axis: null },
    marks: [
      axisX({ anchor: "top", facetAnchor: "top", tickFormat: roughly, ticks: width < 420 ? 3 : 5, tickSize: 0 }),
      gridX({ ticks: width < 420 ? 3 : 5, stroke: "var(--line)", strokeOpacity: 1 }),
      barX(rows, { fy: "name", y: () => "bar", x: "change", fill: (row) => (row.change < 0 ? "var(--soft)" : "var(--accent)"), rx: 2, ariaLabel: (row) => `${row.name}: ${signed(row.change)}`, title: (row) => `${row.name}: ${signed(row.change)}` }),
      ruleX([0], { stroke: "currentColor" }),
      text(rows, { fy: "name", y: () => "", x: () => losing, text: "name", textAnchor: "start", dx: losing < 0 ? -50 : 0, className: "group", fill: "currentColor", stroke: "var(--panel)", strokeWidth: 5 }),
      ...[["start", 6, (row) => row.change >= 0], ["end", -6, (row) => row.change < 0]].map(([textAnchor, dx, filter]) =>
        text(rows, { fy: "name", y: () => "bar", x: "change", text: (row) => signed(row.change), textAnchor, dx, filter, fill: "currentColor" })),
    ],
  }));
}
