// One text to be read, and its questions; every answer has a key while the desk has the focus.

import { el, words, LABELS, PORTRAYALS } from "./dom.js";

const ANSWERS = [["yes", true], ["no", false], ["unsure", "unsure"]];
const STANCES = { d: "depicted", w: "warned", r: "refuted", e: "endorsed" };
const NAMES = Object.keys(LABELS);

/**
 * Return the form of an item; `given` are answers to begin with.
 *
 * `keep(record)` is called with answers that agree with each other, `back` goes to the text before.
 */
export function itemForm(item, terms, given, { place, keep, back }) {
  const record = { ...Object.fromEntries(NAMES.map((name) => [name, null])), stance: null, genre: null, behaviours: [], ...given };
  const missing = el("p", { class: "missing", role: "alert" });
  const definitions = Object.fromEntries(terms.labels.map((term) => [term.name, term]));
  const radios = {};

  const answer = (name, value) => {
    record[name] = value;
    // An AI that does something is there; where none is, nothing is portrayed.
    if (value === true && name !== "ai_agent") record.ai_agent = true;
    if (name === "ai_agent" && value === false) for (const label of PORTRAYALS) record[label] = false;
    if (!portrayed(record)) record.stance = null;
    show();
  };
  const show = () => {
    for (const [name, boxes] of Object.entries(radios)) for (const box of boxes) box.checked = box.answer === record[name];
    stances.disabled = !portrayed(record);
    missing.textContent = "";
  };
  const segment = (name, legend, hint, choices, choose) => {
    radios[name] = [];
    return el("fieldset", { class: "segments question", "data-label": name },
      el("legend", {}, legend, " ", el("kbd", {}, hint)),
      choices.map(([word, value, key]) => {
        const box = el("input", { type: "radio", name: `answer-${name}` });
        box.answer = value;
        box.addEventListener("change", () => choose(value));
        radios[name].push(box);
        return el("label", {}, box, el("span", {}, word, key ? [" ", el("kbd", {}, key)] : null));
      }));
  };

  const questions = NAMES.map((name, i) => el("div", {},
    segment(name, LABELS[name], i + 1, ANSWERS, (value) => answer(name, value)),
    el("details", { class: "definition" }, el("summary", {}, definitions[name].question), el("p", {}, definitions[name].definition))));
  const stances = segment("stance", "Stance towards the portrayal", "", Object.entries(STANCES).map(([key, name]) => [name, name, key]), (value) => { record.stance = value; show(); });
  const genre = el("select", { on: { change: (event) => (record.genre = event.target.value || null) } },
    el("option", { value: "" }, "left open"), terms.genres.map(({ name }) => el("option", { value: name, selected: record.genre === name }, words(name))));
  const behaviours = el("details", { class: "behaviours" }, el("summary", {}, "Behaviours, if you like"),
    terms.behaviours.map(({ name }) => {
      const box = el("input", { type: "checkbox", checked: record.behaviours.includes(name) });
      box.addEventListener("change", () => (record.behaviours = box.checked ? [...record.behaviours, name] : record.behaviours.filter((other) => other !== name)));
      return el("label", {}, box, ` ${words(name)}`);
    }));

  const rest = () => {
    for (const name of NAMES) record[name] ??= false;
    show();
  };
  const finish = () => {
    missing.textContent = fault(record);
    if (!missing.textContent) keep({ ...record, stance: portrayed(record) ? record.stance : "none" });
  };
  const form = el("form", { class: "panel questions", "aria-label": "What it says" },
    questions, stances,
    el("label", { class: "field" }, "Genre", genre), behaviours, missing,
    el("div", { class: "buttons" },
      el("button", { type: "submit", class: "primary" }, "Keep ", el("kbd", {}, "Enter")),
      el("button", { type: "button", on: { click: rest } }, "No to the rest ", el("kbd", {}, "0")),
      back ? el("button", { type: "button", on: { click: back } }, "Back ", el("kbd", {}, "b")) : null));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish();
  });
  const text = el("article", { class: "panel item", tabindex: "0", "aria-label": `The text to read, ${place}` },
    el("p", { class: "note" }, place, ". Keys work while this text or an answer has the focus."),
    el("blockquote", {}, item.text));

  const cycle = (name) => answer(name, { null: true, true: false, false: "unsure", unsure: true }[String(record[name])]);
  const act = (key) => {
    if (/^[1-4]$/.test(key)) cycle(NAMES[key - 1]);
    else if (key === "0") rest();
    else if (STANCES[key] && portrayed(record)) { record.stance = STANCES[key]; show(); }
    else if (key === "b" && back) back();
    else if (key === "Enter") finish();
    else return false;
    return true;
  };
  const onKey = (event) => {
    const typing = event.target.matches("select, button, summary, input[type=checkbox]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (act(event.key.length === 1 ? event.key.toLowerCase() : event.key)) event.preventDefault();
  };
  for (const part of [text, form]) part.addEventListener("keydown", onKey);
  show();
  return [text, form];
}

const portrayed = (record) => PORTRAYALS.some((label) => record[label] === true);

/** Return what is still missing in the answers, in words; nothing if nothing is. */
function fault(record) {
  const open = NAMES.filter((name) => record[name] === null).map((name) => LABELS[name]);
  if (open.length) return `Not answered yet: ${open.join(", ")}. Press 0 to say no to the rest.`;
  if (portrayed(record) && !record.stance) return "Say how the text stands to the portrayal: d depicted, w warned, r refuted, e endorsed.";
  if (portrayed(record) && record.ai_agent !== true) return "A portrayal needs an AI agent: answer yes to it.";
  return "";
}
