// The three headline shares, with their interval, or why there is none yet.

import { addressOf } from "./address.js";
import { el, number, ofWhole, percent, track, LABELS, PORTRAYALS } from "./dom.js";
import { ask } from "./service.js";
import { documentsOf } from "./shares.js";

/** Return the audited shares of the whole corpus; no rows where nothing was read. */
async function audited(unit) {
  try {
    return await ask("/v1/prevalence", { estimator: "audited", unit });
  } catch (error) {
    if (error.status !== 409) throw error;
    return { rows: null };
  }
}

/** Return the cards, and the words on intervals below them. */
export async function headline(unit, thresholds, labels) {
  const [flagged, expected, stances, read] = await Promise.all([
    ask("/v1/prevalence", { unit }),
    ask("/v1/prevalence", { estimator: "expected", unit }),
    ask("/v1/prevalence", { by: "stance", unit }),
    audited(unit),
  ]);
  const find = (answer, label, group = "all") => answer.rows?.find((row) => row.label === label && row.group === group);
  const rows = PORTRAYALS.map((label) => ({
    label,
    flagged: find(flagged, label),
    expected: find(expected, label),
    audited: find(read, label),
    refuted: find(stances, label, "refuted"),
    question: labels?.find((term) => term.name === label)?.question,
    href: documentsOf({ label, estimator: "flagged", threshold: thresholds[label] }),
    expectedHref: documentsOf({ label, estimator: "expected" }),
    refutedHref: documentsOf({ label, estimator: "flagged", stance: "refuted", threshold: thresholds[label] }),
  }));
  const top = Math.max(...rows.flatMap((row) => [row.flagged.share, row.expected.share, row.audited?.high ?? 0]), 1e-12);
  return { cards: rows.map((row) => card(row, top, unit)), words: intervalWords(read) };
}

function card({ label, flagged, expected, audited, refuted, question, href, expectedHref, refutedHref }, top, unit) {
  return el("article", { class: "card", "data-label": label },
    el("h2", {}, LABELS[label]),
    el("p", { class: "big" }, percent((audited ?? flagged).share)),
    audited
      ? el("p", { class: "of" }, `95% interval ${percent(audited.low)} to ${percent(audited.high)} of ${unit}; ${number(audited.n_audited)} documents read`)
      : el("p", { class: "of" }, `${ofWhole(flagged.numerator, flagged.denominator, unit)} flagged`),
    el("div", { class: "pair" },
      audited ? meter("audited", audited.share, top, "bar", interval(audited, top)) : null,
      meter("flagged", flagged.share, top, audited ? "bar pale" : "bar"),
      meter("expected", expected.share, top, "bar pale", null, expectedHref)),
    el("p", { class: "beside" }, "Refuted, beside: ", refuted?.share ? el("a", { href: refutedHref, "aria-label": `${percent(refuted.share)}: documents that refute it` }, percent(refuted.share)) : "0%"),
    el("p", { class: "beside" }, el("a", { href }, `Flagged documents, ${LABELS[label].toLowerCase()}`)),
    question ? el("p", { class: "question" }, question) : null);
}

function meter(name, share, top, kind, over = null, href = null) {
  const bar = track(share, top, kind);
  if (over) bar.append(over);
  return el("div", { class: "meter" }, el("span", { class: "meter-name" }, name), bar, el("span", { class: "value" }, href ? el("a", { href, "aria-label": `${percent(share)} ${name}: the documents by their probability` }, percent(share)) : percent(share)));
}

function interval({ low, high }, top) {
  const whisker = el("span", { class: "whisker" });
  whisker.style.left = `${(100 * low) / top}%`;
  whisker.style.width = `${(100 * (high - low)) / top}%`;
  return whisker;
}

function intervalWords(read) {
  if (read.rows) {
    return [el("p", {}, el("strong", {}, "From documents that were read. "),
      "An interval of 95% says where the share of the whole corpus lies, by the documents that were drawn for audits and what readers said of them. ",
      el("a", { href: addressOf("audit") }, "Read more of them"), " to narrow it.")];
  }
  return [
    el("p", {}, el("strong", {}, "No interval until an audit. "),
      "No document of this corpus was read in an audit yet. “Flagged” counts what is at or over a label’s threshold, “expected” adds up the probabilities of all documents. The first is a census of what the models say and the second their sum: neither is a sample, so neither has an interval."),
    el("p", {}, el("a", { href: addressOf("audit") }, "Read some documents in the audit"),
      " and the shares here get an interval. Text that refutes an evil AI is shown beside the flagged share, not in it."),
  ];
}
