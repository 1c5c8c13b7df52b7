// The desk: a batch of texts, answered one by one and sent together, since each sending is a file.

import { addressOf } from "./address.js";
import { itemForm } from "./audit_item.js";
import { progressPanel } from "./audit_progress.js";
import { taxonomy } from "./corpus.js";
import { el, number, problem } from "./dom.js";
import { ask, send } from "./service.js";

const BATCH = 10;

/** Fill a place with the desk of a reader. */
export async function openDesk(place, audit, reader) {
  const store = `narrascope-audit/${audit.id}/${reader}`;
  const unsent = new Map(JSON.parse(sessionStorage.getItem(store) ?? "[]"));
  const terms = await taxonomy();
  const panel = progressPanel(audit);
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Texts answered" });
  const counted = el("p", { class: "count", role: "status" });
  const sending = el("button", { type: "button", class: "small", on: { click: () => sendAll() } }, "Send now");
  const work = el("div", { class: "work" });
  let [batch, index, left, sent] = [[], 0, 0, 0];

  const keep = () => sessionStorage.setItem(store, JSON.stringify([...unsent]));
  const count = () => {
    const answered = sent + unsent.size;
    const waiting = left - unsent.size;
    bar.max = Math.max(1, answered + waiting);
    bar.value = answered;
    counted.textContent = `${number(answered)} answered, ${number(waiting)} left for ${reader}${unsent.size ? `; ${number(unsent.size)} not sent yet` : ""}`;
    sending.hidden = unsent.size === 0;
  };

  async function fetchBatch() {
    const answer = await ask(`/v1/audits/${encodeURIComponent(audit.id)}/next`, { annotator: reader, limit: BATCH, blind: true });
    [batch, left, sent] = [answer.items, answer.left, answer.answered];
    const waiting = new Set(batch.map(({ id }) => id));
    for (const id of unsent.keys()) if (!waiting.has(id)) unsent.delete(id);
    index = Math.max(0, batch.findIndex(({ id }) => !unsent.has(id)));
    show();
  }

  function show() {
    count();
    if (batch.length === 0) {
      work.replaceChildren(el("p", { class: "panel empty" }, `Nothing is left for ${reader} to read here. Draw another audit to narrow the interval further, or have somebody else read some of the same texts.`));
      return;
    }
    const item = batch[index];
    work.replaceChildren(...itemForm(item, terms, unsent.get(item.id)?.record, {
      place: `text ${index + 1} of ${batch.length} in this batch`,
      keep: (record) => answer(item, record),
      back: index > 0 ? () => { index -= 1; show(); } : null,
    }));
    work.querySelector(".item").focus({ preventScroll: true });
  }

  function answer(item, record) {
    unsent.set(item.id, { record, row: { ...item, ...record } });
    keep();
    index += 1;
    if (index < batch.length) show();
    else return sendAll();
  }

  async function sendAll() {
    sending.disabled = true;
    try {
      const labels = [...unsent.values()].map(({ row }) => row);
      const reply = labels.length ? await send(`/v1/audits/${encodeURIComponent(audit.id)}/labels`, { labels }) : { bad: [] };
      unsent.clear();
      keep();
      await fetchBatch();
      if (reply.bad.length) work.prepend(problem(new Error(`Not kept:\n${reply.bad.join("\n")}`)));
      panel.refresh();
    } catch (error) {
      count();
      work.replaceChildren(problem(error, sendAll));
    }
    sending.disabled = false;
  }

  await fetchBatch();
  place.replaceChildren(
    el("div", { class: "desk-head" }, el("p", {}, el("strong", {}, audit.id), `, read by ${reader}. `, el("a", { href: addressOf("audit") }, "Other audits")), bar, counted, sending),
    work, panel.element);
  work.querySelector(".item")?.focus({ preventScroll: true });
  panel.refresh(audit);
}
