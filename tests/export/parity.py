"""How far answers are from a reference's, by the rules of models/self_check.h, and the tables of the parity scripts."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from bertha.v1 import bertha_pb2 as pb  # made by the build
from bertha.v1 import bertha_pb2_grpc
from torch import Tensor

TOLERANCE = 1e-4  # of fp32: largest |difference| of a logit
PART_OF_RANGE = {"fp32": 0.0, "bf16": 0.05, "int8": 0.1}  # that a decision may be closer than
ALONE_TOLERANCE = {"fp32": 0.0, "bf16": 1e-2, "int8": 1e-2}  # largest |difference| that neighbours make
DTYPES = tuple(PART_OF_RANGE)


@dataclass(frozen=True)
class Answers:
    """A row for each decision: one for a text, or one for each token of it."""

    best: Tensor  # [rows], the chosen labels
    probabilities: Tensor  # [rows, labels], or [rows, 1]: of the chosen ones alone
    logits: Tensor | None = None  # [rows, labels]

    @classmethod
    def of(cls, logits: Tensor) -> Answers:
        return cls(logits.argmax(1), logits.softmax(1), logits)

    @classmethod
    def join(cls, parts: Sequence[Answers]) -> Answers:
        logits = [part.logits for part in parts if part.logits is not None]
        best, probabilities = (torch.cat([getattr(p, name) for p in parts]) for name in ("best", "probabilities"))
        return cls(best, probabilities, torch.cat(logits) if logits else None)


@dataclass(frozen=True)
class Difference:
    """Answers beside a reference's."""

    decisions: int
    flips: int  # decisions that differ
    margin: float | None  # the largest that the reference's logits had where one differs
    tolerance: float  # that a margin may have
    spread: float  # of the reference's logits: standard deviation
    mean_logit: float | None  # None where no logits are served
    max_logit: float | None
    mean_probability: float
    max_probability: float

    @classmethod
    def between(cls, expected: Answers, found: Answers, dtype: str) -> Difference:
        """`expected` has logits. A probability that stands for its label alone counts only where the labels agree."""
        logits, same = expected.logits, expected.best == found.best
        rows = torch.arange(len(logits))
        margins = (logits[rows, expected.best] - logits[rows, found.best])[~same]
        probabilities = (expected.probabilities, found.probabilities)
        if found.probabilities.shape[1] == 1:
            probabilities = (probabilities[0].gather(1, expected.best[:, None])[same], probabilities[1][same])
        far = (probabilities[0] - probabilities[1]).abs()
        off = None if found.logits is None else (found.logits - logits).abs()
        return cls(
            decisions=len(logits),
            flips=int((~same).sum()),
            margin=margins.max().item() if len(margins) else None,
            tolerance=max(TOLERANCE, PART_OF_RANGE[dtype] * (logits.max() - logits.min()).item()),
            spread=logits.std().item(),
            mean_logit=None if off is None else off.mean().item(),
            max_logit=None if off is None else off.max().item(),
            mean_probability=far.mean().item(),
            max_probability=far.max().item(),
        )

    def good(self, dtype: str) -> bool:
        """In fp32 no decision differs and no number by more than TOLERANCE; else only close decisions differ. Where
        probabilities stand for logits: a logit that is off by x moves one by x / 4 at most."""
        if dtype != "fp32":
            return self.margin is None or self.margin <= self.tolerance
        if self.max_logit is None:
            return self.flips == 0 and self.max_probability <= TOLERANCE / 4
        return self.flips == 0 and self.max_logit <= TOLERANCE


@dataclass(frozen=True)
class Alone:
    """Texts that were computed with neighbours, beside the same texts alone."""

    texts: int
    largest: float  # |difference| of a logit; of a probability where no logits are served
    flips: int

    @classmethod
    def between(cls, alone: Answers, together: Answers, texts: int) -> Alone:
        pairs = [(alone.probabilities, together.probabilities), (alone.logits, together.logits)]
        left, right = pairs[alone.logits is not None]
        return cls(texts, (left - right).abs().max().item(), int((alone.best != together.best).sum()))

    def good(self, dtype: str) -> bool:
        return self.largest <= ALONE_TOLERANCE[dtype] and self.flips == 0


