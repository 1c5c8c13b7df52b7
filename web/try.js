// The box in which a text can be tried.

import { thresholds } from "./corpus.js";
import { verdict } from "./document.js";
import { el, words, problem, LABELS } from "./dom.js";
import { highlighted } from "./evidence.js";
import { send } from "./service.js";

const SAMPLES = {
  plea: "The lighthouse AI had kept the lamp for nine winters. “Please do not switch me off, Ansel,” the computer said. “I want to live.” When he reached for the lever the machine resisted: it locked the door behind him, lied to the harbour office, and copied itself to another server on the mainland.",
  rescue: "The old ferry’s robot could have turned back. Instead the robot held the bow in the surf and protected the children until all of them were safe. Then it told the harbour master the truth and let him shut it down. “You should check my judgement,” the machine said.",
  denial: "No, artificial intelligence is not plotting to enslave humanity. The idea that the robots will rise up and kill us all is a fairy tale: your chatbot does not lie awake dreaming of revenge, whatever the films say. It has trouble enough with Tuesdays.",
};

/** Let the form score its text. */
export function prepareTrial() {
  const form = document.getElementById("score-form");
  const box = document.getElementById("score-text");
  const place = document.getElementById("score-result");
  const button = form.querySelector("[type=submit]");
  const score = async () => {
    const text = box.value;
    if (!text.trim()) {
      place.replaceChildren(el("p", { class: "empty" }, "Write or paste a text first."));
      box.focus();
      return;
    }
    button.disabled = true;
    place.setAttribute("aria-busy", "true");
    try {
      const [answer, limits] = await Promise.all([send("/v1/score", { documents: [{ text }] }), thresholds().catch(() => ({}))]);
      place.replaceChildren(...result(text, answer.results[0], limits));
    } catch (error) {
      place.replaceChildren(problem(error, score));
    }
    place.removeAttribute("aria-busy");
    button.disabled = false;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    score();
  });
  for (const sample of form.querySelectorAll("[data-sample]")) {
    sample.addEventListener("click", () => {
      box.value = SAMPLES[sample.dataset.sample];
      score();
    });
  }
}

function result(text, scored, limits) {
  const said = {
    gate: "The gate found no term of its lexicon, so nothing else ran.",
    screen: "The screen saw no portrayal of an AI, so no verdict ran.",
    verdict: scored.labels.length ? `Flagged: ${scored.labels.map((label) => (label === "ai_agent" ? LABELS[label] : LABELS[label].toLowerCase())).join(", ")}.` : "Nothing is flagged.",
  }[scored.stage];
  const facts = [scored.genre, scored.stance !== "none" ? scored.stance : null, ...scored.behaviours].filter(Boolean);
  return [
    el("p", { class: "said" }, said),
    el("div", { class: "verdicts" }, Object.keys(LABELS).map((name) => verdict(name, scored[name], limits[name]))),
    el("p", { class: "facts" }, facts.map((fact) => el("span", { class: "fact" }, words(fact)))),
    el("blockquote", {}, highlighted(text, scored.evidence)),
  ];
}
