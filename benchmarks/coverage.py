"""How often the audited interval holds, how wide it is, and how far off the estimate.

    python benchmarks/coverage.py [--repeats 2000] [--out benchmarks/coverage.json]
    python benchmarks/coverage_report.py

Each cell draws audits of a simulated corpus (`populations.py`) over and over: a third of the labels
as a pilot, the rest as the pilot tells. It needs the extra [bench], and some ten minutes on one
core.
"""

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from audits import audit, error, hypergeometric, oracles, score
from documents import groups, sizes
from populations import DOCUMENTS, Corpus, Scenario, simulate
from rivals import OURS, STRATIFIED, prediction_powered, rogan_gladen

HERE = Path(__file__).resolve().parent
PREVALENCE = (0.0001, 0.001, 0.003, 0.01, 0.05)
LABELS = (300, 1000, 3000)
CLAIMED = [(p, n) for p in PREVALENCE[1:] for n in LABELS[1:]]
SCENARIOS = list(product((0.6, 0.8, 0.95), (0.95, 1.0), (-0.7, 0.7)))
STRESS = list(product((0.8,), (0.6, 0.8), (-0.7, 0.7)))
"""F1, gate recall and shift of the logits; under stress the gate misses far more."""
FIGURES = ("coverage", "above", "below", "width", "rmse", "bias")
"""What is written of each method; widths and errors over the true share."""


