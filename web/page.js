// The page: shows the view that the address bar names, and what was scanned.

import { followLinks, state } from "./address.js";
import { showAudit } from "./audit.js";
import { at, el, number, problem, size } from "./dom.js";
import { showDocuments } from "./documents.js";
import { showForget } from "./key.js";
import { showOverview } from "./overview.js";
import { showPolicy } from "./policy.js";
import { ask } from "./service.js";
import { prepareTrial } from "./try.js";

const SHOW = { overview: showOverview, documents: showDocuments, policy: showPolicy, audit: showAudit, try: () => null };
let shown = null;

function show() {
  const { view, given } = state();
  const moved = shown !== null && shown !== view;
  shown = view;
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll("nav [data-to]")) {
    if (link.dataset.to === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${document.querySelector(`nav [data-to=${view}]`).textContent} · Narrascope`;
  if (moved) {
    at(`${view}-title`).focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
  }
  SHOW[view](given);
}

async function showCorpus() {
  const place = at("corpus");
  try {
    const { scans, failed } = await ask("/v1/scans");
    const sum = (name) => scans.reduce((total, scan) => total + scan[name], 0);
    const parts = [
      [number(sum("documents")), "documents"],
      [size(sum("bytes")), "of text"],
      [number(sum("shards")), "shards"],
      [number(sum("candidates")), "mention an AI"],
      [number(sum("escalated")), "were read closely"],
    ];
    place.replaceChildren(...parts.map(([figure, what]) => el("span", {}, el("strong", {}, figure), ` ${what}`)));
    const warnings = [];
    if (sum("partial_parts")) warnings.push(`Partial: ${number(sum("partial_parts"))} of ${number(sum("parts"))} parts were cut short by --limit.`);
    if (failed.length) warnings.push(`Not counted: ${number(failed.length)} failed ${failed.length > 1 ? "parts, the first of" : "part, of"} ${failed[0].shard} (${failed[0].why ?? "no reason was kept"}).`);
    at("warnings").replaceChildren(...warnings.map((text) => el("p", { class: "warning" }, text)));
    const last = scans.at(-1);
    at("provenance").textContent = last ? `Scanned from ${last.root}, begun ${last.started}. Taxonomy ${last.taxonomy_digest}, lexicon ${last.lexicon_digest}, models ${last.models_digest}.` : "";
  } catch (error) {
    place.replaceChildren(problem(error, showCorpus));
  }
}

addEventListener("popstate", show);
addEventListener("address", show);
for (const form of document.querySelectorAll("main form")) form.addEventListener("submit", (event) => event.preventDefault());
followLinks();
showForget();
prepareTrial();
showCorpus();
show();
