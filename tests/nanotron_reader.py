"""Draws sequences through nanotron's own code; run by a Python in which nanotron is installed.

`python nanotron_reader.py DATA_STAGES SAMPLES` reads the stages as nanotron's configuration does
and prints, for each, how many samples of its data sets were drawn and how many tokens they held.
"""

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
import yaml
from nanotron.config import get_config_from_dict
from nanotron.data.tokenized_bytes import get_tb_datasets
from transformers import AutoTokenizer

LENGTH, BATCH = 15, 100


def main(stages: Path, samples: int) -> None:
    document = yaml.safe_load(stages.read_text("utf-8"))
    dataset = document["data_stages"][0]["data"]["dataset"]
    model = {
        "vocab_size": dataset["vocab_size"], "hidden_size": 16, "intermediate_size": 64,
        "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 4,
        "is_qwen2_config": True,
    }  # fmt: skip
    config = get_config_from_dict(
        {
            "general": {"project": "narrascope"},
            "parallelism": {"dp": 1, "pp": 1, "tp": 1},
            "model": {"model_config": model, "init_method": {"std": 0.02}},
            "tokenizer": {"tokenizer_name_or_path": dataset["tokenizer_name"]},
            "tokens": {
                "sequence_length": LENGTH, "train_steps": samples // BATCH,
                "micro_batch_size": BATCH, "batch_accumulation_per_replica": 1,
            },
            **document,
        }
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(config.tokenizer.tokenizer_name_or_path)
    # What nanotron's own training script asserts.
    assert len(tokenizer) == config.model.model_config.vocab_size
    with tempfile.NamedTemporaryFile() as store:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{store.name}", rank=0, world_size=1
        )
        context = SimpleNamespace(world_pg=torch.distributed.group.WORLD)
        print(json.dumps([_draw(s, config, tokenizer, context) for s in config.data_stages]))
        torch.distributed.destroy_process_group()


def _draw(stage, config, tokenizer, context) -> dict[str, list[int]]:
    found, _ = get_tb_datasets(
        config=stage.data.dataset,
        sequence_length=stage.sequence_length,
        global_batch_size=config.global_batch_size,
        train_steps=config.tokens.train_steps,
        current_iteration=0,
        parallel_context=context,
        eos_token_id=tokenizer.eos_token_id,
        shuffle=stage.data.dataset.shuffle_files,
        seed=stage.data.seed,
        consumed_tokens_per_dataset_folder={},
        last_stages_consumed_tokens_per_dataset_folder={},
    )
    number = len(stage.data.dataset.dataset_folder)
    drawn, tokens = [0] * number, [0] * number
    for place in range(len(found)):
        bucket = int(found.dataset_index[place])
        drawn[bucket] += 1
        tokens[bucket] += len(found[place]["input_ids"])
    return {"drawn": drawn, "tokens": tokens}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
