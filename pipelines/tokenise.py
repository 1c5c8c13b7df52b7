"""Tokenising: bucket shards in, a trainer's token files with masks out, through datatrove.

::

    D/tokens/<bucket>/00000.ds, .ds.index, .ds.loss    for nanotron and OLMo-core, a file a shard
    D/<bucket>_text_document.bin, .idx, .mask          for Megatron, a file a bucket and split
    D/tokens/tokens.json                               counts of all, written last
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import xxhash
from tokenizers import Tokenizer

from ..errors import ManifestError, ScanError, one_line
from ..manifests.manifest import Manifest
from ..manifests.megatron import HELD_OUT, held_out_of, prefix
from ..manifests.mixture import Mixture, mix
from ..manifests.reweighed import load_reweighed
from ..manifests.tokenised import (
    TOKENS_FILE,
    TOKENS_FOLDER,
    TokenFile,
    TokenFormat,
    Tokenised,
)
from .masked_tokens import merge, sequence_lengths
from .pool import LostWorkerError, WatchedExecutor
from .shard_tokens import ACCOUNTS, Shard, ShardTokenizer, read_account

ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>", "<eos>", "[SEP]")
"""Tokens that close a document, by what tokenizers call them; the first that is known is taken."""


def tokenise(
    manifest: Manifest,
    out: Path,
    *,
    tokenizer: Path,
    kind: TokenFormat,
    end: str | None = None,
    data: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tokenised:
    """Tokenise the bucket shards of a manifest; what `out` held of tokens is replaced.

    Every document is closed by the token `end`, and empty documents are left out. A token is masked
    where any of its characters is in a masked span.

    Args:
        manifest: the manifest.
        out: the export's folder.
        tokenizer: a `tokenizer.json` of HF `tokenizers`.
        kind: the format of the token files.
        end: what closes a document; by default the first of `ENDS` that the tokenizer knows.
        data: the folder that `reweigh` wrote; by default the manifest's newest.
        workers: processes; what is written does not depend on it.
        progress: called with (finished shards, all shards).

    Returns:
        What was written, as `tokens.json` says it.

    Raises:
        ManifestError: nothing was reweighed, the tokenizer cannot be read or lacks `end`, or counts
            are not those that were recorded.
        ScanError: workers were killed.
    """
    out = out.resolve()
    reweighed = load_reweighed(manifest, data)
    mixture = mix(manifest, reweighed)
    vocabulary, end, end_id = _read_tokenizer(tokenizer, end)
    folder = out / TOKENS_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    # A trainer that takes masks takes them of every file, so all have one where any needs it.
    shards = [
        Shard(i.name, number, path, mixture.masked, held_out_of(i))
        for i in mixture.ingredients
        for number, path in enumerate(i.files)
    ]
    for ingredient in mixture.ingredients:
        (folder / ingredient.name).mkdir(parents=True)
    step = ShardTokenizer(shards, mixture, folder, tokenizer.resolve(), end, kind)
    _run(step, len(shards), workers, folder / ACCOUNTS, progress)
    accounts = [read_account(folder, shard) for shard in shards]
    _check_documents(mixture, shards, accounts)
    token_bytes = 4 if vocabulary > 2**16 else 2
    files = [TokenFile.model_validate(file) for account in accounts for file in account["files"]]
    if kind == "megatron":
        files = list(_merge(mixture, files, out, token_bytes))
    for file in files:
        _check_file(file, out, kind, token_bytes)
    record = Tokenised(
        manifest=manifest.id,
        data=str(reweighed.folder.resolve()),
        tokenizer=str(tokenizer.resolve()),
        tokenizer_digest=xxhash.xxh3_64_hexdigest(tokenizer.read_bytes()),
        vocabulary=vocabulary,
        end=end,
        end_id=end_id,
        token_bytes=token_bytes,
        format=kind,
        files=tuple(files),
    )
    shutil.rmtree(folder / ACCOUNTS)
    (folder / TOKENS_FILE).write_bytes(
        orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    )
    return record


def _read_tokenizer(path: Path, end: str | None) -> tuple[int, str, int]:
    """Return the size of the vocabulary, the token that closes documents, and its id."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no class of its own
        raise ManifestError(
            f"{path} is no tokenizer ({one_line(error)}): name a `tokenizer.json` with --tokenize"
        ) from error
    known = [name for name in ([end] if end else ENDS) if tokenizer.token_to_id(name) is not None]
    if not known:
        raise ManifestError(
            f"{path} has no token {end or 'to close documents with'!r}: name one of its vocabulary "
            "with --end"
        )
    return tokenizer.get_vocab_size(), known[0], cast("int", tokenizer.token_to_id(known[0]))


def _run(
    step: ShardTokenizer,
    number: int,
    workers: int,
    logs: Path,
    progress: Callable[[int, int], None],
) -> None:
    executor = WatchedExecutor(
        pipeline=[step],
        tasks=number,
        workers=min(workers, number),
        logging_dir=str(logs / "logs"),
    )
    done = 0
    try:
        for ranks in executor.ended(None):
            done += len(ranks)
            progress(done, number)
    except LostWorkerError as error:
        raise ScanError(
            f"{len(error.ranks)} processes were killed while they tokenised, most likely for want "
            "of memory: use fewer --workers and run the same command again"
        ) from error


def _check_documents(mixture: Mixture, shards: list[Shard], accounts: list[dict[str, Any]]) -> None:
    """Refuse a bucket whose shards hold other documents than were recorded, or lost some."""
    for ingredient in mixture.ingredients:
        mine = [a for s, a in zip(shards, accounts, strict=True) if s.bucket == ingredient.name]
        rows = sum(account["rows"] for account in mine)
        empty = sum(account["empty"] for account in mine)
        written = sum(file["documents"] for account in mine for file in account["files"])
        if rows != ingredient.documents or written != rows - empty:
            raise ManifestError(
                f"bucket {ingredient.name!r} has {rows:,} documents, {empty:,} of them empty, and "
                f"{written:,} were tokenised; {ingredient.documents:,} were recorded: run "
                "`narrascope manifest verify`, then reweigh into a new folder"
            )


def _merge(
    mixture: Mixture, files: list[TokenFile], out: Path, token_bytes: int
) -> Iterator[TokenFile]:
    for ingredient in mixture.ingredients:
        for split in ("train", *HELD_OUT):
            pieces = [f for f in files if (f.bucket, f.split) == (ingredient.name, split)]
            if not pieces:
                continue
            place = prefix(ingredient.name, out, split)
            merge([out / piece.path for piece in pieces], place, token_bytes)
            yield TokenFile(
                bucket=ingredient.name,
                split=split,
                path=place.relative_to(out).as_posix(),
                documents=sum(piece.documents for piece in pieces),
                tokens=sum(piece.tokens for piece in pieces),
                masked=sum(piece.masked for piece in pieces),
            )


def _check_file(file: TokenFile, out: Path, kind: TokenFormat, token_bytes: int) -> None:
    """Refuse a file that does not hold what was counted."""
    place = out / file.path
    if kind == "ds":
        tokens = place.stat().st_size // token_bytes
        documents = place.with_name(f"{place.name}.index").stat().st_size // 8
    else:
        tokens = place.with_name(f"{place.name}.bin").stat().st_size // token_bytes
        documents = len(sequence_lengths(place.with_name(f"{place.name}.idx")))
    if (tokens, documents) != (file.tokens, file.documents):
        raise ManifestError(
            f"{place} holds {documents:,} documents and {tokens:,} tokens, {file.documents:,} and "
            f"{file.tokens:,} were written: tokenise again"
        )
