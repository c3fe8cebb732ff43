"""The demo models as berthad serves them, beside transformers: the quick form of parity_demo.py, and how it judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import parity_demo
import pytest
import torch
from parity import Alone, Answers, Computed, Difference, Result, table

MODELS = Path(__file__).resolve().parents[2] / "demo" / "models"
WISH = parity_demo.Wish(texts=30, seed=6, alone=10)


def committed(work: Path) -> list[parity_demo.Package]:
    """Without the encoder that may have been fetched: its texts take long."""
    return [package for package in parity_demo.packages_in(MODELS, work) if package.task != parity_demo.EMBEDDINGS]


def test_demo_models_answer_as_transformers(program: Callable[[str], Path], tmp_path: Path) -> None:
    results = parity_demo.measure(committed(tmp_path), WISH, program("berthad"))
    assert {result.name for result in results} >= {"sentiment-bert", "sentiment-xlnet", "dishes-albert"}
    for result in results:
        assert result.good(), table(results)
        assert len(result.labels) > 1, f"{result.name} has one label for everything"


@pytest.mark.parametrize("name", ["sentiment-roberta", "dishes-albert"])
def test_a_checkpoint_with_one_other_weight_is_noticed(program: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    [package] = [package for package in committed(tmp_path) if package.name == name]
    network, tokenizer = package.eager(), package.tokenizer()
    checkpoint = tmp_path.joinpath(*name.split("-"), package.manifest["provenance"]["checkpoint"])
    with torch.no_grad():
        list(network.parameters())[-1][0] += 2e-4  # the bias of the first label
    network.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    [result] = parity_demo.measure([package], WISH, program("berthad"))
    assert result.reference == "checkpoint" and not result.good(), table([result])


def logits(*rows: list[float]) -> Answers:
    return Answers.of(torch.tensor(rows))


REFERENCE = ([0.0, 2.0, -8.0], [1.0, 1.2, -3.0])  # a range of 10


@pytest.mark.parametrize(
    ("dtype", "second", "flips", "good"),
    [
        ("fp32", [1.0, 1.20009, -3.0], 0, True),
        ("fp32", [1.0, 1.20011, -3.0], 0, False),
        ("bf16", [1.0, 1.3, -3.0], 0, True),
        ("bf16", [1.21, 1.2, -3.0], 1, True),  # a margin of 0.2 of 0.5
        ("bf16", [1.0, 1.2, 1.3], 1, False),  # of 4.2
        ("int8", [1.21, 1.2, -3.0], 1, True),
    ],
)
def test_types_that_round_may_change_close_decisions_alone(dtype: str, second: list[float], flips: int, good: bool) -> None:
    difference = Difference.between(logits(*REFERENCE), logits(REFERENCE[0], second), dtype)
    assert (difference.flips, difference.good(dtype)) == (flips, good)


def test_margins_are_those_of_the_reference() -> None:
    difference = Difference.between(logits(*REFERENCE), logits([2.5, 2.0, -8.0], [1.0, 1.2, 1.3]), "int8")
    assert difference.flips == 2 and difference.margin == pytest.approx(4.2) and difference.tolerance == pytest.approx(1)


def test_a_probability_that_is_alone_counts_where_the_labels_agree() -> None:
    expected = logits(*REFERENCE)
    found = Answers(torch.tensor([1, 0]), torch.tensor([[expected.probabilities[0, 1] + 2e-5], [1.0]]))
    difference = Difference.between(expected, found, "fp32")
    assert difference.max_probability == pytest.approx(2e-5, rel=0.01) and difference.flips == 1
    assert difference.max_logit is None and not difference.good("fp32")


@pytest.mark.parametrize(("dtype", "change", "good"), [("fp32", 1e-6, False), ("bf16", 0.009, True), ("int8", 0.011, False)])
def test_neighbours_change_nothing_in_fp32(dtype: str, change: float, good: bool) -> None:
    moved = logits(REFERENCE[0], [1.0, 1.2 + change, -3.0])
    assert Alone.between(logits(*REFERENCE), moved, 2).good(dtype) == good


def test_a_model_that_is_computed_by_something_else_is_said() -> None:
    same = Difference.between(logits(*REFERENCE), logits(*REFERENCE), "fp32")
    other = Computed("torchscript", "fp32", ("int8: too far off",))
    result = Result("m", "its weights", "fused int8", other, 2, 9, ("a",), same)
    assert not result.good() and "m: torchscript fp32, not fused int8. int8: too far off" in table([result])
