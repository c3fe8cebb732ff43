#!/usr/bin/env python3
"""Turns demo packages back into the Hugging Face checkpoints that they were exported from.

The training scripts leave their checkpoints in the work folder, which is not in git. The weights are in the packages; the
sizes are those of the training scripts.

  .venv/bin/python demo/checkpoint.py demo/models/sentiment-*/1 -o my-checkpoints
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models" / "export")]

import torch  # noqa: E402
import train_dishes  # noqa: E402
import train_sentiment  # noqa: E402
import transformers  # noqa: E402
from families import FAMILIES  # noqa: E402
from transformers import PreTrainedModel, PreTrainedTokenizerFast  # noqa: E402


def tokenizer_of(package: Path) -> PreTrainedTokenizerFast:
    """The family's tokenizer with the package's vocabulary."""
    manifest = manifest_of(package)
    kind = getattr(transformers, f"{FAMILIES[manifest['family']].prefix}TokenizerFast")
    return kind(tokenizer_file=str(package / "tokenizer.json"), model_max_length=manifest["max_length"])


def model_of(package: Path) -> PreTrainedModel:
    """The network as transformers computes it, with attention of kind "eager" and the package's weights, in eval mode."""
    manifest = manifest_of(package)
    family, labels = manifest["family"], manifest["labels"]
    if manifest["task"] == "token-classification":
        task, size = train_dishes.TASK, train_dishes.SIZE
    else:
        task, size = train_sentiment.TASK, train_sentiment.SIZES[family]
    config = FAMILIES[family].config(size, tokenizer_of(package))
    config.id2label, config.label2id = dict(enumerate(labels)), {label: index for index, label in enumerate(labels)}
    config._attn_implementation = "eager"
    model = FAMILIES[family].model_class(task)(config)
    weights = torch.jit.load(package / "model.pt").named_parameters()
    own = {name.removeprefix("model."): weight.data for name, weight in weights}
    if own.keys() != dict(model.named_parameters()).keys():
        raise ValueError(f"{package} was not exported from a demo model")
    model.load_state_dict(own, strict=False)  # what has no weights, such as a list of positions, it has itself
    return model.eval()


def manifest_of(package: Path) -> dict:
    return json.loads((package / "bertha.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, nargs="+", metavar="PACKAGE")
    parser.add_argument("-o", type=Path, required=True, metavar="DIR", help="a package becomes DIR/NAME")
    arguments = parser.parse_args()
    for package in arguments.packages:
        directory = arguments.o / package.resolve().parent.name
        model_of(package).save_pretrained(directory)
        tokenizer_of(package).save_pretrained(directory)
        print(directory)


if __name__ == "__main__":
    main()
