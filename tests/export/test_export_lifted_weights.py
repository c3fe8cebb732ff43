"""What the daemon lifts out of the exporter's packages gives the same answers as TorchScript."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import tiny
from bertha_export import Request, export
from families_support import CASES, EMBEDDINGS, MAX_LENGTH


def compare_lifted_weights(program: Callable[[str], Path], models: Path) -> None:
    """What the daemon's library lifts out of each package below `models`, against TorchScript: within 1e-5."""
    environment = {**os.environ, "BERTHA_TEST_MODELS": str(models)}
    done = subprocess.run([program("families_torch_test")], env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lifted_weights_of_every_family_and_task_give_the_same_answers(program, work: Path, package) -> None:
    for family, task in CASES:
        package(family, task)
    compare_lifted_weights(program, work / "models")


VARIANTS = [
    ("bert", {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3, "num_attention_heads": 4, "num_labels": 1}),
    ("bert", {"intermediate_size": 50, "type_vocab_size": 3, "hidden_size": 30, "num_attention_heads": 6}),
    ("roberta", {"pad_token_id": 4, "max_position_embeddings": 53, "type_vocab_size": 2}),
    ("distilbert", {"activation": "relu", "sinusoidal_pos_embds": True}),
    ("albert", {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}),
    ("albert", {"num_hidden_layers": 5, "num_hidden_groups": 3, "hidden_act": "relu", "embedding_size": 40}),
    ("xlnet", {"n_head": 4, "ff_activation": "relu", "summary_activation": "", "untie_r": False}),
    ("xlnet", {"d_inner": 20, "layer_norm_eps": 1e-3}),
]


def test_lifted_weights_of_unusual_configurations_give_the_same_answers(program, tmp_path: Path) -> None:
    for index, (family, changes) in enumerate(VARIANTS):
        source = tiny.checkpoint(tmp_path / "sources" / str(index), family, "sequence-classification", **changes)
        export(Request(source, tmp_path / "models", name=f"{index}-{family}", max_length=MAX_LENGTH))
    compare_lifted_weights(program, tmp_path / "models")


def test_lifted_weights_of_cut_encoders_give_the_same_answers(program, checkpoint, tmp_path: Path) -> None:
    for family, layer in ((family, layer) for family in tiny.KINDS for layer in (0, 2)):
        source, name = checkpoint(family, "sequence-classification"), f"{family}-{layer}"
        export(Request(source, tmp_path, name=name, task=EMBEDDINGS, layer=layer, max_length=MAX_LENGTH))
    compare_lifted_weights(program, tmp_path)
