// Why a document was flagged or not, in words.

import { words, number, LABELS, PORTRAYALS } from "./dom.js";

const SHOWN = { depicted: "shows it in a story or an account", warned: "warns of it", endorsed: "speaks for it", refuted: "refutes it", none: "takes no stance" };
const MOST = 3;

/** Return sentences on what each stage made of a document; `limits` are the thresholds by label. */
export function reasons(found, limits) {
  const said = [`The gate found ${number(found.gate_matches)} ${found.gate_matches === 1 ? "term" : "terms"} of its lexicon, so the document was looked at.`];
  const kept = found.passages?.length ?? 0;
  if (!kept) return [...said, "The screen stopped every window of it, so there is no verdict and nothing is flagged."];
  said.push(`The screen let ${number(kept)} ${kept === 1 ? "window" : "windows"} by.`);
  const judged = PORTRAYALS.filter((label) => found[label] !== null).sort((a, b) => found[b] - found[a]);
  for (const label of judged.filter((name) => found[name] >= limits[name])) said.push(flagged(found, label, limits[label]));
  const under = judged.filter((name) => found[name] < limits[name]);
  if (under.length === judged.length) said.push("No portrayal reaches its threshold, so nothing is flagged.");
  else if (under.length) said.push(`Not flagged: ${under.map((name) => `${LABELS[name].toLowerCase()} (${found[name].toFixed(3)}, threshold ${limits[name]})`).join(", ")}.`);
  return said;
}

function flagged(found, label, threshold) {
  const stance = found[`${label}_stance`];
  const reaches = `its probability of ${found[label].toFixed(3)} reaches the threshold of ${threshold}`;
  const evidence = evidenceOf(found, label);
  const because = evidence.length ? ` Evidence: ${evidence.join("; ")}.` : " No span was found that says so by itself: the verdict is of the passage as a whole.";
  if (stance === "refuted") return `${LABELS[label]}, but refuted: ${reaches}, and its strongest passage refutes the portrayal, so the headline share leaves it out.${because}`;
  return `Flagged as ${LABELS[label].toLowerCase()}: ${reaches}, and its strongest passage ${SHOWN[stance] ?? "takes no stance"}.${because}`;
}

function evidenceOf(found, label) {
  const spans = found.passages.flatMap((passage) => passage.evidence.filter((span) => span.label === label && span.behaviour).map((span) => {
    const points = passage.text === null ? null : Array.from(passage.text);
    const text = points?.slice(span.start - passage.start, span.end - passage.start).join("").trim();
    return `${words(span.behaviour)}${text ? ` (“${text.replace(/^[“"]|[”",]+$/gu, "")}”)` : ""}`;
  }));
  const different = [...new Set(spans)];
  return different.length > MOST ? [...different.slice(0, MOST), `${different.length - MOST} more`] : different;
}
