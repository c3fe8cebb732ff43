"""What the tests of the exporter on the checkpoints of tiny.py share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import tiny
import torch
import transformers


MAX_LENGTH = 48
CASES = [(family, task) for family in tiny.KINDS for task in tiny.HEADS]
EMBEDDINGS = "embeddings"
TWO, THREE = ["input_ids", "attention_mask"], ["input_ids", "attention_mask", "token_type_ids"]
INPUTS = {"bert": THREE, "roberta": TWO, "distilbert": TWO, "xlnet": THREE, "albert": THREE}
ONE_TOKENIZER = int(transformers.__version__.split(".")[0]) >= 5  # where each class was a slow and a fast one before


def read(package: Path, name: str) -> dict:
    return json.loads((package / name).read_text(encoding="utf-8"))


def eager(checkpoint: Path, family: str, task: str) -> Callable[..., torch.Tensor]:
    """transformers itself, without tracing and with plain attention: outputs as the package has them."""
    kind = getattr(transformers, tiny.architecture(family, task))
    model = kind.from_pretrained(checkpoint, attn_implementation="eager").eval()

    def forward(**inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            outputs = model(**inputs)
        if task == "question-answering":
            return torch.stack((outputs.start_logits, outputs.end_logits), dim=-1)
        return outputs.last_hidden_state if task == EMBEDDINGS else outputs.logits

    return forward


def padded(family: str, lengths: list[int], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A batch of random texts of these lengths as the family's tokenizer pads it."""
    tokenizer = tiny.tokenizer(family)
    rows = [torch.randint(5, len(tokenizer), (length,), generator=generator).tolist() for length in lengths]
    types = 3 if family == "xlnet" else 2
    kinds = [torch.randint(0, types, (length,), generator=generator).tolist() for length in lengths]
    batch = tokenizer.pad({"input_ids": rows, "token_type_ids": kinds}, return_tensors="pt")
    return {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}


ACTIVATION = {"albert": "gelu_tanh"}


def encoder(family: str, task: str) -> dict[str, object]:
    """What the manifest says of the networks of tiny.py."""
    own: dict[str, object] = {"padding_id": 1} if family == "roberta" else {}
    if family == "xlnet" and task == "sequence-classification":
        own = {"summary_activation": "tanh"}
    activation = ACTIVATION.get(family, "gelu")
    return {"heads": 2, "layers": 3, "activation": activation, "layer_norm_epsilon": 1e-12, **own}
