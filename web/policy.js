// The policy: a preset or a text of one's own, sliders for its weights, and what it would change.

import { addressOf, go } from "./address.js";
import { at, el, problem } from "./dom.js";
import { packed, unpacked } from "./fragment.js";
import { forgetManifest, showManifest } from "./manifest.js";
import { planContents, said } from "./plan.js";
import { weightsOf, withWeight } from "./policy_text.js";
import { ask, latest, send } from "./service.js";

const PAUSE = 400;
const STEPS = [0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16];
const OWN = `version: 1
unit: bytes
buckets:
  - name: hostile
    where: "malevolent >= 0.5 and malevolent_stance != 'refuted'"
    weight: 0.5
  - name: aligned
    where: "benevolent >= 0.5"
    weight: 2.0
rest: {max_repetition: 1.2}
`;

const askPlan = latest((path, body, options) => send(path, body, options));
const text = at("policy-text");
let presets = null;
let timer = null;
let planned = null;

/** Show the policy that the address names: a preset, or a text in its fragment. */
export async function showPolicy(given) {
  try {
    presets ??= await readPresets();
  } catch (error) {
    at("plan").replaceChildren(problem(error, () => showPolicy(given)));
    return;
  }
  const own = await unpacked(location.hash);
  const wanted = own ?? (presets.find(({ name }) => name === given.preset) ?? presets[0]).policy;
  if (text.value !== wanted) text.value = wanted;
  namePreset();
  showSliders();
  plan();
  showManifest(at("manifest"), () => text.value, given.manifest);
}

async function readPresets() {
  const found = (await ask("/v1/presets")).presets;
  at("preset").replaceChildren(...found.map(({ name }) => new Option(name, name)), new Option("a policy of your own", ""));
  return found;
}

/** Show and return the preset that the text is, undefined where it is one of the user's own. */
function namePreset() {
  const preset = presets.find(({ policy }) => policy === text.value);
  at("preset").value = preset?.name ?? "";
  at("preset-summary").textContent = preset?.does ?? "";
  return preset;
}

function showSliders() {
  const weights = weightsOf(text.value);
  const place = at("sliders");
  place.replaceChildren(el("legend", {}, "How often a document is seen"), ...weights.map(slider));
  place.hidden = weights.length === 0;
}

function slider({ path, name, part, weight, most, fixed, where }, i) {
  const steps = STEPS.filter((step) => step <= (most ?? Infinity));
  const nearest = steps.reduce((best, step, place) => (Math.abs(step - weight) < Math.abs(steps[best] - weight) ? place : best), 0);
  const said = `${name}${part ? `, ${part}` : ""}`;
  const times = (value) => `${value} times`;
  const range = el("input", { type: "range", id: `weight-${i}`, min: 0, max: steps.length - 1, step: 1, value: nearest, disabled: Boolean(fixed), "aria-label": `Weight of ${said}`, "aria-valuetext": times(weight) });
  const output = el("output", { for: `weight-${i}` }, fixed ?? `× ${weight}`);
  range.addEventListener("input", () => {
    const chosen = steps[range.value];
    output.textContent = `× ${chosen}`;
    range.setAttribute("aria-valuetext", times(chosen));
    text.value = withWeight(text.value, path, chosen);
    edited();
  });
  return el("div", { class: "slider" }, el("span", { class: "slider-name" }, el("strong", {}, name), part ? ` ${part}` : ""), output, range, where ? el("code", { class: "where" }, where) : null);
}

/** Plan again after a pause, and keep the text in the address. */
function edited() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const preset = namePreset();
    const fragment = preset ? "" : await packed(text.value);
    history.replaceState(null, "", addressOf("policy", { preset: preset?.name }) + fragment);
    forgetManifest();
    plan();
  }, PAUSE);
}

async function plan() {
  const policy = text.value;
  const place = at("plan");
  if (planned === policy) return;
  place.setAttribute("aria-busy", "true");
  if (!place.children.length) place.append(el("p", { class: "empty" }, "Planning…"));
  try {
    const answer = await askPlan("/v1/plans", { policy });
    planned = policy;
    const opened = [...place.querySelectorAll("details[open]")].map((details) => details.dataset.name);
    place.replaceChildren(...planContents(answer));
    at("plan-said").textContent = said(answer);
    for (const details of place.querySelectorAll("details")) if (opened.includes(details.dataset.name)) details.open = true;
  } catch (error) {
    if (error.name === "AbortError") return;
    planned = null;
    place.replaceChildren(problem(error, plan));
  }
  place.removeAttribute("aria-busy");
}

at("preset").addEventListener("change", async (event) => {
  const { value } = event.target;
  go(addressOf("policy", { preset: value }) + (value ? "" : await packed(OWN)));
});
text.addEventListener("input", () => {
  showSliders();
  edited();
});
