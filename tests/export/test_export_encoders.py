"""Encoders as packages of vectors: cut after a layer, or without their pretrained head."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
import transformers
from bertha_export import ExportError, Request, export
from families_support import EMBEDDINGS, INPUTS, MAX_LENGTH, THREE, padded, read
from transformers import (
    AlbertModel,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    XLNetLMHeadModel,
)


@pytest.mark.parametrize("layer", [0, 1, 3, -1, -2, -4])
@pytest.mark.parametrize("family", tiny.KINDS)
def test_layer_is_that_hidden_state_and_later_layers_are_gone(family: str, layer: int, tmp_path, checkpoint) -> None:
    source = checkpoint(family, "sequence-classification")
    package = export(Request(source, tmp_path, task=EMBEDDINGS, layer=layer, max_length=MAX_LENGTH))
    model = getattr(transformers, tiny.architecture(family, EMBEDDINGS)).from_pretrained(source).eval()
    module = torch.jit.load(package / "model.pt")
    batch = padded(family, [9, 4], torch.Generator().manual_seed(8))
    inputs = {name: batch[name] for name in INPUTS[family]}
    with torch.no_grad():
        expected = model(**inputs, output_hidden_states=True).hidden_states[layer]
        found = module(*inputs.values())
    assert (found - expected).abs().max().item() <= 1e-5
    kept = layer if layer >= 0 else 4 + layer
    stored = {name for name, _ in module.named_parameters()}
    if family == "albert":
        assert read(package, "bertha.json")["provenance"]["layer"] == kept
    else:
        assert len({name.split("layer.")[1].split(".")[0] for name in stored if "layer." in name}) == kept
    assert not any("classifier" in name or "pooler" in name for name in stored)


def test_layer_out_of_range_says_which_there_are(checkpoint, tmp_path: Path) -> None:
    for layer in (4, -5):
        with pytest.raises(ExportError, match=rf"--layer {layer} is out of range: .* 0 .* to 3, or -1 .* to -4"):
            export(Request(checkpoint("bert", EMBEDDINGS), tmp_path, layer=layer))


def test_albert_groups_are_cut_whole(tmp_path: Path) -> None:
    settings = dict(num_hidden_layers=4, num_hidden_groups=2)
    source = tiny.checkpoint(tmp_path / "groups", "albert", EMBEDDINGS, **settings)
    with pytest.raises(ExportError, match="groups of 2"):
        export(Request(source, tmp_path, layer=3))
    package = export(Request(source, tmp_path, layer=2))
    inputs = padded("albert", [7, 5], torch.Generator().manual_seed(8))
    with torch.no_grad():
        expected = AlbertModel.from_pretrained(source).eval()(**inputs, output_hidden_states=True).hidden_states[2]
        found = torch.jit.load(package / "model.pt")(*(inputs[name] for name in THREE))
    assert (found - expected).abs().max().item() <= 1e-5


@pytest.mark.parametrize("kind", [BertForMaskedLM, BertForPreTraining, BertForNextSentencePrediction])
def test_pretrained_head_is_refused_but_its_encoder_gives_vectors(kind, tmp_path: Path) -> None:
    tiny.tokenizer("bert").save_pretrained(tmp_path / "source")
    kind(tiny.config("bert")).save_pretrained(tmp_path / "source")
    with pytest.raises(ExportError, match=f"{kind.__name__} has no head for any.*--task embeddings"):
        export(Request(tmp_path / "source", tmp_path))
    with pytest.raises(ExportError, match=f"{kind.__name__} has no head for question-answering"):
        export(Request(tmp_path / "source", tmp_path, task="question-answering"))
    package = export(Request(tmp_path / "source", tmp_path, task=EMBEDDINGS))
    assert read(package, "bertha.json")["dimension"] == 32


def test_xlnets_language_model_gives_vectors(tmp_path: Path) -> None:
    tiny.tokenizer("xlnet").save_pretrained(tmp_path / "source")
    XLNetLMHeadModel(tiny.config("xlnet")).save_pretrained(tmp_path / "source")
    with pytest.raises(ExportError, match="XLNetLMHeadModel predicts the next word"):
        export(Request(tmp_path / "source", tmp_path))
    package = export(Request(tmp_path / "source", tmp_path, task=EMBEDDINGS, max_length=MAX_LENGTH))
    assert read(package, "bertha.json")["dimension"] == 32
