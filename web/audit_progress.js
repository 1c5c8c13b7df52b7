// What the labels come to so far: shares with intervals, how these narrow, and whether readers agree.

import { areaY, axisX, axisY, gridY, lineY } from "./vendor/plot.js";
import { chart } from "./charts.js";
import { el, number, percent, problem, roughly, table, words, LABELS, PORTRAYALS } from "./dom.js";
import { latest } from "./service.js";

/** Return the panel of an audit, and the function that asks for its report again. */
export function progressPanel(audit) {
  const element = el("section", { class: "panel progress", "aria-label": "What the labels come to" });
  const said = el("p", { role: "status" }, "Asking what the labels come to…");
  const body = el("div", {});
  element.append(el("h2", {}, "The interval"), said, body);
  const store = `narrascope-intervals/${audit.id}`;
  const askReport = latest();
  const watched = audit.design.label && audit.design.label !== "ai_agent" ? audit.design.label : "malevolent";

  async function refresh({ labelled = true } = {}) {
    if (!audit.current) {
      said.textContent = "The corpus was scanned again since this audit was drawn: its labels are kept, but say nothing of these tags. Draw another audit.";
      return;
    }
    if (!labelled) {
      said.textContent = "It is shown after the first ten texts.";
      return;
    }
    element.setAttribute("aria-busy", "true");
    try {
      const { rows } = await askReport(`/v1/audits/${encodeURIComponent(audit.id)}/report`);
      const history = remember(store, rows.find((row) => row.section === "estimate" && row.label === watched));
      said.replaceChildren(...newest(watched, history.at(-1)));
      body.replaceChildren(...contents(rows, watched, history));
    } catch (error) {
      if (error.name === "AbortError") return;
      // 409: for want of more answers a label has no share yet.
      said.textContent = error.status === 409 ? "It is shown when more texts are answered." : "";
      body.replaceChildren(...(error.status === 409 ? [] : [problem(error, () => refresh())]));
    }
    element.removeAttribute("aria-busy");
  }
  return { element, refresh };
}

/** Return the intervals that this tab has seen of an audit, with the newest. */
function remember(store, row) {
  const seen = JSON.parse(sessionStorage.getItem(store) ?? "[]").filter(({ n }) => n < row.n_audited);
  const history = [...seen, { n: row.n_audited, share: row.share, low: row.low, high: row.high }];
  sessionStorage.setItem(store, JSON.stringify(history));
  return history;
}

function newest(watched, { n, share, low, high }) {
  return [el("strong", {}, LABELS[watched]), `: ${percent(share)}, 95% interval `, el("strong", {}, `${percent(low)} to ${percent(high)}`), `, from ${number(n)} documents.`];
}

function contents(rows, watched, history) {
  const of = (section) => rows.filter((row) => row.section === section);
  const agreement = of("agreement");
  const open = new Set(of("open").map((row) => row.id)).size;
  return [
    history.length > 1 ? el("div", { "data-label": watched }, narrowing(history)) : el("p", { class: "note" }, "How it narrows is drawn here from the next sending on."),
    table("Audited shares", ["label", "share", "95% interval", "documents read"], of("estimate").filter((row) => PORTRAYALS.includes(row.label)).map((row) => [
      LABELS[row.label], percent(row.share), `${percent(row.low)} to ${percent(row.high)}`, number(row.n_audited),
    ])),
    el("h3", {}, "Agreement"),
    agreement.length ? table("Agreement between readers", ["question", "readers", "texts", "agreed", "Cohen’s κ", "Krippendorff’s α"], agreement.map((row) => [
      words(row.question), [row.readers].flat().join(", "), number(row.items), percent(row.agreed), figure(row.kappa), figure(row.alpha),
    ])) : el("p", { class: "note" }, "No text was read by two readers yet, so nothing can be said of how they agree."),
    open ? el("p", { class: "note" }, `${number(open)} ${open === 1 ? "text is" : "texts are"} open: readers differ or were unsure. The name “adjudicator” settles them.`) : null,
  ].filter(Boolean);
}

const figure = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

function narrowing(history) {
  return chart("How the interval narrows", (width) => ({
    height: 200, marginLeft: 52, marginRight: 12, marginTop: 12, marginBottom: 32,
    x: { label: null }, y: { label: null, zero: true },
    marks: [
      gridY({ ticks: 4, stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ label: "documents read", ticks: width < 420 ? 4 : 8, tickSize: 0, tickFormat: number }), axisY({ ticks: 4, tickSize: 0, tickFormat: roughly, label: null }),
      areaY(history, { x: "n", y1: "low", y2: "high", fill: "var(--hue)", fillOpacity: 0.2, curve: "step-after" }),
      lineY(history, { x: "n", y: "share", stroke: "var(--hue)", strokeWidth: 2, marker: "dot" }),
    ],
  }));
}
