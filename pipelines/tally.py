"""What one part comes to: documents, bytes and tokens by bucket, as they are written."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..manifests.reweighed import Written
from .accounts import Account
from .parts import Part


class Tally:
    """Counts by bucket; each array has an entry for each piece of the partition.

    Attributes:
        rows: rows looked at, with or without a document.
        matched: documents that fall in the bucket.
        documents: documents written, copies counted; `bytes` and `tokens` likewise.
        has_tokens: whether any document had a token count.
        found: how many documents were each entry of the manifest's list.
        stale: documents whose marks refer to another text.
    """

    def __init__(self, pieces: int) -> None:
        self.rows = 0
        self.matched, self.documents, self.bytes, self.tokens = np.zeros((4, pieces), np.int64)
        self.has_tokens = False
        self.found: Counter[int] = Counter()
        self.stale = 0

    def see(self, rows: int, buckets: np.ndarray) -> None:
        """Count the rows and documents of a window."""
        self.rows += rows
        self.matched += np.bincount(buckets, minlength=len(self.matched))

    def find(self, entries: np.ndarray) -> None:
        """Count which entries of the manifest's list documents were; −1 is none."""
        self.found.update(entries[entries >= 0].tolist())

    def add(self, bucket: int, copies: np.ndarray, sizes: np.ndarray, tokens: pa.Array) -> None:
        """Count documents that were written into a bucket, with their texts' bytes."""
        self.documents[bucket] += copies.sum()
        self.bytes[bucket] += (sizes * copies).sum()
        if tokens.null_count < len(tokens):
            self.has_tokens = True
            self.tokens[bucket] += (tokens.fill_null(0).to_numpy() * copies).sum()

    def account(
        self, part: Part, names: tuple[str, ...], files: dict[int, list[Path]], out: Path
    ) -> Account:
        """Return the part's account, given the files of each bucket below `out`."""
        shard, first_row = part.key
        account = Account(
            part.shard.digest,
            found=dict(self.found),
            without_document=self.rows - int(self.matched.sum()),
            stale=self.stale,
        )
        for bucket in np.flatnonzero(self.matched).tolist():
            paths = [path.relative_to(out).as_posix() for path in files.get(bucket, [])]
            # A document that is alone has its copies in files of their own, as many in each: one.
            share = max(1, len(paths))
            for number, path in enumerate(paths or [None]):
                account.written.append(
                    Written(
                        shard=shard,
                        first_row=first_row,
                        end_row=first_row + self.rows,
                        bucket=names[bucket],
                        matched=0 if number else int(self.matched[bucket]),
                        documents=int(self.documents[bucket]) // share,
                        bytes=int(self.bytes[bucket]) // share,
                        tokens=int(self.tokens[bucket]) // share if self.has_tokens else None,
                        path=path,
                    )
                )
        return account
