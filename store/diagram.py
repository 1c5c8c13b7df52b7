"""The reliability diagram: what the model's probability promises against what readers found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..labels.taxonomy import LABELS


def draw_reliability(rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Draw the reliability rows of a report, a panel a label, as PNG and SVG.

    Each point is a bin of probability with its 95 % interval; on the diagonal the model is
    calibrated. Returns the files written.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError(
            "--plots needs matplotlib: install it with `pip install 'narrascope[plots]'`"
        ) from error
    matplotlib.rcParams["svg.hashsalt"] = "narrascope"
    figure = Figure(figsize=(9, 9), layout="constrained")
    for panel, label in zip(figure.subplots(2, 2).flat, LABELS, strict=True):
        read = [row for row in rows if row["label"] == label and row["n_audited"]]
        x = [row["mean_score"] for row in read]
        y = [row["share"] for row in read]
        bars = [
            [max(row["share"] - row["low"], 0.0) for row in read],
            [max(row["high"] - row["share"], 0.0) for row in read],
        ]
        panel.plot([0, 1], [0, 1], color="0.75", linewidth=1)
        panel.errorbar(x, y, yerr=bars, fmt="o", markersize=4, capsize=2, linewidth=1)
        for row, across, up in zip(read, x, y, strict=True):
            panel.annotate(
                f"{row['n_audited']:,}", (across, up), xytext=(4, -9),
                textcoords="offset points", fontsize=7, color="0.4",
            )  # fmt: skip
        panel.set(
            title=label, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03),
            xlabel="mean probability of the bin", ylabel="share that readers label",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"reliability.{ending}" for ending in ("png", "svg")]
    figure.savefig(files[0], dpi=150, metadata={"Software": None})
    figure.savefig(files[1], metadata={"Date": None})
    return files
