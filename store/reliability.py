"""How the model's probabilities hold on this corpus: bins of score, and a recalibration."""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from ..labels.taxonomy import PORTRAYALS, Label
from .audit_frame import judged_cells
from .audit_question import Question
from .audited import LEVEL
from .estimate import audited_shares, simultaneous
from .settled import NO, YES

BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Bounds of the diagram's bins, half-open but for the last."""

_FEWEST = 10


def reliability(
    connection: duckdb.DuckDBPyConnection, asked: Question, label: Label
) -> list[dict[str, Any]]:
    """Return a row for each bin of the label's probability: what it promises, and what was found.

    Rows have `low_score, high_score, documents, mean_score, n_audited, share, low, high`; all
    intervals hold at once with 95 %. A portrayal's probability counts refuted ones too, and `share`
    leaves them out, as the headline does.
    """
    inner = BINS[1:-1]
    number = " + ".join(f"({label} >= {bound})::INT" for bound in inner)
    cells = judged_cells(connection, asked.pooled.frame, number)
    means = dict(
        connection.execute(
            f"SELECT {number}, avg({label}) FROM documents WHERE ai_agent IS NOT NULL GROUP BY 1"  # noqa: S608
        ).fetchall()
    )
    bins = sorted(cells)
    if not bins:
        return []
    documents = np.stack([cells[b][:, 0] for b in bins]).astype(float)
    answer, scores = asked.pooled.settled.answer[label], _scores(asked, label)
    judged = ~np.isnan(scores)
    kept = judged & np.isin(answer, (YES, NO))
    place = {b: i for i, b in enumerate(bins)}
    of = np.array([place[int(b)] for b in np.searchsorted(inner, scores[kept], side="right")])
    found = audited_shares(
        documents, documents, asked.sample(answer == YES, kept, asked.pooled.settled.read[label]),
        of.astype(np.int64), level=simultaneous(LEVEL, len(bins)),
    )  # fmt: skip
    return [
        {
            "label": label, "low_score": BINS[b], "high_score": BINS[b + 1],
            "documents": int(documents[i].sum()), "mean_score": round(means[b], 4),
            "n_audited": e.n_audited, "share": e.share, "low": e.low, "high": e.high,
            "note": e.note,
        }
        for i, (b, e) in enumerate(zip(bins, found, strict=True))
    ]  # fmt: skip


@dataclass(frozen=True)
class Recalibration:
    """A logistic recalibration of a label's probability, from documents that were read.

    The probability p becomes expit(intercept + slope * logit(p)). `expected` and `recalibrated` are
    the sums over all documents with a verdict, before and after. What the gate and the screen let
    go is in neither.
    """

    label: str
    intercept: float
    slope: float
    n_audited: int
    expected: float
    recalibrated: float


def recalibrate(
    connection: duckdb.DuckDBPyConnection, asked: Question, label: Label
) -> Recalibration | None:
    """Fit the recalibration by weighted maximum likelihood; None with too little of either answer.

    Documents weigh the inverse of their inclusion probability (Cox 1958; Platt 1999; with survey
    weights, Binder 1983), with the ridge that scikit-learn has by default.
    """
    answer, scores = asked.pooled.settled.answer[label], _scores(asked, label)
    kept = ~np.isnan(scores) & np.isin(answer, (YES, NO))
    positive = answer[kept] == YES
    if min(positive.sum(), (~positive).sum()) < _FEWEST:
        return None
    stratum = asked.pooled.stratum[kept]
    counts = np.bincount(stratum, minlength=len(asked.pooled.frame.names))
    weight = (asked.population.documents / np.maximum(counts, 1))[stratum]
    model = LogisticRegression().fit(
        _logit(scores[kept])[:, None], positive, sample_weight=weight * len(weight) / weight.sum()
    )
    apart = f"AND {label}_stance IS DISTINCT FROM 'refuted'" if label in PORTRAYALS else ""
    values = connection.execute(
        f"SELECT {label}, count(*) FROM documents WHERE ai_agent IS NOT NULL {apart} GROUP BY 1"  # noqa: S608
    ).fetchnumpy()
    p, documents = (np.asarray(values[name], float) for name in (label, "count_star()"))
    after = model.predict_proba(_logit(p)[:, None])[:, 1] if len(p) else p
    return Recalibration(
        label, float(model.intercept_[0]), float(model.coef_[0, 0]), int(kept.sum()),
        float((p * documents).sum()), float((after * documents).sum()),
    )  # fmt: skip


def recalibrated(p: np.ndarray, fit: Recalibration) -> np.ndarray:
    """Return recalibrated probabilities."""
    return expit(fit.intercept + fit.slope * _logit(p))


def _logit(p: np.ndarray) -> np.ndarray:
    return logit(np.clip(p, 1e-4, 1 - 1e-4))


def _scores(asked: Question, label: Label) -> np.ndarray:
    """Return the model's probability of each sampled document, NaN where it gave no verdict."""
    return np.array(asked.pooled.sample[label].to_pylist(), dtype=np.float64)
