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
