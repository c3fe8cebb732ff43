"""The demo models as berthad serves them, beside transformers: the quick form of parity_demo.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import parity_demo
import pytest
import torch

MODELS = Path(__file__).resolve().parents[2] / "demo" / "models"
TEXTS = 30


def committed(work: Path) -> list[parity_demo.Package]:
    """Without the encoder that may have been fetched: its texts take long."""
    return [package for package in parity_demo.packages_in(MODELS, work) if package.task != parity_demo.EMBEDDINGS]


def test_demo_models_answer_as_transformers(program: Callable[[str], Path], tmp_path: Path) -> None:
    results = parity_demo.measure(committed(tmp_path), TEXTS, seed=6, berthad=program("berthad"))
    assert {result.name for result in results} >= {"sentiment-bert", "sentiment-xlnet", "dishes-albert"}
    for result in results:
        assert result.good(), parity_demo.table(results)
        assert len(result.seen) > 1, f"{result.name} has one label for everything"


@pytest.mark.parametrize("name", ["sentiment-roberta", "dishes-albert"])
def test_a_checkpoint_with_one_other_weight_is_noticed(program: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    [package] = [package for package in committed(tmp_path) if package.name == name]
    network, tokenizer = package.eager(), package.tokenizer()
    checkpoint = tmp_path.joinpath(*name.split("-"), package.manifest["provenance"]["checkpoint"])
    with torch.no_grad():
        list(network.parameters())[-1][0] += 2e-4  # the bias of the first label
    network.save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    [result] = parity_demo.measure([package], TEXTS, seed=6, berthad=program("berthad"))
    assert result.reference == "checkpoint" and not result.good(), parity_demo.table([result])
