"""The probes in a package: what they hold, and that Python says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
import transformers
from bertha_export import Request, export
from families_support import CASES, EMBEDDINGS, MAX_LENGTH, eager, read


@pytest.mark.parametrize(("family", "task"), CASES)
def test_probes_are_what_python_says(family: str, task: str, package, checkpoint) -> None:
    probes = read(package(family, task), "probes.json")["probes"]
    names = read(package(family, task), "bertha.json")["inputs"]
    reference = eager(checkpoint(family, task), family, task)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint(family, task))
    assert len(probes) >= 40 and max(len(probe["ids"]) for probe in probes) == MAX_LENGTH
    for probe in probes:
        encoded = tokenizer(
            probe["text"], probe["text_pair"], truncation=True, max_length=MAX_LENGTH, return_token_type_ids=True
        )
        # The class of RoBERTa's and DistilBERT's tokenizers may give other types than their file; no model sees them.
        assert probe["ids"] == encoded["input_ids"]
        assert probe["type_ids"] == encoded["token_type_ids"] or "token_type_ids" not in names
        inputs = {**encoded, "token_type_ids": probe["type_ids"]}
        expected = reference(**{name: torch.tensor([inputs[name]]) for name in names}).flatten()
        assert len(probe["logits"]) == len(expected)
        assert (torch.tensor(probe["logits"]) - expected).abs().max().item() <= 1e-5


@pytest.mark.parametrize("family", tiny.KINDS)
def test_probes_of_questions_are_pairs_in_the_pipelines_order(family: str, package) -> None:
    probes = read(package(family, "question-answering"), "probes.json")["probes"]
    questions = {probe["text_pair" if family == "xlnet" else "text"] for probe in probes}
    assert len(questions) == 6 and all(question.endswith(("?", "？")) for question in questions)


@pytest.mark.parametrize("family", tiny.KINDS)
def test_probes_of_token_classifiers_are_single_texts(family: str, package) -> None:
    probes = read(package(family, "token-classification"), "probes.json")["probes"]
    assert all(probe["text_pair"] is None for probe in probes)


def test_wide_rows_get_fewer_probes_in_many_scripts(tmp_path: Path) -> None:
    checkpoint = tiny.checkpoint(tmp_path / "wide", "bert", EMBEDDINGS, hidden_size=768, num_hidden_layers=1)
    package = export(Request(checkpoint, tmp_path / "models"))
    assert (package / "probes.json").stat().st_size <= 2_000_000
    probes = read(package, "probes.json")["probes"]
    assert len(probes) >= 10 and max(len(probe["ids"]) for probe in probes) >= 40
    assert sum(any(ord(letter) > 0x250 for letter in probe["text"]) for probe in probes) >= 3
