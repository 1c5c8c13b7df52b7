"""Simulated corpora for `coverage.py`: what a gate, a screen and a classifier would make of them.

Documents come from domains of very unequal size, some of which speak of the subject far more than
others; the classifier's scores are shifted domain by domain, and its calibration was made
elsewhere, so that the sum of its probabilities is off by up to a factor of two.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from narrascope.store import design

DOCUMENTS = 2_000_000
DOMAINS = 300
GROUPS = 10
GATED = 0.03
"""The share of negatives in which the gate finds a term."""
SCREEN_PASSES = 0.4
"""The share of negative candidates that the screen lets by."""
SCREEN_RECALL = 0.97
CONTROL_ROWS = 2_000
"""How many rows a scan draws of each control stratum by default."""


@dataclass(frozen=True)
class Scenario:
    """What differs between populations; `shift` is added to the logit of every probability."""

    prevalence: float
    f1: float
    gate_recall: float
    shift: float
    seed: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """A population by cells finer than strata.

    `documents`, `positive` (B, G): counts of each bin of the score and group of domains; the last
    two bins are the candidates that the screen stopped and what the gate passed over. `score` (B,):
    the mean probability of the bin, NaN for these two.
    """

    documents: np.ndarray
    positive: np.ndarray
    score: np.ndarray
    flagged: np.ndarray
    stratum: np.ndarray

    @property
    def share(self) -> float:
        """The truth."""
        return float(self.positive.sum() / self.documents.sum())

    def by_stratum(self, values: np.ndarray) -> np.ndarray:
        """Add up bins, and groups where there are any, to strata."""
        values = values.sum(1) if values.ndim > 1 else values
        return np.bincount(self.stratum, values).astype(np.int64)

    @property
    def expected(self) -> np.ndarray:
        """The mean probability of each stratum, NaN for the control strata."""
        documents = self.documents.sum(1)
        total = np.bincount(self.stratum, np.nan_to_num(self.score) * documents)
        expected = total / self.by_stratum(documents)
        expected[-2:] = np.nan
        return expected

    @property
    def available(self) -> np.ndarray:
        """How many documents of each stratum can be read."""
        available = self.by_stratum(self.documents)
        available[-2:] = np.minimum(available[-2:], CONTROL_ROWS)
        return available


def _separation(f1: float, positives: float, negatives: float) -> float:
    """Return how far apart two normal scores of unit variance lie that give this best F1."""
    threshold = np.linspace(-6, 14, 800)
    low, high = 0.0, 14.0
    for _ in range(50):
        middle = (low + high) / 2
        hits = positives * stats.norm.sf(threshold - middle)
        flagged = hits + negatives * stats.norm.sf(threshold)
        below = np.max(2 * hits / (flagged + positives)) < f1
        low, high = (middle, high) if below else (low, middle)
    return low


def simulate(scenario: Scenario) -> Corpus:
    """Return the population of a scenario; its F1 is that among the documents with a verdict."""
    rng = np.random.default_rng(scenario.seed)
    sizes = rng.lognormal(0, 1.5, DOMAINS)
    documents = rng.multinomial(DOCUMENTS, sizes / sizes.sum())
    rate = rng.gamma(0.5, 2, DOMAINS)
    rate = np.minimum(rate * scenario.prevalence * documents.sum() / (rate @ documents), 0.5)
    positive = rng.binomial(documents, rate)
    negative = documents - positive
    gated = rng.binomial(positive, scenario.gate_recall)
    scored = rng.binomial(gated, SCREEN_RECALL)
    gated_negative = rng.binomial(negative, np.clip(GATED * rng.gamma(2, 0.5, DOMAINS), 0, 0.5))
    scored_negative = rng.binomial(gated_negative, SCREEN_PASSES)
    apart = _separation(scenario.f1, scored.sum(), scored_negative.sum())
    shift = rng.normal(0, 0.3, DOMAINS)
    odds = np.log(scored.sum() / scored_negative.sum())

    def probabilities(counts: np.ndarray, mean: float) -> tuple[np.ndarray, np.ndarray]:
        domain = np.repeat(np.arange(DOMAINS), counts)
        z = rng.normal(mean, 1, len(domain)) + shift[domain]
        logit = 0.8 * (apart * z - apart**2 / 2) + odds + scenario.shift
        return domain, np.round(special.expit(np.clip(logit, -9, 9)), 4)

    domain, score = probabilities(scored, apart)
    domain_negative, score_negative = probabilities(scored_negative, 0.0)
    everything = np.concatenate([score, score_negative])
    edges = design.score_edges(everything)
    cuts = np.union1d(edges, [0.5])
    # Domains fall into groups at random, as into sources.
    group = rng.integers(0, GROUPS, DOMAINS)

    def bins(scores: np.ndarray, domains: np.ndarray) -> np.ndarray:
        cell = design.stratum_of(scores, cuts) * GROUPS + group[domains]
        return np.bincount(cell, minlength=(len(cuts) + 1) * GROUPS).reshape(-1, GROUPS)

    def grouped(counts: np.ndarray) -> np.ndarray:
        return np.bincount(group, counts, minlength=GROUPS).astype(np.int64)[None]

    hits = np.concatenate([bins(score, domain), grouped(gated - scored), grouped(positive - gated)])
    misses = np.concatenate(
        [
            bins(score_negative, domain_negative),
            grouped(gated_negative - scored_negative),
            grouped(negative - gated_negative),
        ]
    )
    of = design.stratum_of(everything, cuts)
    total = np.bincount(of, everything, minlength=len(cuts) + 1)
    mean = total / np.maximum(np.bincount(of, minlength=len(cuts) + 1), 1)
    starts = np.concatenate([[0.0], cuts])
    stratum = np.searchsorted(edges, starts, side="right")
    last = stratum[-1]
    return Corpus(
        documents=hits + misses,
        positive=hits,
        score=np.concatenate([mean, [np.nan, np.nan]]),
        flagged=np.concatenate([starts >= 0.5, [False, False]]),
        stratum=np.concatenate([stratum, [last + 1, last + 2]]),
    )
