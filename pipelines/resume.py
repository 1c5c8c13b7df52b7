"""What of a corpus is already in a tag folder, and whether the rest may be added to it."""

from dataclasses import dataclass, field
from typing import Any

from ..errors import TagsError
from ..store.folder import TagFolder
from ..store.receipts import read_receipts
from .parts import Corpus, Part

_MODELS = ("tagging_version", "taxonomy_digest", "lexicon_digest", "models_digest")


@dataclass(slots=True)
class Pending:
    """What is left to do, and what was found of earlier scans.

    `done` counts parts that have a receipt; `rewritten` are shards that changed since theirs and
    are read again.
    """

    parts: list[Part] = field(default_factory=list)
    done: int = 0
    rewritten: list[str] = field(default_factory=list)


def pending_parts(
    folder: TagFolder,
    corpus: Corpus,
    parts: list[Part],
    provenance: dict[str, Any],
    *,
    retry_failed: bool,
) -> Pending:
    """Compare a corpus's parts with a tag folder's receipts.

    Shards that were rewritten since their scan, or were only scanned in part, are withdrawn from
    the tag folder and are pending again. Parts that were set aside are not, unless they are to be
    retried or their shard was rewritten; the other parts of their shard are.

    Raises:
        TagsError: the folder was written by other models, or with other options.
    """
    receipts = read_receipts(folder).to_pylist()
    for receipt in receipts:
        _check(folder, receipt, provenance)
    current = {shard.name: shard.digest for shard in corpus.shards}
    pending = Pending()
    stale: set[str] = set()
    for receipt in receipts:
        name = receipt["shard"]
        if name in current and current[name] != receipt["input_digest"]:
            stale.add(name)
            if name not in pending.rewritten:
                pending.rewritten.append(name)
        elif receipt["partial"]:
            stale.add(name)
    for name in sorted(stale):
        folder.withdraw(name)
    done = {(r["shard"], r["first_row"]) for r in receipts if r["shard"] not in stale}
    failed: set[tuple[str, int]] = set()
    for failure in list(folder.failures()):
        same = current.get(failure["shard"]) == failure["input_digest"]
        if failure["parts"] and same and not retry_failed:
            failed |= {(bad["shard"], bad["first_row"]) for bad in failure["parts"]}
        elif failure["shard"] in current:
            folder.take_back(failure["shard"])
    for part in parts:
        if part.key in done:
            pending.done += 1
        elif part.key not in failed:
            pending.parts.append(part)
    return pending


def _check(folder: TagFolder, receipt: dict[str, Any], provenance: dict[str, Any]) -> None:
    for name in _MODELS:
        if receipt[name] != provenance[name]:
            raise TagsError(
                f"{folder.url} was written with {name} {receipt[name]}, and this is "
                f"{provenance[name]}: tags of two models do not add up; scan into another --tags "
                "folder, or use the models that wrote it"
            )
    for name in ("root", "options", "seed"):
        if receipt[name] != provenance[name]:
            raise TagsError(
                f"{folder.url} was scanned with {name} {receipt[name]}, and now it is "
                f"{provenance[name]}: give the same again, or scan into another --tags folder"
            )
