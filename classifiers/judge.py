"""The judge: a small encoder that reads what the verdict leaves undecided; optional, it is dear.

It runs as int8 ONNX on one thread, a passage at a time, so that what it says of a passage depends
on that passage alone. It needs the extra `[judge]`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from .heads import HEADS
from .meta import JUDGE_MODEL, JUDGE_TOKENIZER
from .tokens import even_quotes

TOKENS = 320
"""Word pieces of a passage that are read; what is longer is cut."""


def even(text: str) -> str:
    """Return a text as the judge is to read it: straight quotes, on one line, single blanks."""
    return " ".join(even_quotes(text).split())


class Judge:
    """Gives a value for each of `HEADS`, as log-odds before calibration."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> "Judge":
        """Load the judge from its folder; the extra `[judge]` must be installed.

        Raises:
            ModelError: the folder has no usable judge.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            tokenizer = Tokenizer.from_str((folder / JUDGE_TOKENIZER).read_text("utf-8"))
            session = onnxruntime.InferenceSession(
                (folder / JUDGE_MODEL).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime and tokenizers raise types of their own
            raise ModelError(
                f"the judge at {folder} is missing or damaged: run `narrascope teach` again, "
                "or go without it by --no-judge"
            ) from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(TOKENS)
        return cls(session, tokenizer)

    def values(self, passages: Sequence[str]) -> np.ndarray:
        """Return an array (passages, `len(HEADS)`), rounded to 1e-3."""
        values = np.zeros((len(passages), len(HEADS)))
        for row, passage in enumerate(passages):
            ids = np.array([self._tokenizer.encode(even(passage)).ids], dtype=np.int64)
            values[row] = self._session.run(None, {"ids": ids})[0][0]
        return np.round(values, 3)
