"""What the client returns: plain, immutable values."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelScore:
    label: str
    score: float

    def __str__(self) -> str:
        return f"{self.label} {self.score:.4f}"


@dataclass(frozen=True)
class Timing:
    """Where the time of one text went, in microseconds, measured by the server."""

    tokenize_us: int
    queue_us: int
    compute_us: int
    total_us: int

    def __str__(self) -> str:
        return (
            f"{self.total_us} µs: tokenize {self.tokenize_us}, queue {self.queue_us}, compute {self.compute_us}"
        )


@dataclass(frozen=True)
class Result:
    """The answer for one text.

    `label` and `score` are those of the best label: None and nan if `threshold` left none. `scores` is best first.
    `logits` are the raw outputs in the model's label order, empty unless asked for.
    """

    label: str | None
    score: float
    scores: tuple[LabelScore, ...]
    logits: tuple[float, ...]
    timing: Timing
    tokens: int
    truncated: bool
    batch_size: int
    model: str
    version: int
    engine: str

    def __str__(self) -> str:
        best = f"{self.label} {self.score:.4f}" if self.scores else "no label reaches the threshold"
        others = ", ".join(str(s) for s in self.scores[1:])
        return f"{best}{f' ({others})' if others else ''} [{self.timing}; {self.model} v{self.version}, {self.engine}]"


@dataclass(frozen=True)
class ModelStatus:
    """One package that the server found. `state` is SERVING, LOADING or FAILED; `reason` says why it failed."""

    name: str
    version: int
    state: str
    reason: str
    engine: str
    device: str
    dtype: str
    family: str
    task: str
    labels: tuple[str, ...]
    max_length: int
    accepts_pairs: bool
    probe_max_abs_diff: float
    probe_count: int
    is_default: bool
