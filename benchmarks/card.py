"""Write the tables of the model card from `classifiers/models/evaluation.json`.

python benchmarks/card.py          write them between the card's markers
python benchmarks/card.py --check  exit 1 where the card has other tables
"""

import json
import sys
from pathlib import Path
from typing import Any

MODELS = Path(__file__).resolve().parents[1] / "classifiers" / "models"
BEGIN, END = "<!-- tables of evaluation.json: begin -->", "<!-- tables of evaluation.json: end -->"
LABELS = ("ai_agent", "malevolent", "self_preserving", "benevolent")
MODEL_NAMES = {
    "keywords": "keyword look-up", "fasttext": "fastText alone", "tfidf": "TF-IDF, words alone",
    "verdict": "verdict", "judge": "verdict and judge", "cascade": "end to end",
}  # fmt: skip

Row = dict[str, Any]


def _find(rows: list[Row], **wanted: str) -> Row | None:
    return next((r for r in rows if all(r.get(k) == v for k, v in wanted.items())), None)


def _number(row: Row | None, name: str) -> str:
    return f"{row[name]:.3f}" if row and name in row else ""


def _table(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])


def _labels(rows: list[Row], split: str) -> str:
    lines: list[list[str]] = []
    for model, name in MODEL_NAMES.items():
        for label in LABELS:
            row = _find(rows, split=split, held_out="all", model=model, question=label)
            if row is None:
                continue
            low, high = row["average_precision_low"], row["average_precision_high"]
            lines.append(
                [name, f"`{label}`", f"{row['average_precision']:.3f}", f"{low:.3f}–{high:.3f}",
                 *(_number(row, f) for f in ("f1", "precision_at_recall_0.5",
                   "precision_at_recall_0.9", "calibration_error", "brier"))]
            )  # fmt: skip
    return _table(
        ["model", "label", "AP", "95 %", "F1", "P at R 0.5", "P at R 0.9", "ECE", "Brier"], lines
    )


def _held_out(rows: list[Row], split: str, model: str) -> str:
    parts = sorted({r["held_out"] for r in rows if r.get("split") == split} - {"all"})
    lines: list[list[str]] = []
    for part in parts:
        found = [_find(rows, split=split, held_out=part, model=model, question=q) for q in LABELS]
        if any(found):
            cells = [f"{r['average_precision']:.2f} ({r['positives']})" if r else "" for r in found]
            lines.append([part, *cells])
    return _table([split, *(f"`{label}`" for label in LABELS)], lines)


def _ablations(rows: list[Row]) -> str:
    models = [
        r["model"] for r in rows if r.get("split") == "sources" and r["question"] == LABELS[0]
    ]
    lines = []
    for model in dict.fromkeys(models):
        found = [
            _find(rows, split="sources", held_out="all", model=model, question=q) for q in LABELS
        ]
        lines.append([model, *(_number(r, "average_precision") for r in found)])
    return _table(["model", *(f"`{label}`" for label in LABELS)], lines)


def _others(rows: list[Row]) -> str:
    lines = []
    for split in ("work", "source"):
        for model in ("verdict", "judge"):
            found = {
                q: _find(rows, split=split, held_out="all", model=model, question=q)
                for q in ("stance", "genre", "behaviours")
            }
            if found["stance"] is None:
                continue
            lines.append(
                [split, MODEL_NAMES[model], _number(found["stance"], "f1"),
                 _number(found["stance"], "f1_with_none"), _number(found["genre"], "f1"),
                 _number(found["behaviours"], "f1")]
            )  # fmt: skip
    return _table(
        ["held out by", "model", "stance", "stance with `none`", "genre", "behaviours (micro)"],
        lines,
    )


def _first(rows: list[Row]) -> str:
    lines = []
    for split in ("work", "source"):
        for model in ("gate", "screen"):
            found = [_find(rows, split=split, model=model, question=q) for q in LABELS]
            if all(found):
                lines.append(
                    [split, model, *(_number(r, "recall") for r in found),
                     _number(found[0], "passes_on")]
                )  # fmt: skip
    return _table(["held out by", "stage", *(f"`{label}`" for label in LABELS), "passes on"], lines)


def tables(rows: list[Row]) -> str:
    """Return all tables of the card as Markdown."""
    judged = _find(rows, split="source", model="judge")
    best = "judge" if judged else "verdict"
    sections = [
        ("Sources never seen, each held out in turn", _labels(rows, "source")),
        ("Works never seen, of known sources: five folds", _labels(rows, "work")),
        (f"AP by held-out source ({MODEL_NAMES[best]}; positives in brackets; at least ten)",
         _held_out(rows, "source", best)),
        ("AP by held-out genre (verdict; the judge had seen the genre in other sources)",
         _held_out(rows, "genre", "verdict")),
        ("AP in five folds of sources, each part of the representation left out", _ablations(rows)),
        ("Macro F1 of stance and genre, micro F1 of behaviours", _others(rows)),
        ("Recall of gate and screen, and the share that passes on", _first(rows)),
    ]  # fmt: skip
    return "\n\n".join(f"**{title}**\n\n{table}" for title, table in sections)


def main() -> int:
    """Write or check the card's tables; returns the exit status."""
    rows = json.loads((MODELS / "evaluation.json").read_text("utf-8"))
    card = MODELS / "CARD.md"
    text = card.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    written = f"{before}{BEGIN}\n{tables(rows)}\n{END}{after}"
    if "--check" in sys.argv:
        return int(written != text)
    card.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
