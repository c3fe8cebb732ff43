"""How well predictions agree with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn import metrics


@dataclass(frozen=True)
class Scores:
    """Accuracy, F1 averaged over the labels, Matthews' correlation coefficient (0: chance, 1: perfect)."""

    accuracy: float
    macro_f1: float
    mcc: float

    def __str__(self) -> str:
        return f"accuracy {self.accuracy:.4f}  macro-F1 {self.macro_f1:.4f}  MCC {self.mcc:.4f}"


def score(labels: Sequence[int], predictions: Sequence[int]) -> Scores:
    """The scores of `predictions`, one for each of `labels`."""
    return Scores(
        float(metrics.accuracy_score(labels, predictions)),
        float(metrics.f1_score(labels, predictions, average="macro", zero_division=0)),
        float(metrics.matthews_corrcoef(labels, predictions)),
    )


@dataclass(frozen=True)
class SpanScores:
    """How many of the spans found are right, how many of the right ones were found, and their harmonic mean."""

    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        return f"precision {self.precision:.4f}  recall {self.recall:.4f}  F1 {self.f1:.4f}"


def score_spans(wanted: Sequence[Sequence[tuple[int, int]]], found: Sequence[Sequence[tuple[int, int]]]) -> SpanScores:
    """Over all texts together; a span counts as found only if both its ends are right."""
    right = sum(len(set(mine) & set(theirs)) for mine, theirs in zip(wanted, found, strict=True))
    precision = right / max(1, sum(map(len, found)))
    recall = right / max(1, sum(map(len, wanted)))
    return SpanScores(precision, recall, 2 * right / max(1, sum(map(len, found)) + sum(map(len, wanted))))