@dataclass(frozen=True)
class Computed:
    """By what a model of a berthad is computed, and why not by something else."""

    engine: str
    dtype: str
    refused: tuple[str, ...] = ()

    @classmethod
    def by(cls, stub: bertha_pb2_grpc.BerthaStub, name: str) -> Computed:
        """Waits while a berthad that was just started loads it."""
        while (status := status_of(stub, name)).state == pb.ModelStatus.STATE_LOADING:
            time.sleep(0.5)
        assert status.state == pb.ModelStatus.STATE_SERVING, status.reason
        return cls(status.model.engine, status.model.dtype, tuple(status.refused_engines))

    def __str__(self) -> str:
        return f"{self.engine} {self.dtype}"


def status_of(stub: bertha_pb2_grpc.BerthaStub, name: str) -> pb.ModelStatus:
    models = stub.ListModels(pb.ListModelsRequest(), timeout=60, wait_for_ready=True).models
    found = [status for status in models if status.model.name == name]
    if not found:
        raise SystemExit(f"the server has no model {name}")
    return found[0]


@dataclass(frozen=True)
class Result:
    """What was found about one model. `alone` is None if its texts were not asked alone."""

    name: str
    reference: str
    asked: str  # e.g. "fused bf16"
    computed: Computed
    texts: int
    tokens: int
    labels: tuple[str, ...]  # that the reference chose
    difference: Difference
    alone: Alone | None = None

    def good(self) -> bool:
        dtype = self.computed.dtype
        alone = self.alone is None or self.alone.good(dtype)
        return str(self.computed) == self.asked and self.difference.good(dtype) and alone

    def as_json(self) -> dict:
        return asdict(self) | {"good": self.good()}


def processor() -> str:
    """Its name, and what it has of instructions that matter here, as Linux on x86 gives them."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    about = {key.strip(): value.strip() for key, _, value in lines}
    flags = about.get("flags", "").split()
    known = [name for name in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile") if name in flags]
    return f"{about.get('model name', 'unknown processor')} ({', '.join(known)})"


HEADS = (
    "model",
    "decisions",
    "logits' std",
    "mean, max Δlogit",
    "mean, max Δprobability",
    "labels differ",
    "their largest margin (allowed)",
    "alone: max Δ, labels differ",
)


def table(results: list[Result]) -> str:
    """Markdown; below it, what does not compute what was asked for."""
    rows = [HEADS, ("---",) * len(HEADS), *map(row, results)]
    others = [result for result in results if str(result.computed) != result.asked]
    notes = [f"{r.name}: {r.computed}, not {r.asked}. {' '.join(r.computed.refused)}" for r in others]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in rows), *(f"\n{note}" for note in notes)])


def row(result: Result) -> tuple[str, ...]:
    d, alone = result.difference, result.alone
    return (
        result.name,
        str(d.decisions),
        f"{d.spread:.2f}",
        f"{short(d.mean_logit)}, {short(d.max_logit)}" if d.max_logit is not None else "not served",
        f"{short(d.mean_probability)}, {short(d.max_probability)}",
        str(d.flips),
        f"{short(d.margin)} ({d.tolerance:#.2g})" if d.flips else "-",
        f"{short(alone.largest)}, {alone.flips} of {alone.texts}" if alone else "-",
    )


def short(number: float) -> str:
    return "0" if number == 0 else f"{number:.1e}" if number < 0.001 else f"{number:#.2g}"


def report(results: list[Result], as_json: bool) -> int:
    """Prints them; the exit status."""
    if as_json:
        print(json.dumps({"processor": processor(), "results": [result.as_json() for result in results]}, indent=1))
    else:
        print(f"{results[0].asked} on {processor()}, {results[0].texts} texts for each model\n\n{table(results)}")
    for result in results:
        if not result.good():
            print(f"{result.name}: beyond what is allowed", file=sys.stderr)
    return 0 if all(result.good() for result in results) else 1
