// From a policy to a manifest, and what to do with it: commands to copy, a trainer's files to read.

import { change, state } from "./address.js";
import { el, copyButton, number, problem, size, table } from "./dom.js";
import { endedWithout, jobPanel } from "./job.js";
import { ask, send } from "./service.js";

let trainers = [];
let shown = null;
let place = null;
let policy = null;
let underway = null;
const written = new Map();

/** Return where it is told of a manifest how far its shards are written. */
function writtenOf(id) {
  if (!written.has(id)) written.set(id, el("div", {}));
  return written.get(id);
}

/** Show the button that builds, and the manifest of an id where there is one. */
export function showManifest(panel, currentPolicy, id) {
  [place, policy] = [panel, currentPolicy];
  if (!id) return draw();
  if (shown?.id === id) return draw(shown);
  ask(`/v1/manifests/${encodeURIComponent(id)}`).then(draw, (error) => draw(null, problem(error)));
}

/** Take away a manifest that the policy above no longer is. */
export function forgetManifest() {
  if (shown) draw();
}

function draw(manifest = null, trouble = null) {
  shown = manifest;
  if (manifest && !trainers.length) learnTrainers(manifest);
  const focused = place.contains(document.activeElement);
  const button = el("button", { type: "button", class: "primary", disabled: underway !== null, on: { click: build } }, manifest ? "Build again" : "Build the manifest");
  place.replaceChildren(
    el("h2", {}, "The manifest"),
    el("p", { class: "soft" }, "A manifest fixes the plan: every document’s bucket, every bucket’s weight, and what it was built from. The same policy over the same tags is the same manifest."),
    el("div", { class: "buttons" }, button),
    ...[underway?.element, trouble].filter(Boolean), ...(manifest ? contents(manifest) : []));
  if (focused) (underway?.element.querySelector("button") ?? button).focus();
}

function learnTrainers(manifest) {
  ask("/v1/manifests").then((found) => {
    trainers = found.trainers;
    if (shown === manifest) draw(manifest);
  }, () => {});
}

async function build() {
  const asked = policy();
  let [manifest, trouble] = [null, null];
  underway = jobPanel("Building…");
  draw();
  try {
    manifest = await send("/v1/manifests", { policy: asked }, { onJob: underway.show });
  } catch (error) {
    trouble = endedWithout(error, "no manifest was built");
  }
  underway = null;
  if (manifest && policy() !== asked) return draw(null, el("p", { class: "note", role: "status" }, `Manifest ${manifest.id} was built, of the policy as it was before you changed it.`));
  draw(manifest, trouble);
  if (manifest && state().view === "policy") change({ manifest: manifest.id }, { replace: true, quiet: true });
}

/** Have a worker write a manifest's shards. */
async function reweigh(id) {
  const [panel, told] = [jobPanel("Asking…"), writtenOf(id)];
  told.replaceChildren(panel.element);
  try {
    const { folder, documents, bytes } = await send(`/v1/manifests/${id}/reweighs`, {}, { onJob: panel.show, made: (result) => result });
    told.replaceChildren(el("p", { class: "built", role: "status" }, `Written: ${number(documents)} documents, ${size(bytes)}, in `, el("code", {}, folder), "."));
  } catch (error) {
    told.replaceChildren(endedWithout(error, "what is written of the shards is gone on from when you ask again"));
  }
}

function contents(manifest) {
  const inside = !manifest.place.startsWith("/");
  const folder = inside ? `$TAGS/${manifest.place}` : quoted(manifest.place);
  const commands = [
    ...(inside ? ["TAGS=…    # the tag folder that this service reads"] : []),
    `narrascope reweigh ${folder} --source ${quoted(manifest.root)} --out reweighed`,
    `narrascope manifest verify ${folder}`,
    ...trainers.map((trainer) => `narrascope manifest export ${folder} --to ${trainer} --out ${trainer}-config`),
  ].join("\n");
  const files = el("div", { "aria-live": "polite" });
  return [
    el("p", { class: "built" }, "Manifest ", el("code", {}, manifest.id), ` of ${manifest.parts} parts, built ${new Date(manifest.created).toLocaleString("en-GB")}.`),
    table("Weights", ["bucket", "weight"], Object.entries(manifest.weights).map(([name, weight]) => [name, `× ${Number(weight.toPrecision(6))}`])),
    el("h3", {}, "Write the shards, check them, and export for a trainer"),
    el("div", { class: "copyable" }, el("pre", { tabindex: "0" }, commands), copyButton(commands, "the commands")),
    el("div", { class: "buttons" }, el("button", { type: "button", on: { click: () => reweigh(manifest.id) } }, "Have a worker write the shards")), writtenOf(manifest.id),
    el("h3", {}, "The trainer’s files"),
    el("p", { class: "soft" }, "They are there once the corpus was reweighed by this manifest."),
    el("div", { class: "buttons" }, trainers.map((trainer) => el("button", { type: "button", on: { click: () => showExport(files, manifest.id, trainer) } }, trainer))),
    files,
  ];
}

const quoted = (path) => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

async function showExport(files, id, trainer) {
  try {
    const exported = await ask(`/v1/manifests/${id}/exports/${trainer}`);
    files.replaceChildren(
      ...exported.notes.map((note) => el("p", { class: "note" }, note)),
      ...Object.entries(exported.files).map(([name, text]) => el("details", { open: Object.keys(exported.files).length === 1 },
        el("summary", {}, name), el("div", { class: "copyable" }, el("pre", { tabindex: "0" }, text), copyButton(text, name)))));
  } catch (error) {
    files.replaceChildren(problem(error, () => showExport(files, id, trainer)));
  }
}
