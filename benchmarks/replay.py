"""Audits replayed on real passages whose labels are known: estimate against truth.

    python benchmarks/replay.py [--shared ../shared] [--draws 200] [--out benchmarks/replay.json]

Two populations are made of labelled passages alone, each a document: those of `train.jsonl` and the
shipped annotations, joined to the corpus. Passages are repeated, under other coordinates, until
there are 30,000 documents of which 0.3 % or 1 % are malevolent (depicted, warned or endorsed),
those that the gate misses among them as often as among all labelled ones. Most negatives are of the
kind that the gate passes over, as on the web.

Each is scanned for real. Then audits are drawn in two phases and answered from the known labels:
200 by the functions of design and estimation alone, every one with a control sample of its own; and
a few through everything that the command line runs, files included, as a check that both agree.
The models were trained on most of these passages, so that they look better here than they are;
whether intervals hold does not hang on that, their width does.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from narrascope.classifiers.cascade import load_cascade
from narrascope.classifiers.meta import default_thresholds
from narrascope.classifiers.passages import slices
from narrascope.labels.labelled import Example
from narrascope.pipelines.annotated import gather
from narrascope.pipelines.scan import CONTROL_ROWS, scan
from narrascope.store.audit_import import keep_records
from narrascope.store.audit_sample import sample_audit
from narrascope.store.catalogue import open_catalogue
from narrascope.store.design import allocate, planning_rates, score_edges, stratum_of
from narrascope.store.estimate import Population, Sample, audited_share
from narrascope.store.folder import TagFolder
from narrascope.store.labelling_file import labelling_rows
from narrascope.store.prevalence import prevalence

ROOT = Path(__file__).resolve().parents[1]
LABEL = "malevolent"
PREVALENCES = (0.003, 0.01)
BUDGETS = (1_000, 3_000)
LOOPS = 3
PILOT = 0.3
CANDIDATES = 0.05
"""The share of negatives that the gate lets by."""


def labelled_passages(shared: Path) -> list[Example]:
    """Return the labelled passages of which a document can be made."""
    return gather([shared / "labels" / "train.jsonl"], str(shared / "corpus")).passages


def positive(passage: Example) -> bool:
    """Whether a passage counts in the headline."""
    return passage.malevolent and passage.stance != "refuted"


def population(
    passages: Sequence[Example], prevalence: float, size: int, seed: int
) -> tuple[list[Example], int]:
    """Return the passage of each document in random order, and how many distinct ones there are."""
    generator = np.random.default_rng(seed)
    gate = load_cascade().gate
    texts = pa.array([passage.text for passage in passages], pa.large_string())
    passed = np.isin(np.arange(len(texts)), gate.find(texts).documents)
    yes = np.array([positive(passage) for passage in passages])
    count = round(size * prevalence)
    known = round((size - count) * CANDIDATES)
    chosen = np.concatenate(
        [
            generator.choice(np.flatnonzero(yes), count, replace=count > yes.sum()),
            generator.choice(np.flatnonzero(~yes & passed), known),
            generator.choice(np.flatnonzero(~yes & ~passed), size - count - known),
        ]
    )
    generator.shuffle(chosen)
    return [passages[i] for i in chosen.tolist()], len(set(chosen.tolist()))


def scan_population(documents: Sequence[Example], home: Path) -> TagFolder:
    """Write the documents as a corpus and scan it."""
    corpus = home / "corpus"
    corpus.mkdir()
    for shard in range(4):
        texts = [document.text for document in documents[shard::4]]
        pq.write_table(pa.table({"text": texts}), corpus / f"{shard}.parquet")
    scan(str(corpus), str(home / "tags"))
    return TagFolder(str(home / "tags"))


def replay(
    folder: TagFolder,
    connection: Any,
    documents: Sequence[Example],
    *,
    budget: int,
    seed: int,
) -> dict[str, Any]:
    """Draw an audit in two phases, answer it from the known labels, and return its estimate."""
    name = None
    pilot = round(budget * PILOT)
    for phase, size in (("pilot", pilot), ("main", budget - pilot)):
        audit = sample_audit(
            connection, folder, cut=slices, name=f"{phase}-{seed}", budget=size, label=LABEL,
            seed=seed, after=name,
        )  # fmt: skip
        rows = labelling_rows(audit, blind=True)
        for record in rows:
            shard, _, row = record["id"].partition("#")
            truth = documents[int(row) * 4 + int(shard.removesuffix(".parquet"))]
            record |= truth.model_dump(
                include={"ai_agent", "malevolent", "self_preserving", "benevolent", "stance",
                         "genre", "behaviours"}
            ) | {"annotator": "replay"}  # fmt: skip
        report = keep_records(folder, [("replay", row) for row in rows])
        if report.bad:
            raise SystemExit(f"a known label is not accepted: {report.bad[0]}")
        name = audit.design.name
    (row,) = prevalence(
        connection, label=LABEL, estimator="audited", folder=folder,
    )  # fmt: skip
    shutil.rmtree(Path(folder.root) / "audits")
    return row


class InMemory:
    """A scanned population as arrays: strata as an audit has them, and the truth of each document.

    At most `CONTROL_ROWS` documents of either control stratum can be read, as after a scan.
    """

    def __init__(self, connection: Any, documents: Sequence[Example]) -> None:
        rows = connection.execute("SELECT shard, row, malevolent FROM documents").fetchall()
        place = [int(row) * 4 + int(shard.removesuffix(".parquet")) for shard, row, _ in rows]
        scores = np.array([score for *_, score in rows], dtype=float)
        judged = ~np.isnan(scores)
        edges = score_edges(scores[judged])
        screen, gate = len(edges) + 1, len(edges) + 2
        self.stratum = np.full(len(documents), gate)
        self.stratum[place] = np.where(judged, stratum_of(np.nan_to_num(scores), edges), screen)
        self.truth = np.array([positive(document) for document in documents])
        self.size = np.bincount(self.stratum, minlength=gate + 1)
        self.missed = {
            name: int(self.truth[self.stratum == number].sum())
            for name, number in (("screen", screen), ("gate", gate))
        }
        self.available = self.size.copy()
        self.available[screen:] = np.minimum(self.size[screen:], CONTROL_ROWS)
        of = self.stratum[np.array(place)[judged]]
        sums = np.bincount(of, scores[judged], minlength=gate + 1)
        self.expected = np.where(np.arange(gate + 1) < screen, sums / self.size.clip(1), np.nan)

    def audit(self, *, budget: int, seed: int) -> dict[str, Any]:
        """Draw in two phases, look up the truth, and return the estimate."""
        order = np.random.default_rng(seed).permutation(len(self.truth))
        by_stratum = order[np.argsort(self.stratum[order], kind="stable")]
        rank = np.empty(len(order), dtype=np.int64)
        starts = np.cumsum(self.size) - self.size
        rank[by_stratum] = np.arange(len(order)) - starts[self.stratum[by_stratum]]
        read = found = np.zeros_like(self.size)
        pilot = round(budget * PILOT)
        for size, new in ((pilot, pilot), (budget, budget - pilot)):
            rates = planning_rates(self.size, self.expected, audited=read, positive=found)
            read = allocate(
                self.size, rates, budget=size, at_least=min(10, new // len(self.size)),
                available=self.available, audited=read,
            )  # fmt: skip
            drawn = rank < read[self.stratum]
            found = np.bincount(self.stratum[drawn & self.truth], minlength=len(read))
        sample = Sample.of_documents(self.stratum[drawn], self.truth[drawn])
        return asdict(audited_share(Population.of_documents(self.size), sample))


def summary(rows: Sequence[dict[str, Any]], truth: float) -> dict[str, float]:
    """Return coverage, mean width, bias and error of the estimates, relative to the truth."""
    share, low, high = (np.array([row[key] for row in rows]) for key in ("share", "low", "high"))
    return {
        "draws": len(rows),
        "coverage": round(float(np.mean((low <= truth) & (truth <= high))), 4),
        "mean_share": round(float(share.mean()), 6),
        "mean_low": round(float(low.mean()), 6),
        "mean_high": round(float(high.mean()), 6),
        "relative_bias": round(float(share.mean() / truth - 1), 4),
        "relative_rmse": round(float(np.sqrt(np.mean((share / truth - 1) ** 2))), 4),
    }


def main() -> None:
    """Replay, print a table, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "replay.json")
    arguments = parser.parse_args()
    passages = labelled_passages(arguments.shared)
    results = []
    for wanted in PREVALENCES:
        documents, distinct = population(passages, wanted, arguments.documents, arguments.seed)
        truth = float(np.mean([positive(document) for document in documents]))
        with tempfile.TemporaryDirectory() as home:
            folder = scan_population(documents, Path(home))
            with open_catalogue(folder) as connection:
                by_model = {
                    estimator: prevalence(
                        connection, label=LABEL, estimator=estimator,
                        thresholds=default_thresholds(),
                    )[0]["share"]
                    for estimator in ("flagged", "expected")
                }  # fmt: skip
                frame = InMemory(connection, documents)
                for budget in BUDGETS:
                    rows = [frame.audit(budget=budget, seed=n) for n in range(arguments.draws)]
                    whole = [
                        replay(folder, connection, documents, budget=budget, seed=seed)
                        for seed in range(LOOPS)
                    ]
                    simple = np.sqrt((1 - truth) / truth / budget * (1 - budget / len(documents)))
                    results.append(
                        {
                            "documents": len(documents), "distinct_texts": distinct,
                            "truth": round(truth, 6), "positives_missed": frame.missed,
                            "labels": budget,
                            "flagged": round(by_model["flagged"], 6),
                            "expected": round(by_model["expected"], 6),
                            **summary(rows, truth),
                            "relative_rmse_simple_random": round(float(simple), 4),
                            "whole_loop": [
                                [round(row[key], 6) for key in ("low", "share", "high")]
                                for row in whole
                            ],
                        }
                    )  # fmt: skip
                    print(json.dumps(results[-1]), flush=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
