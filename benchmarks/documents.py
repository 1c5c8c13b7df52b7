"""Groups, bytes and documents read in part: what `coverage.py` measures by whole documents."""

from typing import Any

import numpy as np
from audits import audit, error
from populations import GROUPS, Corpus, Scenario, simulate

from narrascope.store.estimate import (
    Population,
    Sample,
    audited_share,
    audited_shares,
    simultaneous,
)


def draw_documents(
    rng: np.random.Generator, corpus: Corpus, budget: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (stratum, group, positive) of each document of one audit."""
    audited, _ = audit(rng, corpus, budget, 1)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for stratum, n in enumerate(audited[0]):
        bins = corpus.stratum == stratum
        hits = corpus.positive[bins].sum(0)
        colours = np.concatenate([hits, corpus.documents[bins].sum(0) - hits])
        drawn = rng.multivariate_hypergeometric(colours, int(n), method="marginals")
        colour = np.repeat(np.arange(2 * GROUPS), drawn)
        rows.append((np.full(len(colour), stratum), colour % GROUPS, colour < GROUPS))
    stratum, group, positive = (np.concatenate(column) for column in zip(*rows, strict=True))
    return stratum, group, positive


def groups(prevalence: float, budget: int, repeats: int, seed: int) -> dict[str, Any]:
    """Score the estimates of ten groups of domains, one by one and all at once."""
    corpus = simulate(Scenario(prevalence, 0.8, 0.95, 0.7, seed))
    rng = np.random.default_rng(seed)
    strata = int(corpus.stratum[-1]) + 1
    documents = np.stack(
        [np.bincount(corpus.stratum, corpus.documents[:, g], strata) for g in range(GROUPS)]
    )
    truth = corpus.positive.sum(0) / corpus.documents.sum(0)
    each, together, width = [], [], []
    for _ in range(repeats):
        stratum, group, positive = draw_documents(rng, corpus, budget)
        sample = Sample.of_documents(stratum, positive)
        for level, kept in ((0.95, each), (simultaneous(0.95, GROUPS), together)):
            found = audited_shares(documents, documents, sample, group, level=level)
            inside = [e.low <= t <= e.high for e, t in zip(found, truth, strict=True)]
            kept.append(inside)
            if level == 0.95:
                width.append([(e.high - e.low) / corpus.share for e in found])
    return {
        "prevalence": prevalence,
        "labels": budget,
        "seed": seed,
        "group_share_low": float(truth.min()),
        "group_share_high": float(truth.max()),
        "coverage_of_each": round(float(np.mean(each)), 4),
        "least_coverage_of_a_group": round(float(np.mean(each, axis=0).min()), 4),
        "coverage_of_all_at_once": round(float(np.mean(np.all(together, axis=1))), 4),
        "mean_width_over_share": round(float(np.mean(width)), 3),
    }


def sizes(prevalence: float, budget: int, repeats: int, seed: int) -> dict[str, Any]:
    """Score the share of bytes, where sizes are log-normal and positives twice as long.

    Also the share of documents where a third are read in part, each passage with probability 1/2,
    and a positive document bears one to three positive passages.
    """
    corpus = simulate(Scenario(prevalence, 0.8, 0.95, 0.7, seed))
    rng = np.random.default_rng(seed)
    documents, positive = (corpus.by_stratum(v) for v in (corpus.documents, corpus.positive))
    # Documents of a stratum in one row: positives first.
    long = [
        rng.lognormal(7, 1, n) * np.where(np.arange(n) < k, 2, 1)
        for n, k in zip(documents, positive, strict=True)
    ]
    size = np.array([s.sum() for s in long])
    truth = sum(s[:k].sum() for s, k in zip(long, positive, strict=True)) / size.sum()
    held, width, share, part, found = [], [], [], [], []
    for _ in range(repeats):
        audited, _ = audit(rng, corpus, budget, 1)
        rows = [
            rng.choice(len(s), n, replace=False, shuffle=False)
            for s, n in zip(long, audited[0], strict=True)
        ]
        stratum = np.repeat(np.arange(len(long)), audited[0])
        hit = np.concatenate([r < k for r, k in zip(rows, positive, strict=True)])
        own = np.concatenate([s[r] for s, r in zip(long, rows, strict=True)])
        sample = Sample(stratum, hit, own, np.ones(len(hit)))
        e = audited_share(Population(documents, size), sample)
        held.append(e.low <= truth <= e.high)
        width.append((e.high - e.low) / truth)
        share.append(e.share)
        read = np.where(rng.random(len(hit)) < 1 / 3, 0.5, 1.0)
        seen = hit & (rng.random(len(hit)) < 1 - (1 - read) ** rng.integers(1, 4, len(hit)))
        p = audited_share(
            Population.of_documents(documents), Sample.of_documents(stratum, seen, read)
        )
        part.append(p.low <= corpus.share <= p.high)
        found.append(p.share / corpus.share - 1)
    return {
        "prevalence": prevalence,
        "labels": budget,
        "seed": seed,
        "bytes": {
            "coverage": round(float(np.mean(held)), 4),
            "width": round(float(np.mean(width)), 3),
        }
        | error(np.array(share), truth),
        "read_in_part": {
            "coverage": round(float(np.mean(part)), 4),
            "bias": round(float(np.mean(found)), 4),
        },
    }
