"""Weights, configurations and names that are bad, or in another form."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from bertha_export import ExportError, Request, export
from families_support import EMBEDDINGS, MAX_LENGTH, read
from safetensors.torch import load_file, save_file


def without_head(weights: Path) -> None:
    save_file({k: v for k, v in load_file(weights).items() if "classifier" not in k}, weights, {"format": "pt"})


def with_nan(weights: Path) -> None:
    save_file({k: v * float("nan") for k, v in load_file(weights).items()}, weights, {"format": "pt"})


def of_other_shape(weights: Path) -> None:
    tensors = load_file(weights)
    save_file({**tensors, "classifier.weight": torch.zeros(5, 32)}, weights, {"format": "pt"})


class Program:
    """Its pickle makes a file when it is read."""

    def __init__(self, made: Path) -> None:
        self._made = made

    def __reduce__(self) -> tuple:
        return Path.touch, (self._made,)


def pickled_program(weights: Path) -> None:
    weights.unlink()
    torch.save({"classifier.weight": Program(weights.with_name("ran"))}, weights.with_name("pytorch_model.bin"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, "weights in .* cannot be loaded: .*no file named.*model.safetensors"),
        (lambda weights: weights.write_bytes(weights.read_bytes()[:1000]), "weights in .* cannot be loaded"),
        (lambda weights: weights.write_bytes(b""), "weights in .* cannot be loaded"),
        (without_head, "lacks 2 of the weights of BertForSequenceClassification, classifier.bias first"),
        (with_nan, "not finite"),
        (of_other_shape, r"classifier.weight has another shape in the weights than \[3, 32\]"),
        (pickled_program, "the program in a pickle is not run"),
    ],
)
def test_bad_weights_are_refused_in_one_line(change, message: str, checkpoint, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint("bert", "sequence-classification"), tmp_path / "source")
    change(source / "model.safetensors")
    with pytest.raises(ExportError, match=message) as raised:
        export(Request(source, tmp_path))
    assert "\n" not in str(raised.value) and not (source / "ran").exists()


def test_pickled_tensors_are_as_good_as_safetensors(checkpoint, package, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint("bert", "sequence-classification"), tmp_path / "source")
    torch.save(load_file(source / "model.safetensors"), source / "pytorch_model.bin")
    (source / "model.safetensors").unlink()
    found = export(Request(source, tmp_path, max_length=MAX_LENGTH))
    assert read(found, "probes.json") == read(package("bert", "sequence-classification"), "probes.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"architectures": ["BertModel"]}', '{"architectures": 3}'])
def test_bad_configuration_is_refused_in_one_line(text: str, checkpoint, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint("bert", EMBEDDINGS), tmp_path / "source")
    (source / "config.json").write_text(text)
    with pytest.raises(ExportError, match="config.json") as raised:
        export(Request(source, tmp_path))
    assert "\n" not in str(raised.value)


def test_hub_name_without_a_network_is_one_line(tmp_path: Path) -> None:
    said = []
    with pytest.raises(ExportError, match="some/model is no directory here, and the Hugging Face hub") as raised:
        export(Request(Path("some/model"), tmp_path), say=said.append)
    assert "\n" not in str(raised.value) and any("downloading" in line for line in said)
