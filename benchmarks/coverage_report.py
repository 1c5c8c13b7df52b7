"""What `coverage.json` says: tables in Markdown, and a plot.

    python benchmarks/coverage_report.py [coverage.json] [--plot benchmarks/coverage.svg]

The oracle of a cell is the narrowest mean width that a covering interval reaches there under any of
the allocations by the true rates. An interval covers where it reaches the goal in every claimed
cell, whatever the gate's recall (0.6 to 1): a reader does not know it, it is what an audit is to
find out. For comparison a second column asks for coverage only where the recall is at least 0.95.
"""

import argparse
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OURS = "profile likelihood + 1/4"
COVERAGE, WIDTH, RMSE = 0.93, 1.3, 0.10
"""The goals; the last at 0.3 % with 3,000 labels and a gate that misses nothing."""
SHOWN = (
    OURS,
    "MOVER of Jeffreys",
    "mid-p gamma",
    "Bayes, Jeffreys",
    "bootstrap",
    "simple random, Wilson",
    "PPI++ on the probability",
    "Rogan-Gladen",
)


def figure(cell: dict[str, Any], method: str, place: int) -> float:
    """Return coverage (0), how often the truth lay above or below (2, 1), width (3), RMSE (4)."""
    return cell["methods"][method][place]


def claimed(cells: list[dict[str, Any]], *, stress: bool = False) -> list[dict[str, Any]]:
    """Return the cells of the claim: normal ones, or those whose gate misses far more."""
    return [
        c
        for c in cells
        if c["prevalence"] >= 0.001 and c["labels"] >= 1000 and (c["gate_recall"] < 0.95) == stress
    ]


def methods(cells: list[dict[str, Any]]) -> list[str]:
    """Return a row for each method: least and mean coverage, and mean width."""
    usual, hard = claimed(cells), claimed(cells, stress=True)
    rows = ["| | least coverage | mean | least under stress | mean width | mean RMSE |"]
    rows.append("|---|---|---|---|---|---|")
    for name in usual[0]["methods"]:
        covered, width, error = ([figure(c, name, k) for c in usual] for k in (0, 3, 4))
        errors = [e for e in error if e is not None]
        rows.append(
            f"| {name} | {min(covered):.3f} | {sum(covered) / len(covered):.3f} "
            f"| {min(figure(c, name, 0) for c in hard):.3f} | {sum(width) / len(width):.2f} "
            f"| {f'{sum(errors) / len(errors):.2f}' if errors else ''} |"
        )
    return rows


