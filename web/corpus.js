// What the views know of the corpus beside the shares: names of the taxonomy, thresholds, sources, tokens.

import { ask } from "./service.js";

/** Return a function that asks once; a failure is asked again. */
function once(request) {
  let answer = null;
  return () => (answer ??= request().catch((error) => {
    answer = null;
    throw error;
  }));
}

/** Return whether any part of the corpus was scanned with token counts. */
export const hasTokens = once(async () => (await ask("/v1/scans")).scans.some((scan) => scan.tokens !== null));
export const taxonomy = once(() => ask("/v1/taxonomy"));

/** Return by label the probability from which a document is flagged. */
export const thresholds = once(async () => (await ask("/v1/prevalence")).thresholds);

/** Return the names of the sources, or of another group that documents are counted by. */
export const sources = once(async () => {
  const { rows } = await ask("/v1/prevalence", { by: "source", label: "ai_agent" });
  return rows.map((row) => row.group).filter((name) => name !== null).sort();
});
