"""Checkpoints of the five families for tests: seeded random weights, and the tokenizers of tests/tokenizer/data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedTokenizerFast

DATA = Path(__file__).resolve().parents[1] / "tokenizer" / "data"


@dataclass(frozen=True)
class Kind:
    """A family: the names of its classes, its tokenizer's file, and what its configuration calls things."""

    prefix: str
    tokenizer: str
    sizes: dict[str, object]
    question_answering: str = "ForQuestionAnswering"


BERT_SIZES = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64)
KINDS = {
    "bert": Kind("Bert", "uncased.json", {**BERT_SIZES, "max_position_embeddings": 48}),
    "roberta": Kind("Roberta", "roberta.json", {**BERT_SIZES, "max_position_embeddings": 50, "type_vocab_size": 1}),
    "distilbert": Kind(
        "DistilBert", "cased.json", dict(dim=32, n_layers=3, n_heads=2, hidden_dim=64, max_position_embeddings=48)
    ),
    "xlnet": Kind(
        "XLNet", "xlnet_hub.json", dict(d_model=32, n_layer=3, n_head=2, d_inner=64), "ForQuestionAnsweringSimple"
    ),
    "albert": Kind(
        "Albert", "albert_converted.json", {**BERT_SIZES, "embedding_size": 16, "max_position_embeddings": 48}
    ),
}
HEADS = {
    "sequence-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "question-answering": "",
    "embeddings": "Model",
}


def architecture(family: str, task: str) -> str:
    """The class in transformers."""
    kind = KINDS[family]
    return kind.prefix + (HEADS[task] or kind.question_answering)


def tokenizer(family: str, **options: object) -> PreTrainedTokenizerFast:
    """The fast tokenizer of the family, as its class sets it up."""
    kind = KINDS[family]
    name = {"Bert": "Bert", "DistilBert": "DistilBert"}.get(kind.prefix, kind.prefix) + "TokenizerFast"
    lower = {"do_lower_case": kind.tokenizer == "uncased.json"} if kind.prefix.endswith("Bert") else {}
    return getattr(transformers, name)(tokenizer_file=str(DATA / kind.tokenizer), **{**lower, **options})


def config(family: str, **changes: object) -> PretrainedConfig:
    """Small; weights wide enough that attention, positions and types matter to the outputs."""
    kind = KINDS[family]
    settings = {**kind.sizes, "vocab_size": len(tokenizer(family)), "initializer_range": 0.2, **changes}
    return getattr(transformers, f"{kind.prefix}Config")(**settings)


def model(family: str, task: str, **changes: object) -> torch.nn.Module:
    """Seeded; three labels where there are labels, unless `changes` to the configuration say otherwise."""
    torch.manual_seed(7)
    labels = {} if task in ("question-answering", "embeddings") else {"num_labels": 3}
    network = getattr(transformers, architecture(family, task))(config(family, **{**labels, **changes})).eval()
    with torch.no_grad():
        for weights in network.parameters():
            if weights.dim() == 1:  # biases begin as 0 and gains as 1: nobody would notice if they were lost
                weights += 0.1 * torch.randn_like(weights)
    return network


def checkpoint(directory: Path, family: str, task: str, **changes: object) -> Path:
    """Writes model and tokenizer into `directory`, as save_pretrained() of both does."""
    model(family, task, **changes).save_pretrained(directory)
    tokenizer(family).save_pretrained(directory)
    return directory
