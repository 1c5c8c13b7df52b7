"""Making an audit: its documents drawn, their texts gathered, and both kept in the tag folder."""

from collections.abc import Callable, Sequence

import duckdb

from .audit_draw import draw_audit
from .audit_items import Cut, read_items
from .audit_name import held_name
from .audit_text import kept_texts
from .audits import Audit, Key, keep_audit
from .folder import TagFolder

Texts = Callable[[dict[Key, int]], dict[Key, str]]
"""Asked for documents, by shard and row with the hash of their text; returns what it can read."""


def sample_audit(
    connection: duckdb.DuckDBPyConnection,
    folder: TagFolder,
    *,
    cut: Cut,
    texts: Texts | None = None,
    name: str | None = None,
    holder: str | None = None,
    label: str | None = None,
    budget: int = 1000,
    strata: int = 8,
    seed: int = 0,
    after: str | None = None,
    annotators: Sequence[str] = (),
    double: float = 0.0,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Audit:
    """Draw an audit and keep it in the tag folder.

    Args:
        connection: the catalogue of the folder.
        folder: the tag folder.
        cut: cuts text into passages; `classifiers.passages.slices`.
        texts: reads documents with a verdict from the corpus; without it, and where it returns
            nothing, they are read as far as the tags keep them. Control rows are in the tags.
        name: the audit's name; by default `audit-1`, `audit-2`, ….
        holder: see `held_name`, as for name.
        label: see `draw_audit`, as for budget, strata, seed and after.
        budget: documents to draw.
        strata: strata of score at most.
        seed: of every draw.
        after: the audit to go on from.
        annotators: see `read_items`, as for double.
        double: share of items that two annotators read.
        progress: told of how many of all drawn documents the texts are read, and that all are
            before the audit is kept; what it raises keeps it from being there.

    Raises:
        SettingsError: an argument cannot be used.
        TagsError: nothing can be drawn or read, or the folder cannot be written.
    """
    with held_name(folder, name, holder=holder) as held:
        design, sample = draw_audit(
            connection, folder, name=held, budget=budget, label=label, strata=strata, seed=seed,
            after=after,
        )  # fmt: skip
        keys = list(zip(sample["shard"].to_pylist(), sample["row"].to_pylist(), strict=True))
        kept = kept_texts(folder, keys, progress=progress)
        hashes = zip(keys, sample["text_hash"].to_pylist(), strict=True)
        found = texts({key: h for key, h in hashes if kept[key].text is None}) if texts else {}
        if found:
            design = design.model_copy(update={"text": "corpus"})
        sample, items = read_items(
            sample, kept, found, cut=cut, seed=seed, annotators=annotators, double=double
        )
        progress(len(keys), len(keys))
        return keep_audit(folder, design, sample, items)
