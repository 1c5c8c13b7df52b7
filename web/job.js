// Work that a worker does: how far it is, and a way to stop it.

import { el, number, problem } from "./dom.js";
import { ask } from "./service.js";

const COUNTED = { audit: "documents", build: "steps", reweigh: "parts" };

/** Return what shows a job: an element, and the function that is told each time how the job stands. */
export function jobPanel(begun) {
  const said = el("p", { class: "note", role: "status" }, begun);
  const bar = el("progress", { "aria-label": "How far the work is" });
  const stop = el("button", { type: "button", class: "small", hidden: true }, "Cancel");
  const element = el("div", { class: "job" }, said, bar, stop);
  let [id, told] = [null, begun];

  function show(job) {
    id = job.id;
    const words = sentence(job);
    // What is said again would be read out again.
    if (told !== words) said.replaceChildren(...withCode(words));
    told = words;
    if (job.total) [bar.max, bar.value] = [job.total, job.done];
    else bar.removeAttribute("value");
    stop.hidden = job.cancelling;
  }
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    try {
      show(await ask(`/v1/jobs/${id}`, {}, { method: "DELETE" }));
    } catch (error) {
      // 409: it ended meanwhile, which the next question tells.
      if (error.status !== 409) element.append(problem(error));
    }
    stop.disabled = false;
  });
  return { element, show };
}

/** Return what a page says where its work ended without a result. */
export function endedWithout(error, nothing) {
  return error.cancelled ? el("p", { class: "note", role: "status" }, `Cancelled: ${nothing}.`) : problem(error);
}

const withCode = (words) => words.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

function sentence({ state, note, kind, done, total }) {
  const first = `${note[0].toUpperCase()}${note.slice(1)}`;
  const far = total && state === "running" ? `: ${number(done)} of ${number(total)} ${COUNTED[kind]}` : "";
  return `${first}${far}.${state === "queued" ? " Start one on the service’s machine if none runs." : ""}`;
}
