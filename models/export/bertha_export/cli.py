"""The `bertha-export` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bertha_export.errors import ExportError
from bertha_export.exporter import AGGREGATIONS, Request, export
from bertha_export.families import TASKS, TITLES
from bertha_export.sentences import POOLINGS

DESCRIPTION = f"""\
Turn a fine-tuned Hugging Face checkpoint into a package that bertha serves.

Families: {TITLES}.
Tasks: {", ".join(TASKS)}.

The checkpoint is a directory made by save_pretrained() of both the model and its
tokenizer, a directory of sentence-transformers, or the name of a repository on the
Hugging Face hub, which is downloaded. It is traced to TorchScript, checked against the
original at many batch sizes and lengths, and packed with its tokenizer, golden answers
for about 40 texts, and checksums. The package appears whole or not at all, at
OUTPUT/NAME/VERSION.
"""

EXAMPLES = """\
examples:
  bertha-export checkpoints/reviews -o models
      writes models/reviews/1
  bertha-export checkpoints/reviews -o models --name reviews --version 2 --card README.md
      the next version of the same model, with its model card
  bertha-export checkpoints/reviews -o models --max-length 128 --force
      shorter inputs, replacing models/reviews/1
  bertha-export checkpoints/reviews -o models --name vectors --task embeddings --layer -2
      the encoder under the classifier: the vectors of the last layer but one

exit status: 0 exported, 1 the checkpoint cannot be exported (one line says why), 2 wrong usage
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        "bertha-export",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("checkpoint", type=Path, help="checkpoint directory, or a name on the Hugging Face hub")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="model directory that the package goes into",
    )
    add("--name", help="the model's name (default: the checkpoint directory's name)")
    add(
        "--version",
        type=int,
        default=1,
        metavar="N",
        help="the package's version, a positive integer (default: 1)",
    )
    add(
        "--max-length",
        type=int,
        metavar="TOKENS",
        help="most tokens of an input, special tokens included (default: what the checkpoint allows; XLNet, which "
        "has no limit: 512)",
    )
    add("--task", choices=TASKS, help="what the model is for (default: what its architecture is made for)")
    add(
        "--no-pairs",
        dest="pairs",
        action="store_false",
        help="the model judges single texts only: refuse text pairs",
    )
    add(
        "--aggregation",
        choices=AGGREGATIONS,
        help="token classification: how tokens become entities unless a request says otherwise (default: simple)",
    )
    add(
        "--pooling",
        choices=POOLINGS,
        help="embeddings: how tokens' vectors become that of a text unless a request says otherwise (default: what "
        "sentence-transformers' files say, else mean)",
    )
    add(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        help="embeddings: scale vectors to length 1 unless a request says otherwise (default: as --pooling, else no)",
    )
    add(
        "--layer",
        type=int,
        metavar="N",
        help="embeddings: the layer whose vectors to take; later ones are left out. 0 is what goes into the first, "
        "1 what comes out of it; -1 is the last (the default), -2 the one before",
    )
    add("--card", type=Path, metavar="FILE", help="model card to put into the package")
    add("--force", action="store_true", help="replace the package if this version exists")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    request = Request(**vars(parser().parse_args(arguments)))
    try:
        package = export(request, say=lambda line: print(line, file=sys.stderr))
    except ExportError as error:
        print(f"bertha-export: {error}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in package.iterdir())
    print(f"{package}: {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
