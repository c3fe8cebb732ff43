"""What the exporter refuses, and what its options put into the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from bertha_export import ExportError, Request, export
from families_support import EMBEDDINGS, MAX_LENGTH, read
from transformers import (
    AlbertForMaskedLM,
    GPT2Config,
    GPT2ForSequenceClassification,
    RobertaForCausalLM,
    XLNetForQuestionAnswering,
)


def save(model: torch.nn.Module, directory: Path, family: str) -> Path:
    model.save_pretrained(directory)
    tiny.tokenizer(family).save_pretrained(directory)
    return directory


def gpt2() -> torch.nn.Module:
    return GPT2ForSequenceClassification(GPT2Config(vocab_size=100, n_embd=8, n_layer=1, n_head=1, pad_token_id=0))


@pytest.mark.parametrize(
    ("make", "family", "message"),
    [
        (gpt2, "bert", "GPT2ForSequenceClassification is not supported.*BERT, RoBERTa, DistilBERT, XLNet and ALBERT"),
        (gpt2, "bert", 'family "torchscript"'),
        (lambda: RobertaForCausalLM(tiny.config("roberta", is_decoder=True)), "roberta", "predicts the next word"),
        (lambda: XLNetForQuestionAnswering(tiny.config("xlnet")), "xlnet", "beam.*XLNetForQuestionAnsweringSimple"),
        (lambda: AlbertForMaskedLM(tiny.config("albert")), "albert", "AlbertForMaskedLM has no head"),
        (lambda: tiny.model("bert", "sequence-classification", is_decoder=True), "bert", "is_decoder"),
        (lambda: tiny.model("xlnet", "sequence-classification", summary_type="mean"), "xlnet", "reads the padding"),
        (lambda: tiny.model("xlnet", "sequence-classification", summary_type="first"), "xlnet", "reads the padding"),
        (
            lambda: tiny.model("bert", "token-classification", id2label={0: "O", 1: "B", 2: "B"}),
            "bert",
            "empty or repeated labels",
        ),
        (
            lambda: tiny.model("bert", "token-classification", id2label={0: "O", 1: "", 2: "B"}),
            "bert",
            "empty or repeated labels",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(make, family: str, message: str, tmp_path: Path) -> None:
    checkpoint = save(make(), tmp_path / "source", family)
    with pytest.raises(ExportError, match=message) as raised:
        export(Request(checkpoint, tmp_path / "models", max_length=24))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("token-classification", {"task": "question-answering"}, "made for token-classification, not for question"),
        (EMBEDDINGS, {"task": "token-classification"}, "BertModel has no head for token-classification"),
        ("token-classification", {"pooling": "cls"}, "--pooling is for embeddings; .* for token-classification"),
        ("sequence-classification", {"layer": 1}, "--layer is for embeddings"),
        ("sequence-classification", {"normalize": True}, "--normalize is for embeddings"),
        ("sequence-classification", {"aggregation": "max"}, "--aggregation is for token-classification"),
        ("question-answering", {"pairs": False}, "--no-pairs is for sequence-classification and embeddings"),
        (EMBEDDINGS, {"max_length": 3}, "leaves no room beside the 3 special tokens"),
        (EMBEDDINGS, {"max_length": 49}, "outside 1 to 48"),
    ],
)
def test_options_that_do_not_fit_are_refused(task: str, change: dict, message: str, checkpoint, tmp_path) -> None:
    with pytest.raises(ExportError, match=message):
        export(Request(checkpoint("bert", task), tmp_path, **change))


def test_options_of_the_task_are_in_the_manifest(checkpoint, tmp_path: Path) -> None:
    wish = Request(checkpoint("bert", EMBEDDINGS), tmp_path, pooling="cls+mean", normalize=True, pairs=False)
    manifest = read(export(wish), "bertha.json")
    assert (manifest["pooling"], manifest["normalize"], manifest["accepts_pairs"]) == ("cls+mean", True, False)
    tagger = export(Request(checkpoint("bert", "token-classification"), tmp_path, aggregation="max"))
    assert read(tagger, "bertha.json")["aggregation"] == "max"


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_length_without_a_wish_is_the_positions(family: str, checkpoint, tmp_path: Path) -> None:
    package = export(Request(checkpoint(family, "sequence-classification"), tmp_path))
    assert read(package, "bertha.json")["max_length"] == MAX_LENGTH


def test_xlnet_without_a_limit_takes_512_and_says_so(checkpoint, tmp_path: Path) -> None:
    said = []
    package = export(Request(checkpoint("xlnet", "sequence-classification"), tmp_path), say=said.append)
    assert read(package, "bertha.json")["max_length"] == 512
    assert any("512 tokens" in line for line in said)


def test_model_with_one_token_type_takes_no_pairs(tmp_path: Path) -> None:
    source = tiny.checkpoint(tmp_path / "one", "bert", "sequence-classification", type_vocab_size=1)
    assert read(export(Request(source, tmp_path / "models")), "bertha.json")["accepts_pairs"] is False
