"""One shard of a bucket to tokens: what a worker does, and the account that it leaves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import xxhash
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..manifests.megatron import HELD_OUT
from ..manifests.mixture import Mixture
from ..manifests.texts import read_texts
from ..manifests.tokenised import TOKENS_FOLDER, TokenFormat
from .masked_tokens import SPANS, Counts, MaskedDocumentTokenizer, MaskedMegatronTokenizer

ACCOUNTS = ".accounts"


@dataclass(frozen=True)
class Shard:
    """A bucket's shard file to tokenise; one document in `modulus` is held out for each split."""

    bucket: str
    number: int
    path: Path
    masked: bool
    modulus: int

    @property
    def name(self) -> str:
        """What its files are called, below the tokens' folder."""
        return f"{self.bucket}/{self.number:05d}"


class ShardTokenizer(PipelineStep):
    """Tokenises shards, each to files of its own; task r of n takes shards r, r + n, …."""

    name = "ShardTokenizer"
    type = "Writer"

    def __init__(
        self,
        shards: list[Shard],
        mixture: Mixture,
        out: Path,
        tokenizer: Path,
        end: str,
        kind: TokenFormat,
    ) -> None:
        super().__init__()
        self.shards = shards
        self.columns = mixture.columns
        self.out = out
        self.tokenizer = tokenizer
        self.end = end
        self.kind: TokenFormat = kind

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Tokenise this task's shards."""
        for shard in self.shards[rank::world_size]:
            account = self._tokenise(shard)
            path = _account(self.out, shard)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps(account))
        yield from ()

    def _tokenise(self, shard: Shard) -> dict[str, Any]:
        writer = MaskedDocumentTokenizer if self.kind == "ds" else MaskedMegatronTokenizer
        tokenizer = writer(self.out, self.tokenizer, self.end, masked=shard.masked)
        splits = ("train", *HELD_OUT) if shard.modulus and self.kind == "megatron" else ("train",)
        files, rows, empty = [], 0, 0
        for split in splits:
            name = shard.name if split == "train" else f"{shard.name}.{split}"
            counts = tokenizer.write_file(self._documents(shard, split, splits), name)
            ending = ".ds" if self.kind == "ds" else ""
            files.append(_file(shard.bucket, split, f"{TOKENS_FOLDER}/{name}{ending}", counts))
        for text in read_texts(shard.path, self.columns):
            rows += 1
            empty += not text.text
        return {"files": files, "rows": rows, "empty": empty}

    def _documents(self, shard: Shard, split: str, splits: tuple[str, ...]) -> Iterator[Document]:
        for row, text in enumerate(read_texts(shard.path, self.columns)):
            if text.text and (len(splits) == 1 or _split(text.text, shard.modulus) == split):
                metadata = {SPANS: text.spans}
                yield Document(text=text.text, id=str(row), metadata=cast("Any", metadata))


def _split(text: str, modulus: int) -> str:
    drawn = xxhash.xxh3_64_intdigest(text.encode()) % modulus
    return HELD_OUT[drawn] if drawn < len(HELD_OUT) else "train"


def _file(bucket: str, split: str, path: str, counts: Counts) -> dict[str, Any]:
    return {"bucket": bucket, "split": split, "path": path, **vars(counts)}


def _account(out: Path, shard: Shard) -> Path:
    return out / ACCOUNTS / f"{shard.name}.json"


def read_account(out: Path, shard: Shard) -> dict[str, Any]:
    """Return what a worker wrote of a shard: `files`, the `rows` read and the `empty` ones."""
    return orjson.loads(_account(out, shard).read_bytes())