def goals(cells: list[dict[str, Any]]) -> list[str]:
    """Return a row for each claimed cell: the worst of its scenarios, and what is missed."""
    usual = claimed(cells)
    everywhere, usually = (
        [n for n in usual[0]["oracle_width"] if min(figure(c, n, 0) for c in asked) >= COVERAGE]
        for asked in (usual + claimed(cells, stress=True), usual)
    )
    rows = [
        f"Covering at every recall of the gate: {', '.join(everywhere)}.",
        f"Covering where it is at least 0.95: {', '.join(usually)}.",
        "",
        "| prevalence | labels | coverage, least | width over the share | over the oracle's, most "
        "| (oracle that relies on the gate) | RMSE, most | of simple random | goals |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for prevalence, labels in sorted({(c["prevalence"], c["labels"]) for c in usual}):
        own = [c for c in usual if (c["prevalence"], c["labels"]) == (prevalence, labels)]
        covered = min(figure(c, OURS, 0) for c in own)
        width = [figure(c, OURS, 3) for c in own]
        ratio, relying = (
            max(figure(c, OURS, 3) / min(c["oracle_width"][n] for n in names) for c in own)
            for names in (everywhere, usually)
        )
        error = max(figure(c, OURS, 4) for c in own)
        missed = [] if covered >= COVERAGE else ["coverage"]
        missed += [] if relying <= WIDTH else ["width"]
        missed += (
            []
            if all(figure(c, OURS, 4) <= c["simple_random_rmse"] for c in own)
            else ["RMSE above simple random's"]
        )
        if (prevalence, labels) == (0.003, 3000):
            full = max(figure(c, OURS, 4) for c in own if c["gate_recall"] == 1)
            missed += [] if full <= RMSE else ["RMSE of 10 %"]
        rows.append(
            f"| {prevalence:.1%} | {labels:,} | {covered:.3f} | {min(width):.2f}–{max(width):.2f} "
            f"| {ratio:.2f} | {relying:.2f} | {error:.1%} | {own[0]['simple_random_rmse']:.1%} "
            f"| {'missed: ' + ', '.join(missed) if missed else 'met'} |"
        )
    return rows


def bounds(cells: list[dict[str, Any]]) -> list[str]:
    """Return a row for each cell of which only an upper bound is claimed."""
    rows = [
        "| prevalence | labels | truth within `high`, least | mean `high` over the truth | RMSE |",
        "|---|---|---|---|---|",
    ]
    few = [c for c in cells if c["prevalence"] < 0.001 or c["labels"] < 1000]
    few = [c for c in few if c["gate_recall"] >= 0.95]
    for prevalence, labels in sorted({(c["prevalence"], c["labels"]) for c in few}):
        own = [c for c in few if (c["prevalence"], c["labels"]) == (prevalence, labels)]
        high = [c["mean_high"] for c in own]
        error = [figure(c, OURS, 4) for c in own]
        rows.append(
            f"| {prevalence:.2%} | {labels:,} | {1 - max(figure(c, OURS, 2) for c in own):.3f} "
            f"| {min(high):.1f}–{max(high):.1f} | {min(error):.0%}–{max(error):.0%} |"
        )
    return rows


def plot(cells: list[dict[str, Any]], path: Path) -> None:
    """Draw the least coverage and the mean width of some methods over prevalence."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "narrascope"
    from matplotlib import pyplot

    usual = claimed(cells)
    figures, axes = pyplot.subplots(2, 2, figsize=(9, 6), sharex=True)
    for column, labels in enumerate((1000, 3000)):
        for name in SHOWN:
            shares = sorted({c["prevalence"] for c in usual})
            own = [
                [c for c in usual if c["labels"] == labels and c["prevalence"] == p] for p in shares
            ]
            least = [min(figure(c, name, 0) for c in cs) for cs in own]
            width = [sum(figure(c, name, 3) for c in cs) / len(cs) for cs in own]
            style = {"color": "black", "linewidth": 2.5} if name == OURS else {"linewidth": 1}
            axes[0][column].plot(shares, least, marker="o", markersize=3, label=name, **style)
            axes[1][column].plot(shares, width, marker="o", markersize=3, **style)
        axes[0][column].axhline(0.95, color="grey", linestyle=":", linewidth=1)
        axes[0][column].set(title=f"{labels:,} labels", ylim=(0, 1.02))
        axes[1][column].set(xscale="log", yscale="log", xlabel="prevalence")
        axes[1][column].set_xticks(shares, [f"{p:.1%}" for p in shares])
    axes[0][0].set_ylabel("coverage, least of 12 scenarios")
    axes[1][0].set_ylabel("width over the true share")
    figures.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8)
    figures.tight_layout(rect=(0, 0.09, 1, 1))
    figures.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def main() -> None:
    """Print the tables and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", nargs="?", type=Path, default=HERE / "coverage.json")
    parser.add_argument("--plot", type=Path, default=HERE / "coverage.svg")
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text())
    cells = result["cells"]
    for rows in (goals(cells), methods(cells), bounds(cells)):
        print("\n".join(rows), end="\n\n")
    for name in ("groups", "sizes"):
        for row in result[name]:
            print(row)
    plot(cells, arguments.plot)


if __name__ == "__main__":
    main()
