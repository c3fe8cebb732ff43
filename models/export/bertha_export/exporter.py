"""Checkpoint directory -> package directory: the steps, in order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from bertha_export import checkpoint as checkpoints
from bertha_export import package, probes, tracing
from bertha_export.checkpoint import Checkpoint
from bertha_export.errors import ExportError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
TASK = "sequence-classification"


@dataclass(frozen=True)
class Request:
    """What to export, and where to.

    The package becomes `output/name/version`. `name` defaults to the checkpoint directory's name,
    `max_length` to the checkpoint's own limit. `card` is copied in as MODEL_CARD.md. `force` replaces a
    package that is already there.
    """

    checkpoint: Path
    output: Path
    name: str | None = None
    version: int = 1
    max_length: int | None = None
    pairs: bool = True
    card: Path | None = None
    force: bool = False

    def target(self) -> Path:
        """Where the package will be. Raises ExportError if name or version cannot name a directory there."""
        name = self.name or self.checkpoint.resolve().name
        if not NAME.match(name):
            raise ExportError(
                f"\"{name}\" cannot be a model's name: letters, digits, '.', '_' and '-' only, and a "
                "letter or digit first"
            )
        if self.version < 1:
            raise ExportError(f"version {self.version} is not a positive integer")
        return self.output / name / str(self.version)


def export(request: Request, say: Callable[[str], None] = lambda line: None) -> Path:
    """Writes the package and returns its directory. `say` is told of every step. Raises ExportError."""
    target = request.target()
    if request.card and not request.card.is_file():
        raise ExportError(f"the model card {request.card} does not exist")
    with package.new_package(target, request.force) as directory:
        say(f"loading {request.checkpoint}")
        checkpoint = checkpoints.load(request.checkpoint, request.max_length)
        vocabulary = checkpoint.model.get_input_embeddings().num_embeddings
        say(f"tracing {checkpoint.architecture}, {parameters(checkpoint):,} parameters")
        traced = tracing.trace(checkpoint.model, checkpoint.family.inputs, vocabulary, checkpoint.max_length)
        tracing.save(traced, directory / "model.pt")
        checkpoint.tokenizer.save(str(directory / "tokenizer.json"))
        package.write_json(directory / "bertha.json", manifest(checkpoint, request))
        say("running the probes")
        write_probes(directory, checkpoint, request.pairs)
        if request.card:
            shutil.copyfile(request.card, directory / "MODEL_CARD.md")
    return target


def write_probes(directory: Path, checkpoint: Checkpoint, pairs: bool) -> None:
    """Runs the probes through the files just written: they prove the package, not the checkpoint."""
    module = torch.jit.load(str(directory / "model.pt"), map_location="cpu").eval()
    texts = probes.probe_texts(checkpoint.tokenizer, checkpoint.max_length, pairs)
    package.write_probes(
        directory / "probes.json",
        probes.make_probes(
            module, checkpoint.tokenizer, checkpoint.family.inputs, checkpoint.max_length, texts
        ),
    )


def manifest(checkpoint: Checkpoint, request: Request) -> dict[str, object]:
    """The content of bertha.json."""
    optional = {} if request.pairs else {"accepts_pairs": False}
    return {
        "schema_version": 1,
        "family": checkpoint.family.name,
        "task": TASK,
        "problem_type": checkpoint.problem_type,
        "labels": checkpoint.labels,
        "max_length": checkpoint.max_length,
        "inputs": list(checkpoint.family.inputs),
        "padding": {
            "id": checkpoint.pad_id,
            "type_id": checkpoint.pad_type_id,
            "side": checkpoint.family.padding_side,
        },
        **optional,
        "provenance": {
            "checkpoint": request.checkpoint.resolve().name,
            "architecture": checkpoint.architecture,
            "parameters": parameters(checkpoint),
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
        },
    }


def parameters(checkpoint: Checkpoint) -> int:
    """How many trained numbers the network has."""
    return sum(parameter.numel() for parameter in checkpoint.model.parameters())
