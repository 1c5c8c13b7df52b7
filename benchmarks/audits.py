"""Simulated audits for `coverage.py`: how they are drawn, and how their intervals are scored.

A simple random sample within a stratum depends on the counts of the stratum alone, so that counts
are drawn, not documents.
"""

import functools
from itertools import product

import numpy as np
from populations import Corpus

from narrascope.store import design


def hypergeometric(
    rng: np.random.Generator, documents: np.ndarray, positive: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """Return how many of `drawn` (R, H) documents are positive."""
    return rng.hypergeometric(positive, documents - positive, drawn)


def audit(
    rng: np.random.Generator, corpus: Corpus, budget: int, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (audited, positive), each (R, H), of audits as the command line draws them."""
    documents, positive = (corpus.by_stratum(v) for v in (corpus.documents, corpus.positive))
    plan = functools.partial(design.planning_rates, documents, corpus.expected)
    allocate = functools.partial(design.allocate, documents, available=corpus.available)
    pilot = np.broadcast_to(allocate(plan(), budget=budget // 3), (repeats, len(documents)))
    hits = hypergeometric(rng, documents, positive, pilot)
    audited = allocate(plan(audited=pilot, positive=hits), budget=budget, audited=pilot)
    more = hypergeometric(rng, documents - pilot, positive - hits, audited - pilot)
    return audited, hits + more


def oracles(corpus: Corpus, budget: int) -> list[np.ndarray]:
    """Return allocations by the true rates: Neyman's, and with more for the control strata.

    Neyman's own reads almost nothing where the true rate is 0, and then no interval is narrow; so
    the oracle may also give the gate's stratum any share of the labels.
    """
    documents, positive = (corpus.by_stratum(v) for v in (corpus.documents, corpus.positive))
    rates = np.clip(positive / documents, 1e-9, 1 - 1e-9)
    neyman = design.allocate(documents, rates, budget=budget, available=corpus.available)
    found = [neyman]
    for share, floor in product((0.5, 0.6, 0.7, 0.8, 0.9), (1e-9, 0.003)):
        safe = rates.copy()
        safe[-2] = max(safe[-2], floor)
        of_gate = min(int(share * budget), int(corpus.available[-1]))
        rest = design.allocate(
            documents[:-1], safe[:-1], budget=budget - of_gate, available=corpus.available[:-1]
        )
        found.append(np.append(rest, of_gate))
    return found


def score(low: np.ndarray, high: np.ndarray, truth: float) -> dict[str, float]:
    """Return coverage, how often the truth lay outside on each side, and the mean width."""
    return {
        "coverage": round(float(((low <= truth) & (truth <= high)).mean()), 4),
        "above": round(float((truth < low).mean()), 4),
        "below": round(float((high < truth).mean()), 4),
        "width": round(float((np.minimum(high, 1) - np.maximum(low, 0)).mean() / truth), 4),
    }


def error(share: np.ndarray, truth: float) -> dict[str, float]:
    """Return root mean squared error and bias, both relative to the truth."""
    return {
        "rmse": round(float(np.sqrt(((share - truth) ** 2).mean()) / truth), 4),
        "bias": round(float(share.mean() / truth - 1), 4),
    }