def unstratified(
    rng: np.random.Generator, corpus: Corpus, budget: int, repeats: int
) -> dict[str, Any]:
    """Score simple random sampling, PPI++ and Rogan-Gladen."""
    truth, total = corpus.share, int(corpus.documents.sum())
    documents, positive = corpus.documents.sum(1), corpus.positive.sum(1)
    colours = np.concatenate([positive, documents - positive])
    drawn = rng.multivariate_hypergeometric(colours, budget, size=repeats, method="marginals")
    hits = drawn[:, : len(positive)]
    audited = hits + drawn[:, len(positive) :]
    found = hits.sum(-1)
    results: dict[str, Any] = {}
    one = STRATIFIED["MOVER of Wilson"](
        np.array([total]), np.full((repeats, 1), budget), found[:, None]
    )
    results["simple random, Wilson"] = score(*one, truth) | error(found / budget, truth)
    probability = np.nan_to_num(corpus.score)
    for name, value in (("flag", corpus.flagged.astype(float)), ("probability", probability)):
        share, low, high = prediction_powered(value, documents, audited, hits)
        results[f"PPI++ on the {name}"] = score(low, high, truth) | error(share, truth)
    flagged = float(documents[corpus.flagged].sum() / total)
    sensitivity = positive[corpus.flagged].sum() / positive.sum()
    false = (documents - positive)[corpus.flagged].sum() / (total - positive.sum())
    for name, factors in (("", [1.0]), (", rates off by 2", [0.5, 2.0])):
        there = false * rng.choice(factors, repeats)
        se = rng.binomial(budget // 2, sensitivity, repeats) / (budget // 2)
        fp = rng.binomial(budget // 2, there) / (budget // 2)
        share, low, high = rogan_gladen(flagged, se, fp, budget)
        results[f"Rogan-Gladen{name}"] = score(low, high, truth) | error(share, truth)
    return results


def cell(
    corpus: Corpus, scenario: Scenario, budget: int, repeats: int, seed: int
) -> dict[str, Any]:
    """Run every method in one cell."""
    rng = np.random.default_rng(seed)
    truth = corpus.share
    documents, positive = (corpus.by_stratum(v) for v in (corpus.documents, corpus.positive))
    audited, hits = audit(rng, corpus, budget, repeats)
    share = (documents * hits / audited).sum(-1) / documents.sum()
    methods: dict[str, Any] = {}
    for name, interval in STRATIFIED.items():
        # Resampling costs the most and covers the least: a quarter of the repeats will do.
        kept = slice(0, repeats // 4 if name == "bootstrap" else repeats)
        methods[name] = score(*interval(documents, audited[kept], hits[kept]), truth)
    methods[OURS] |= error(share, truth)
    upper = STRATIFIED[OURS](documents, audited, hits)[1]
    oracle: dict[str, float] = {}
    neyman: dict[str, float] = {}
    claimed = (scenario.prevalence, budget) in CLAIMED and scenario.gate_recall >= 0.95
    for place, counts in enumerate(oracles(corpus, budget) if claimed else []):
        read = np.broadcast_to(counts, (200, len(counts)))
        found = hypergeometric(rng, documents, positive, read)
        for name, interval in STRATIFIED.items():
            if name == "bootstrap":
                continue
            width = score(*interval(documents, read, found), truth)["width"]
            if place == 0:
                neyman[name] = width
            oracle[name] = min(oracle.get(name, np.inf), width)
    methods |= unstratified(rng, corpus, budget, repeats)
    simple = float(np.sqrt((1 - truth) / truth / budget * (1 - budget / DOCUMENTS)))
    return {
        "prevalence": scenario.prevalence,
        "labels": budget,
        "f1": scenario.f1,
        "gate_recall": scenario.gate_recall,
        "shift": scenario.shift,
        "seed": seed,
        "population_seed": scenario.seed,
        "share": truth,
        "expected_over_share": round(
            float(np.nansum(corpus.expected * documents) / positive.sum()), 3
        ),
        "simple_random_rmse": round(simple, 4),
        "of_gate": round(float(audited[:, -1].mean()), 1),
        "methods": {m: [figures.get(f) for f in FIGURES] for m, figures in methods.items()},
        "mean_high": round(float(upper.mean() / truth), 3),
        "oracle_width": oracle,
        "neyman_oracle_width": neyman,
    }


def ppi_difference(seed: int) -> float:
    """Return how far our PPI++ is from `ppi_py` at most, over ten audits of a small corpus."""
    # numba, which ppi_py loads, looks for a package `coverage`: it must not find this file.
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != HERE]
    from ppi_py import ppi_mean_ci

    rng = np.random.default_rng(seed)
    values = np.array([0.0, 0.1, 0.6, 0.9])
    worst = 0.0
    for _ in range(10):
        unlabelled = rng.choice(4, 20_000, p=[0.9, 0.05, 0.03, 0.02])
        labelled = rng.choice(4, 1_000, p=[0.9, 0.05, 0.03, 0.02])
        truth = rng.random(1_000) < values[labelled]
        low, high = ppi_mean_ci(
            truth.astype(float), values[labelled], values[unlabelled], alpha=0.05
        )
        _, ours_low, ours_high = prediction_powered(
            values,
            np.bincount(unlabelled, minlength=4),
            np.bincount(labelled, minlength=4)[None],
            np.bincount(labelled, truth, 4)[None],
        )
        worst = max(worst, abs(low.item() - ours_low.item()), abs(high.item() - ours_high.item()))
    return worst


def main() -> None:
    """Run every cell, write the figures down, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=HERE / "coverage.json")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cells: list[dict[str, Any]] = []
    for place, (prevalence, (f1, recall, shift)) in enumerate(
        product(PREVALENCE, SCENARIOS + STRESS)
    ):
        if recall < 0.95 and prevalence == PREVALENCE[0]:
            continue
        scenario = Scenario(prevalence, f1, recall, shift, seed=1000 + place)
        corpus = simulate(scenario)
        for labels in LABELS:
            seed = 10_000 * labels + place
            cells.append(cell(corpus, scenario, labels, arguments.repeats, seed))
        print(f"{time.process_time():5.0f} s  {scenario}", flush=True)
    result = {
        "repeats": arguments.repeats,
        "groups": [groups(p, n, arguments.repeats // 10, 7) for p, n in CLAIMED],
        "sizes": [sizes(p, n, arguments.repeats // 10, 7) for p, n in CLAIMED],
        "ppi_py_differs_at_most": ppi_difference(7),
        "machine": f"{platform.machine()}, one core, {os.cpu_count()} present",
        "versions": {name: version(name) for name in ("numpy", "scipy", "ppi-python", "narrascope")}
        | {"python": platform.python_version()},
        "processor_seconds": round(time.process_time()),
        "figures": FIGURES,
    }
    write(arguments.out, result, cells)


def write(path: Path, result: dict[str, Any], cells: list[dict[str, Any]]) -> None:
    """Write the result as JSON, a line a cell."""
    head = json.dumps(result, indent=1).removesuffix("\n}")
    lines = ",\n".join(json.dumps(c) for c in cells)
    path.write_text(f'{head},\n "cells": [\n{lines}\n]\n}}\n')


if __name__ == "__main__":
    main()
