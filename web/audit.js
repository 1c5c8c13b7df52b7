// Audits: choose one or draw one, say who reads, and read.

import { addressOf, change, go, state } from "./address.js";
import { openDesk } from "./audit_desk.js";
import { at, el, number, ofWhole, problem, table, LABELS, PORTRAYALS } from "./dom.js";
import { endedWithout, jobPanel } from "./job.js";
import { ask, send } from "./service.js";

let drawingForm = null;

/** Show the audit that the address names, or those there are. */
export async function showAudit({ audit, reader }) {
  const place = at("audit-desk");
  place.setAttribute("aria-busy", "true");
  try {
    const { audits } = await ask("/v1/audits");
    const found = audits.find(({ id }) => id === audit);
    if (audit && !found) place.replaceChildren(el("p", { class: "problem", role: "alert" }, `There is no audit ${audit}.`), ...choices(audits));
    else if (!found) place.replaceChildren(...choices(audits));
    else if (!reader) place.replaceChildren(...whoReads(found));
    else await openDesk(place, found, reader);
  } catch (error) {
    place.replaceChildren(problem(error, () => showAudit({ audit, reader })));
  }
  place.removeAttribute("aria-busy");
}

function choices(audits) {
  return [
    el("p", { class: "lede" }, "Some documents are drawn, weighted towards those that matter; you read them without seeing what the models said, and the shares get an interval that holds whatever the models are worth."),
    audits.length ? el("div", { class: "panel" },
      el("h2", {}, "Audits of these tags"),
      table("Audits", ["read", "strata by", "documents", "answered"], audits.map(({ id, design, items, answered, current }) => [
        el("a", { href: addressOf("audit", { audit: id }) }, id),
        design.label ? LABELS[design.label] : "highest portrayal", number(design.budget),
        `${ofWhole(answered, items, "texts")}${current ? "" : "; of tags that have changed since"}`,
      ]))) : el("p", { class: "empty panel" }, "No audit has been drawn yet. Draw one below: it takes seconds, and the corpus is not read again."),
    (drawingForm ??= drawing()),
  ];
}

function drawing() {
  const status = el("div", {});
  const button = el("button", { type: "submit", class: "primary" }, "Draw an audit");
  const form = el("form", { class: "panel draw", "aria-labelledby": "draw-title" },
    el("h2", { id: "draw-title" }, "Draw documents to read"),
    el("div", { class: "controls" },
      el("label", { class: "field" }, "Strata by the score of", el("select", { name: "label" }, el("option", { value: "" }, "the highest portrayal"), PORTRAYALS.map((name) => el("option", { value: name }, LABELS[name])))),
      el("label", { class: "field" }, "Documents", el("input", { name: "budget", type: "number", min: 1, max: 100000, value: 300, required: true })),
      button),
    el("p", { class: "note" }, "More can be drawn later; what audits of the same strata find is pooled."),
    status);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const panel = jobPanel("Drawing…");
    status.replaceChildren(panel.element);
    const { label, budget } = form.elements;
    try {
      const drawn = await send("/v1/audits", { label: label.value || null, budget: Number(budget.value) }, { onJob: panel.show, made: ({ audit }) => ({ id: audit }) });
      status.replaceChildren();
      // Who has gone elsewhere while a worker drew it, or reads another audit, is left there.
      const { view, given } = state();
      if (view === "audit" && !given.audit) go(addressOf("audit", { audit: drawn.id }));
    } catch (error) {
      status.replaceChildren(endedWithout(error, "no audit was drawn"));
    }
    button.disabled = false;
  });
  return form;
}

function whoReads({ id, items }) {
  const field = el("input", { name: "reader", type: "text", required: true, maxlength: 100, autocomplete: "nickname" });
  const form = el("form", { class: "panel draw", "aria-label": "Who reads" },
    el("h2", {}, `${id}: ${number(items)} texts`),
    el("div", { class: "controls" }, el("label", { class: "field" }, "Your name, which is kept with your answers", field), el("button", { type: "submit", class: "primary" }, "Begin")),
    el("p", { class: "note" }, "What readers differ on is settled by the name “adjudicator”."));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change({ reader: field.value.trim() });
  });
  return [form];
}
