"""What `export --tokenize` wrote: the record `tokens.json` beside each bucket's token files."""

from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ManifestError, one_line

TOKENS_FOLDER = "tokens"
TOKENS_FILE = "tokens.json"

TokenFormat = Literal["ds", "megatron"]


class TokenFile(BaseModel):
    """One file of tokens, `path` relative to the export.

    `documents` and `tokens` count what is in it, `masked` the tokens on which no loss is taken.
    `split` is train, or what Megatron holds out.
    """

    model_config = ConfigDict(frozen=True)
    bucket: str
    split: Literal["train", "valid", "test"] = "train"
    path: str
    documents: int
    tokens: int
    masked: int


class Tokenised(BaseModel):
    """What was tokenised, and how.

    `data` is the folder that `reweigh` wrote. `end` is the token that closes every document, and
    `token_bytes` how wide a token is.
    """

    model_config = ConfigDict(frozen=True)
    manifest: str
    data: str
    tokenizer: str
    tokenizer_digest: str
    vocabulary: int
    end: str
    end_id: int
    token_bytes: Literal[2, 4]
    format: TokenFormat
    files: tuple[TokenFile, ...]

    def tokens(self) -> dict[str, int]:
        """Return the tokens that each bucket trains on."""
        sizes: dict[str, int] = {}
        for file in self.files:
            if file.split == "train":
                sizes[file.bucket] = sizes.get(file.bucket, 0) + file.tokens
        return sizes

    def paths(self, bucket: str, out: Path, split: str = "train") -> list[Path]:
        """Return the token files of a bucket, absolute."""
        return [out / f.path for f in self.files if (f.bucket, f.split) == (bucket, split)]


def need_tokens(record: Tokenised | None, folder: Path) -> Tokenised:
    """Return the record, or refuse where nothing was tokenised in an export folder.

    Raises:
        ManifestError: nothing was.
    """
    if record is None:
        raise ManifestError(
            f"{folder} holds no tokens to draw: export again with --tokenize TOKENIZER_FILE"
        )
    return record


def load_tokenised(out: Path, *, manifest: str, data: Path) -> Tokenised | None:
    """Read the record in an export folder; null where nothing was tokenised there.

    Raises:
        ManifestError: the record is damaged, or of another manifest or reweighing.
    """
    path = out / TOKENS_FOLDER / TOKENS_FILE
    if not path.is_file():
        return None
    try:
        record = Tokenised.model_validate(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise ManifestError(
            f"{path} is damaged ({one_line(error)}): remove {path.parent} and export again with "
            "--tokenize"
        ) from error
    if (record.manifest, record.data) != (manifest, str(data.resolve())):
        raise ManifestError(
            f"{path.parent} holds tokens of another manifest or reweighing: remove it, or name "
            "another --out"
        )
    return record


def token_name(number: int) -> str:
    """Return how the tokens of a bucket's shard file are named, by the file's place."""
    return f"{number:05d}.ds"
