"""Checkpoint -> package directory: the steps, in order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from bertha_export import checkpoint as checkpoints
from bertha_export import hub, package, probes, sentences, tracing
from bertha_export.checkpoint import Checkpoint, Wish
from bertha_export.errors import ExportError
from bertha_export.families import EMBEDDINGS, QUESTION_ANSWERING, SEQUENCE_CLASSIFICATION, TOKEN_CLASSIFICATION
from bertha_export.sentences import SentenceModel

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
AGGREGATIONS = ("none", "simple", "first", "average", "max")


@dataclass(frozen=True)
class Request:
    """What to export, and where to.

    `checkpoint` is a directory, or the name of a repository on the Hugging Face hub. The package becomes
    `output/name/version`. `name` defaults to the last part of `checkpoint`, `task`, `max_length`, `pooling` and
    `normalize` to what the checkpoint says. `layer` counts as transformers' `hidden_states`: 0 for the embeddings, 1
    for the first layer's output, -1 for the last one's. `card` is copied in as MODEL_CARD.md. `force` replaces a
    package that is already there.
    """

    checkpoint: Path
    output: Path
    name: str | None = None
    version: int = 1
    max_length: int | None = None
    task: str | None = None
    pooling: str | None = None
    layer: int | None = None
    normalize: bool | None = None
    aggregation: str | None = None
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

    def options_of(self, task: str) -> None:
        """Raises ExportError if an option is there that means nothing to the task."""
        for option, is_set, tasks in (
            ("--pooling", self.pooling is not None, (EMBEDDINGS,)),
            ("--layer", self.layer is not None, (EMBEDDINGS,)),
            ("--normalize", self.normalize is not None, (EMBEDDINGS,)),
            ("--aggregation", self.aggregation is not None, (TOKEN_CLASSIFICATION,)),
            ("--no-pairs", not self.pairs, (SEQUENCE_CLASSIFICATION, EMBEDDINGS)),
        ):
            if is_set and task not in tasks:
                raise ExportError(f"{option} is for {' and '.join(tasks)}; this checkpoint is exported for {task}")


def export(request: Request, say: Callable[[str], None] = lambda line: None) -> Path:
    """Writes the package and returns its directory. `say` is told of every step. Raises ExportError."""
    target = request.target()
    if request.card and not request.card.is_file():
        raise ExportError(f"the model card {request.card} does not exist")
    with package.new_package(target, request.force) as directory:
        source = hub.directory_of(request.checkpoint, say)
        sentence_model = sentences.read(source) if request.task in (None, EMBEDDINGS) else None
        say(f"loading {source}")
        checkpoint = checkpoints.load(
            sentence_model.encoder if sentence_model else source,
            Wish(request.task, request.max_length, request.layer),
            sentence_model,
            say,
        )
        request.options_of(checkpoint.task)
        say(f"tracing {checkpoint.architecture} for {checkpoint.task}, {checkpoint.parameters:,} parameters")
        traced = tracing.trace(checkpoint.module, checkpoint.inputs, checkpoint.max_length)
        if not checkpoint.encoder:
            say("note: its configuration asks for what only TorchScript can compute, the slower way")
        tracing.save(traced, directory / "model.pt")
        checkpoint.tokenizer.save(str(directory / "tokenizer.json"))
        say("running the probes")
        write_package(directory, checkpoint, request, sentence_model, source)
        if request.card:
            shutil.copyfile(request.card, directory / "MODEL_CARD.md")
    return target


def write_package(
    directory: Path, checkpoint: Checkpoint, request: Request, sentence_model: SentenceModel | None, source: Path
) -> None:
    """Writes probes and manifest. The probes run through the file just written: they prove the package."""
    module = torch.jit.load(str(directory / "model.pt"), map_location="cpu").eval()
    width = output_width(module, checkpoint)
    pairs = accepts_pairs(checkpoint, request)
    kind = probes.Kind(
        pairs=pairs,
        questions=checkpoint.task == QUESTION_ANSWERING,
        context_first=checkpoint.inputs.padding_side == "left",
        row_width=None if checkpoint.task == SEQUENCE_CLASSIFICATION else width,
    )
    texts = probes.probe_texts(checkpoint.tokenizer, checkpoint.max_length, kind)
    answers = probes.make_probes(
        module, checkpoint.tokenizer, checkpoint.inputs.names, checkpoint.max_length, texts
    )
    package.write_probes(directory / "probes.json", answers)
    own = task_keys(checkpoint, request, sentence_model, width, pairs)
    package.write_json(directory / "bertha.json", manifest(checkpoint, own, provenance(checkpoint, request, source)))


def output_width(module: torch.jit.ScriptModule, checkpoint: Checkpoint) -> int:
    """Numbers of an output's row. Raises ExportError if labels or task ask for another number."""
    with torch.no_grad():
        width = module(*checkpoint.inputs.ordered(checkpoint.inputs.example(1, 1))).shape[-1]
    if checkpoint.labels and width != len(checkpoint.labels):
        raise ExportError(f"the model gives {width} logits and config.json has {len(checkpoint.labels)} labels")
    return width


def accepts_pairs(checkpoint: Checkpoint, request: Request) -> bool:
    """Whether text pairs may come: wanted, and the model has a token type for the second text."""
    if checkpoint.task not in (SEQUENCE_CLASSIFICATION, EMBEDDINGS) or not request.pairs:
        return False
    if "token_type_ids" not in checkpoint.inputs.names:
        return True
    return max(checkpoint.tokenizer.encode("a", "a").type_ids) < checkpoint.inputs.types


def task_keys(
    checkpoint: Checkpoint, request: Request, sentence_model: SentenceModel | None, width: int, pairs: bool
) -> dict[str, object]:
    """The manifest's keys that belong to the task."""
    optional = {} if pairs else {"accepts_pairs": False}
    if checkpoint.task == SEQUENCE_CLASSIFICATION:
        return {"problem_type": checkpoint.problem_type, "labels": checkpoint.labels, **optional}
    if checkpoint.task == TOKEN_CLASSIFICATION:
        return {"labels": checkpoint.labels, "aggregation": request.aggregation or "simple"}
    if checkpoint.task == QUESTION_ANSWERING:
        return {}
    said = sentence_model or SentenceModel(Path())
    normalize = said.normalize if request.normalize is None else request.normalize
    pooling = request.pooling or said.pooling or "mean"
    return {"dimension": width, "pooling": pooling, "normalize": normalize, **optional}


def manifest(checkpoint: Checkpoint, own: dict[str, object], origin: dict[str, object]) -> dict[str, object]:
    """The content of bertha.json."""
    return {
        "schema_version": 1,
        "family": checkpoint.family.name,
        "task": checkpoint.task,
        **own,
        "max_length": checkpoint.max_length,
        "inputs": list(checkpoint.inputs.names),
        "padding": {
            "id": checkpoint.inputs.pad_id,
            "type_id": checkpoint.inputs.pad_type_id,
            "side": checkpoint.inputs.padding_side,
        },
        **({"encoder": checkpoint.encoder} if checkpoint.encoder else {}),
        "provenance": origin,
    }


def provenance(checkpoint: Checkpoint, request: Request, source: Path) -> dict[str, object]:
    """Where the weights came from."""
    layer = {} if checkpoint.layer is None else {"layer": checkpoint.layer}
    revision = {} if source == request.checkpoint else {"checkpoint": str(request.checkpoint), "revision": source.name}
    return {
        "checkpoint": request.checkpoint.resolve().name,
        **revision,
        "architecture": checkpoint.architecture,
        **layer,
        "parameters": checkpoint.parameters,
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
    }
