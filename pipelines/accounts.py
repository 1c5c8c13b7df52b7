"""What each part came to: one file a part, written when its shards are there, so that a part with
an account is done.

::

    OUT/.reweigh/options.json              what was asked for
    OUT/.reweigh/parts/<shard>/<row>.json  a part's account
    OUT/.reweigh/logs, OUT/.reweigh/lease  what tells of the run, and who holds the folder
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ..manifests.reweighed import Written
from .parts import Part

FOLDER = ".reweigh"


@dataclass(slots=True)
class Account:
    """What became of one part.

    Attributes:
        input_digest: the shard's when it was read.
        written: what the part gave to each bucket.
        found: how many of the part's documents were each entry of the manifest's list, by ordinal,
            where documents are found by doc_id or text_hash.
        without_document: lines that hold no document, which were left out.
        stale: documents that were to be marked and hold another text than when they were scanned,
            which were left as they are.
    """

    input_digest: str
    written: list[Written] = field(default_factory=list)
    found: dict[int, int] = field(default_factory=dict)
    without_document: int = 0
    stale: int = 0


def account_path(out: Path, part: Part) -> Path:
    """Return where a part's account goes."""
    return out / FOLDER / "parts" / part.shard.name / f"{part.first_row}.json"


def write_account(out: Path, part: Part, account: Account) -> None:
    """Write a part's account, seen whole or not at all."""
    path = account_path(out, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "input_digest": account.input_digest,
        "written": [entry.model_dump(mode="json") for entry in account.written],
        "found": list(account.found.items()),
        "without_document": account.without_document,
        "stale": account.stale,
    }
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_bytes(orjson.dumps(document))
    aside.replace(path)


def read_account(out: Path, part: Part) -> Account | None:
    """Return a part's account, or None where it is not done, or its shard was rewritten since."""
    try:
        document = orjson.loads(account_path(out, part).read_bytes())
    except FileNotFoundError:
        return None
    if document["input_digest"] != part.shard.digest:
        return None
    document["written"] = [Written.model_validate(entry) for entry in document["written"]]
    document["found"] = dict(document["found"])
    return Account(**document)


def is_done(out: Path, part: Part) -> bool:
    """Whether a part is done."""
    return read_account(out, part) is not None
