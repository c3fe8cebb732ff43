"""The `bertha-export` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bertha_export.errors import ExportError
from bertha_export.exporter import Request, export
from bertha_export.families import FAMILIES

DESCRIPTION = """\
Turn a fine-tuned Hugging Face checkpoint into a package that bertha serves.

The checkpoint is a directory made by save_pretrained() of both the model and its
tokenizer. It is traced to TorchScript, checked against the original at many batch
sizes and lengths, and packed with its tokenizer, golden answers for about 40 texts,
and checksums. The package appears whole or not at all, at OUTPUT/NAME/VERSION.
"""

EXAMPLES = f"""\
examples:
  bertha-export checkpoints/reviews -o models
      writes models/reviews/1
  bertha-export checkpoints/reviews -o models --name reviews --version 2 --card README.md
      the next version of the same model, with its model card
  bertha-export checkpoints/reviews -o models --max-length 128 --force
      shorter inputs, replacing models/reviews/1

architectures: {", ".join(sorted(FAMILIES))}
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
    add("checkpoint", type=Path, help="checkpoint directory")
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
        help="most tokens of an input, special tokens included (default: what the checkpoint allows)",
    )
    add(
        "--no-pairs",
        dest="pairs",
        action="store_false",
        help="the model judges single texts only: refuse text pairs",
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
