"""The heads: a logistic regression for each question, all over the same rows."""

from collections.abc import Collection, Sequence

import numpy as np
import scipy.sparse as sp

from ..labels.labelled import Example
from ..labels.taxonomy import BEHAVIOURS, GENRES, LABELS, STANCES

HEADS: tuple[tuple[str, str], ...] = (
    *(("label", name) for name in LABELS),
    *(("stance", name) for name in STANCES if name != "none"),
    *(("genre", name) for name in GENRES),
    *(("behaviour", name) for name in BEHAVIOURS),
)
"""What is asked of a passage, a logistic regression each, in the order of the columns."""

PLACES = {
    kind: [place for place, head in enumerate(HEADS) if head[0] == kind]
    for kind in ("label", "stance", "genre", "behaviour")
}

AUTHORED_WEIGHT = 0.3
"""Of passages without a source beside those with one: words chosen by one hand carry less far."""

SMALLEST = 10
"""Passages as which a source's answers weigh at least, lest one passage outweigh ten others."""

FEWEST_POSITIVES = 4
"""Positives below which a question gets its base rate for an answer."""


def answers(examples: Sequence[Example], kind: str, name: str) -> np.ndarray:
    """Return what the passages' labels answer to a head, as booleans."""
    if kind == "label":
        return np.array([getattr(example, name) for example in examples], dtype=bool)
    if kind == "behaviour":
        return np.array([name in example.behaviours for example in examples], dtype=bool)
    return np.array([getattr(example, kind) == name for example in examples], dtype=bool)


def trust(sources: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return what each passage weighs when an answer is learnt.

    The passages of a source that give one answer weigh, all together, the root of their number,
    so that the many positives of one source do not make its subject the meaning of a label. The
    mean is 1 over passages with a source; those without weigh `AUTHORED_WEIGHT`.

    Args:
        sources: each passage's source; empty where it was written for the purpose.
        truth: each passage's answer, a boolean.
    """
    named = sources != ""
    if not named.any():
        return np.ones(len(sources))
    _, group, sizes = np.unique(
        np.char.add(sources, np.where(truth, "+", "-")), return_inverse=True, return_counts=True
    )
    weights = 1 / np.sqrt(np.maximum(sizes[group], SMALLEST))
    weights /= weights[named].mean()
    weights[~named] = AUTHORED_WEIGHT
    return weights


def fit_heads(
    rows: sp.csr_matrix,
    examples: Sequence[Example],
    *,
    seed: int,
    kinds: Collection[str] = tuple(PLACES),
) -> np.ndarray:
    """Fit a logistic regression for each of `HEADS`, or for those of some kinds only.

    Stances are learnt from passages that have one. Returns an array (features + 1, heads) of
    float32, the intercepts in its last row; heads of other kinds are 0.
    """
    from sklearn.linear_model import LogisticRegression  # takes seconds, and a scan fits nothing

    features = rows.shape[1]  # pyright: ignore[reportOptionalSubscript]
    weights = np.zeros((features + 1, len(HEADS)), dtype=np.float32)
    portrayed = np.array([example.stance != "none" for example in examples])
    sources = np.array([example.source for example in examples])
    for place, (kind, name) in enumerate(HEADS):
        if kind not in kinds:
            continue
        chosen = portrayed if kind == "stance" else np.ones(len(examples), dtype=bool)
        truth = answers(examples, kind, name)[chosen]
        if min(truth.sum(), (~truth).sum()) < FEWEST_POSITIVES:
            rate = (truth.sum() + 1) / (len(truth) + 2)
            weights[-1, place] = np.log(rate / (1 - rate))
            continue
        # The dual problem is an order of magnitude faster where there are more terms than passages.
        # Stances and genres are weighed evenly: nine stances in ten are depicted or warned, and how
        # often a genre comes is another matter in each corpus.
        model = LogisticRegression(
            C=3.0,
            class_weight="balanced" if kind in ("stance", "genre") else None,
            solver="liblinear",
            dual=True,
            tol=1e-3,
            max_iter=5000,
            random_state=seed,
        ).fit(rows[chosen], truth, sample_weight=trust(sources[chosen], truth))
        weights[:-1, place] = model.coef_[0]
        weights[-1, place] = model.intercept_[0]
    return weights
