// The policy as text: what can be weighed in it, and new weights written where they stand.

import { parseDocument } from "./vendor/yaml.js";

/**
 * Return the weights of a policy: `{path, name, part, weight, most, fixed}` each.
 *
 * `part` is the stage that a weight belongs to, `fixed` why it cannot be moved; null where it can. The
 * text itself is checked by the service: what cannot be read here has no weights.
 */
export function weightsOf(text) {
  const document = parseDocument(text);
  const policy = document.errors.length ? null : document.toJS();
  if (!Array.isArray(policy?.buckets)) return [];
  const found = policy.constraints?.length ? "found by the constraints" : null;
  const buckets = policy.buckets.map((bucket, i) => ({
    path: ["buckets", i, "weight"], name: String(bucket?.name ?? i), part: "", weight: bucket?.action === "drop" ? 0 : bucket?.weight ?? 1,
    most: bucket?.max_repetition ?? null, fixed: bucket?.action === "drop" ? "dropped" : found, where: bucket?.where ?? "",
  }));
  const stages = (policy.stages ?? []).flatMap((stage, i) => Object.entries(stage?.weights ?? {}).map(([name, weight]) => ({
    path: ["stages", i, "weights", name], name, part: `in the stage until ${stage.until}`, weight, most: null, fixed: null, where: "",
  })));
  return [...buckets, ...stages].filter(({ weight }) => typeof weight === "number");
}

/** Return the text with a weight written at its place; comments and layout stay. */
export function withWeight(text, path, weight) {
  const document = parseDocument(text);
  document.setIn(path, weight);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
