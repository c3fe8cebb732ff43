"""What `bertha-export` promises of every family and task, on checkpoints made here: tiny, random, seeded."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch
from bertha_export import Request, export
from bertha_export.families import FAMILIES, encoder_settings
from families_support import CASES, EMBEDDINGS, INPUTS, MAX_LENGTH, ONE_TOKENIZER, eager, encoder, padded, read


def test_families_are_five() -> None:
    assert [family.name for family in FAMILIES] == list(tiny.KINDS)


@pytest.mark.parametrize(("family", "task"), CASES)
def test_traced_equals_eager_in_padded_batches(family: str, task: str, package, checkpoint) -> None:
    module = torch.jit.load(package(family, task) / "model.pt")
    names = read(package(family, task), "bertha.json")["inputs"]
    reference = eager(checkpoint(family, task), family, task)
    generator = torch.Generator().manual_seed(5)
    for lengths in ([1], [MAX_LENGTH], [3, 1], [5, 9, 2], [MAX_LENGTH, 7, 30, 1, 17]):
        batch = padded(family, lengths, generator)
        inputs = {name: batch[name] for name in names}
        with torch.no_grad():
            found = module(*inputs.values())
        expected = reference(**inputs)
        assert found.dtype == torch.float32 and found.shape == expected.shape
        assert (found - expected).abs().max().item() <= 1e-5, lengths


@pytest.mark.parametrize(("family", "task"), CASES)
def test_padding_of_the_manifest_leaves_a_text_as_it_is_alone(family: str, task: str, package) -> None:
    module = torch.jit.load(package(family, task) / "model.pt")
    manifest = read(package(family, task), "bertha.json")
    padding = manifest["padding"]
    text = padded(family, [6], torch.Generator().manual_seed(6))
    fill = {"input_ids": padding["id"], "attention_mask": 0, "token_type_ids": padding["type_id"]}
    sides = (20, 0) if padding["side"] == "left" else (0, 20)
    wide = {name: torch.nn.functional.pad(value, sides, value=fill[name]) for name, value in text.items()}
    with torch.no_grad():
        alone = module(*(text[name] for name in manifest["inputs"]))
        found = module(*(wide[name] for name in manifest["inputs"]))
    if found.dim() == 3:
        found = found[wide["attention_mask"].bool()][None]
    assert (found - alone).abs().max().item() <= 1e-5


OWN_KEYS = {
    "sequence-classification": {
        "problem_type": "single_label_classification",
        "labels": ["LABEL_0", "LABEL_1", "LABEL_2"],
    },
    "token-classification": {"labels": ["LABEL_0", "LABEL_1", "LABEL_2"], "aggregation": "simple"},
    "question-answering": {},
    EMBEDDINGS: {"dimension": 32, "pooling": "mean", "normalize": False},
}
PADDING = {
    "bert": {"id": 0, "type_id": 0, "side": "right"},
    "roberta": {"id": 1, "type_id": 0, "side": "right"},
    "distilbert": {"id": 0, "type_id": 0, "side": "right"},
    "xlnet": {"id": 5, "type_id": 3, "side": "left"},
    "albert": {"id": 0, "type_id": 0, "side": "right"},
}


@pytest.mark.parametrize(("family", "task"), CASES)
def test_manifest_is_that_of_family_and_task(family: str, task: str, package) -> None:
    manifest = read(package(family, task), "bertha.json")
    assert manifest.pop("provenance")["architecture"] == tiny.architecture(family, task)
    if ONE_TOKENIZER:  # its XLNet tokenizer has no type for padding, which nothing reads
        manifest["padding"]["type_id"] = PADDING[family]["type_id"]
    assert manifest == {
        "schema_version": 1,
        "family": family,
        "task": task,
        **OWN_KEYS[task],
        "max_length": MAX_LENGTH,
        "inputs": INPUTS[family],
        "padding": PADDING[family],
        "encoder": encoder(family, task),
    }


@pytest.mark.parametrize(
    ("family", "changes", "found"),
    [
        ("bert", {"hidden_act": "gelu_new"}, {"activation": "gelu_tanh"}),
        ("bert", {"hidden_act": "relu", "layer_norm_eps": 1e-5}, {"activation": "relu", "layer_norm_epsilon": 1e-5}),
        ("roberta", {"pad_token_id": 4}, {"padding_id": 4}),
        ("distilbert", {"activation": "relu", "layer_norm_eps": 1e-5}, {"activation": "relu"}),
        ("albert", {"num_hidden_layers": 4, "num_hidden_groups": 2}, {"layers": 4}),
        ("xlnet", {"summary_activation": ""}, {"summary_activation": "none"}),
        ("xlnet", {"ff_activation": "relu", "n_head": 4}, {"activation": "relu", "heads": 4}),
        ("bert", {"hidden_act": "silu"}, None),
        ("xlnet", {"attn_type": "uni"}, None),
        ("xlnet", {"clamp_len": 3}, None),
        ("xlnet", {"bi_data": True}, None),
        ("xlnet", {"summary_use_proj": False}, None),
        ("xlnet", {"summary_type": "mean"}, None),
        ("xlnet", {"summary_activation": "silu"}, None),
    ],
)
def test_encoder_settings_are_the_networks_or_absent(family: str, changes: dict, found: dict | None) -> None:
    task = "sequence-classification"
    model = tiny.model(family, task, **changes)
    settings = encoder_settings(model, FAMILIES[list(tiny.KINDS).index(family)], task)
    assert settings == (None if found is None else {**encoder(family, task), **found})


@pytest.mark.skipif(ONE_TOKENIZER, reason="transformers 5 has no relative positions in BERT")
def test_relative_positions_are_left_to_torchscript(tmp_path: Path) -> None:
    source = tiny.checkpoint(tmp_path / "source", "bert", EMBEDDINGS, position_embedding_type="relative_key")
    said = []
    package = export(Request(source, tmp_path / "models", max_length=24), say=said.append)
    assert "encoder" not in read(package, "bertha.json")
    assert any("only TorchScript" in line for line in said)


def test_cut_layers_are_not_in_the_encoder_settings(checkpoint, tmp_path: Path) -> None:
    source = checkpoint("xlnet", "sequence-classification")
    package = export(Request(source, tmp_path, task=EMBEDDINGS, layer=0, max_length=24))
    assert read(package, "bertha.json")["encoder"] == {**encoder("xlnet", EMBEDDINGS), "layers": 0}
