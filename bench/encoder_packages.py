#!/usr/bin/env python3
"""Makes what bench/encoder and bench/encoder_peers.py measure: classifiers of the published base sizes with random weights.

    bench/encoder_packages.py [--work DIR] [NAME ...]

Each NAME becomes DIR/checkpoints/NAME, as transformers saves it, and DIR/models/NAME/1, the package that bertha-export makes
of it. What is there already is left alone. 3.4 GB for all five; never committed.

The weights are seeded. Those of matrices are twice as wide as transformers draws them, biases and norms are perturbed:
otherwise attention hardly matters and all texts get the same logits. The tokenizers are the small ones of
tests/tokenizer/data; the embedding tables have the published size.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "models" / "export"), str(ROOT / "tests" / "export")]

import tiny  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

WORK = pathlib.Path("/tmp/bertha-encoder-bench")
MAX_LENGTH = 512
SIZES = dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)
# Name: (family of tests/export/tiny.py, configuration where it is not transformers' default).
MODELS = {
    "bert-base": ("bert", dict(vocab_size=30522)),
    "roberta-base": ("roberta", dict(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)),
    "distilbert-base": ("distilbert", dict(vocab_size=30522)),
    "albert-base": ("albert", {**SIZES, "vocab_size": 30000, "embedding_size": 128}),
    "xlnet-base": ("xlnet", dict(vocab_size=32000, d_model=768, n_layer=12, n_head=12, d_inner=3072)),
}


def network(name: str) -> torch.nn.Module:
    family, sizes = MODELS[name]
    prefix = tiny.KINDS[family].prefix
    config = getattr(transformers, f"{prefix}Config")(**sizes, num_labels=3)
    torch.manual_seed(0)
    model = getattr(transformers, f"{prefix}ForSequenceClassification")(config).eval()
    with torch.no_grad():
        for parameter, values in model.named_parameters():
            if values.dim() >= 2 and "embedding" not in parameter:
                values.mul_(2.0)
            elif parameter.endswith("bias"):
                values.normal_(0, 0.05)
            elif "norm" in parameter.lower():
                values.normal_(1.0, 0.1)
    return model


def make(name: str, work: pathlib.Path = WORK) -> tuple[pathlib.Path, pathlib.Path]:
    """The checkpoint and the package of a model, made unless they are there."""
    from bertha_export import Request, export

    checkpoint, package = work / "checkpoints" / name, work / "models" / name / "1"
    if not (package / "SHA256SUMS").is_file():
        print(f"{name}: making {package}", file=sys.stderr)
        network(name).save_pretrained(checkpoint)
        tiny.tokenizer(MODELS[name][0], model_max_length=MAX_LENGTH).save_pretrained(checkpoint)
        export(Request(checkpoint, work / "models", max_length=MAX_LENGTH, force=True))
    return checkpoint, package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)} (default: all)")
    parser.add_argument("--work", type=pathlib.Path, default=WORK, metavar="DIR", help="where they stay (default: %(default)s)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in MODELS]:
        parser.error(f"no model {unknown[0]}: there are {', '.join(MODELS)}")
    for name in arguments.names or MODELS:
        print(make(name, arguments.work)[1])


if __name__ == "__main__":
    main()
