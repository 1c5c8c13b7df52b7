"""Datatrove's tokenizers with token masks that come from spans of characters.

Both write a byte a token beside the tokens: 1 where loss is taken, 0 on masked ones. Datatrove's
own masks cut a document off at a span that reaches its end, and its Megatron tokenizer has none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.tokens.megatron_tokenizer import (
    MegatronDocumentTokenizer,
    MegatronTokenizedFile,
)
from datatrove.pipeline.tokens.tokenizer import DocumentTokenizer
from datatrove.utils.batching import batched

if TYPE_CHECKING:
    from tokenizers import Encoding

SPANS = "no_loss_ranges"
"""Where datatrove looks for masked spans in a document's metadata."""

_BATCH = 1000


@dataclass
class Counts:
    """What went into a file of tokens; `masked` are tokens on which no loss is taken."""

    documents: int = 0
    tokens: int = 0
    masked: int = 0

    def add(self, loss: np.ndarray) -> None:
        """Count a document by its mask."""
        self.documents += 1
        self.tokens += len(loss)
        self.masked += int(len(loss) - loss.sum())


def loss_of(encoded: "Encoding", spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """Return bool[N], false for tokens of which any character is in a span.

    Args:
        encoded: N tokens with offsets in code points; those of no characters are never masked.
        spans: half-open, in code points.
    """
    offsets = np.array(encoded.offsets, np.int64).reshape(-1, 2)
    loss = np.ones(len(offsets), bool)
    for start, end in spans:
        loss &= (offsets[:, 0] >= end) | (offsets[:, 1] <= start)
    return loss


class MaskedDocumentTokenizer(DocumentTokenizer):
    """Writes `NAME.ds` with its index, and `NAME.ds.loss` where `masked`; documents keep order."""

    def __init__(self, out: Path, tokenizer: Path, end: str, *, masked: bool) -> None:
        super().__init__(
            str(out), str(tokenizer), eos_token=end, save_loss_metadata=masked,
            save_final_metadata=False, shuffle_documents=False, batch_size=_BATCH,
        )  # fmt: skip
        self.counts = Counts()

    def get_loss_values(self, document: Document, encoded: "Encoding") -> np.ndarray | None:
        """Return a document's mask."""
        loss = loss_of(encoded, document.metadata.get(SPANS, ()))
        self.counts.add(loss)
        return loss if self.save_loss_metadata else None

    def write_file(self, documents: Iterable[Document], name: str) -> Counts:
        """Tokenise documents into one file, and return what went into it."""
        self.counts = Counts()
        plainly(self)
        self.write_unshuffled(iter(documents), f"{name}.ds")  # pyright: ignore[reportArgumentType]
        return self.counts


class MaskedMegatronTokenizer(MegatronDocumentTokenizer):
    """Writes `NAME.bin` and `NAME.idx`, and `NAME.mask` where `masked`; documents keep order."""

    def __init__(self, out: Path, tokenizer: Path, end: str, *, masked: bool) -> None:
        super().__init__(
            str(out), tokenizer_name_or_path=str(tokenizer), eos_token=end, batch_size=_BATCH
        )
        self.folder = out
        self.masked = masked

    def write_file(self, documents: Iterable[Document], name: str) -> Counts:
        """Tokenise documents into one file, and return what went into it."""
        counts = Counts()
        plainly(self)
        file = MegatronTokenizedFile(self.output_folder, name, token_size=self.token_size)
        with (self.folder / f"{name}.mask").open("wb") as masks:
            for batch in batched(documents, _BATCH):
                for document, encoded in zip(batch, self._encode(batch), strict=True):
                    loss = loss_of(encoded, document.metadata.get(SPANS, ()))
                    counts.add(loss)
                    file.write(encoded.ids)
                    masks.write(loss.tobytes())
        file.close()
        if not self.masked:
            (self.folder / f"{name}.mask").unlink()
        return counts

    def _encode(self, batch: list[Document]) -> "list[Encoding]":
        return self.tokenizer.encode_batch([document.text for document in batch])


def plainly(step: Any) -> None:
    """Have a step's tokenizer neither cut nor pad, whatever its file says."""
    step.tokenizer.no_truncation()
    step.tokenizer.no_padding()


def merge(pieces: list[Path], place: Path, token_bytes: int) -> None:
    """Join Megatron files, named without ending, to one in their order; the pieces are removed.

    Args:
        pieces: files without ending, at least one.
        place: the file to write, without ending.
        token_bytes: how wide a token is.
    """
    whole = MegatronTokenizedFile(str(place.parent), place.name, token_size=token_bytes)
    for piece in pieces:
        for block in _blocks(piece.with_name(f"{piece.name}.bin")):
            whole.bin_file.write(block)
        lengths = sequence_lengths(piece.with_name(f"{piece.name}.idx"))
        whole.document_indices += [
            len(whole.sequence_lengths) + n for n in range(1, len(lengths) + 1)
        ]
        whole.sequence_lengths += lengths.tolist()
    whole.close()
    masks = [piece.with_name(f"{piece.name}.mask") for piece in pieces]
    if all(mask.is_file() for mask in masks):
        with place.with_name(f"{place.name}.mask").open("wb") as file:
            for mask in masks:
                file.writelines(_blocks(mask))
    for piece in pieces:
        for ending in (".bin", ".idx", ".mask"):
            piece.with_name(piece.name + ending).unlink(missing_ok=True)


def sequence_lengths(index: Path) -> np.ndarray:
    """Return int32[N], the lengths of a Megatron index's sequences."""
    with index.open("rb") as file:
        file.seek(18)  # header, version and type
        number = int(np.fromfile(file, np.uint64, 1)[0])
        file.seek(34)
        return np.fromfile(file, np.int32, number)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: _read(file), b"")


def _read(file: IO[bytes]) -> bytes:
    return file.read(2**20)
