"""What `bertha-export` promises, on checkpoints made here: tiny, random, seeded."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from bertha_export import ExportError, Request, cli, export
from bertha_export.probes import shortest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizerFast,
)


MAX_LENGTH = 40
WORDS = "the quick brown fox jumps over lazy dog i love hate it is what thank you so much".split()
PIECES = list(
    dict.fromkeys(
        [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *WORDS,
            *"abcdefghijklmnopqrstuvwxyz.,!?'",
            *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
        ]
    )
)


def make_tokenizer() -> BertTokenizerFast:
    vocabulary = {piece: index for index, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_LENGTH)


def make_config(**changes: object) -> BertConfig:
    settings = dict(
        vocab_size=len(PIECES),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_LENGTH,
        num_labels=3,
    )
    return BertConfig(**{**settings, **changes})


def save(model: torch.nn.Module, directory: Path, tokenizer: bool = True) -> Path:
    model.save_pretrained(directory)
    if tokenizer:
        make_tokenizer().save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(7)
    return save(BertForSequenceClassification(make_config()), tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="module")
def package(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(Request(checkpoint, tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def eager(checkpoint: Path) -> torch.nn.Module:
    return BertForSequenceClassification.from_pretrained(checkpoint, attn_implementation="eager").eval()


def read(package: Path, name: str) -> dict:
    return json.loads((package / name).read_text(encoding="utf-8"))


def test_package_is_named_after_checkpoint_and_version(package: Path) -> None:
    assert (package.parent.name, package.name) == ("tiny", "1")
    assert {file.name for file in package.iterdir()} == {
        "bertha.json",
        "model.pt",
        "tokenizer.json",
        "probes.json",
        "SHA256SUMS",
    }


def test_sums_cover_every_other_file_and_are_right(package: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in (package / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {file.name for file in package.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((package / name).read_bytes()).hexdigest() == digest


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_accepts_the_sums(package: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=package, check=True)


def test_manifest_has_the_specified_keys_and_no_others(package: Path) -> None:
    manifest = read(package, "bertha.json")
    assert manifest.pop("provenance")["architecture"] == "BertForSequenceClassification"
    assert manifest == {
        "schema_version": 1,
        "family": "bert",
        "task": "sequence-classification",
        "problem_type": "single_label_classification",
        "labels": ["LABEL_0", "LABEL_1", "LABEL_2"],
        "max_length": MAX_LENGTH,
        "inputs": ["input_ids", "attention_mask", "token_type_ids"],
        "padding": {"id": 0, "type_id": 0, "side": "right"},
        "encoder": {"heads": 2, "layers": 2, "activation": "gelu", "layer_norm_epsilon": 1e-12},
    }


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5])
def test_module_equals_eager_model_at_every_length(package: Path, eager: torch.nn.Module, batch: int) -> None:
    module = torch.jit.load(package / "model.pt")
    generator = torch.Generator().manual_seed(batch)
    for length in range(1, MAX_LENGTH + 1):
        ids = torch.randint(0, len(PIECES), (batch, length), generator=generator)
        lengths = torch.randint(1, length + 1, (batch,), generator=generator)
        mask = (torch.arange(length)[None] < lengths[:, None]).long()
        types = torch.randint(0, 2, (batch, length), generator=generator)
        with torch.no_grad():
            expected = eager(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
            found = module(ids, mask, types)
        assert found.dtype == torch.float32 and found.shape == (batch, 3)
        assert (found - expected).abs().max().item() <= 1e-5, length


def test_padding_does_not_change_a_row(package: Path) -> None:
    module = torch.jit.load(package / "model.pt")
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    alone = module(ids, torch.ones_like(ids), torch.zeros_like(ids))
    wide = torch.nn.functional.pad(ids, (0, 20))
    padded = module(wide, (wide > 0).long(), torch.zeros_like(wide))
    assert (alone - padded).abs().max().item() <= 1e-5


def test_weights_keep_hugging_face_names(package: Path, eager: torch.nn.Module) -> None:
    names = {
        name.removeprefix("model.") for name, _ in torch.jit.load(package / "model.pt").named_parameters()
    }
    assert names == {name for name, _ in eager.named_parameters()}


def test_module_holds_no_path_of_this_machine(package: Path) -> None:
    with zipfile.ZipFile(package / "model.pt") as archive:
        for name in archive.namelist():
            assert not name.endswith(".debug_pkl")
            assert b"site-packages" not in archive.read(name)


def test_tokenizer_neither_truncates_nor_pads(package: Path) -> None:
    tokenizer = read(package, "tokenizer.json")
    assert tokenizer["truncation"] is None and tokenizer["padding"] is None


def test_probe_ids_are_those_of_the_python_tokenizer(package: Path) -> None:
    tokenizer = make_tokenizer()
    for probe in read(package, "probes.json")["probes"]:
        expected = tokenizer(probe["text"], probe["text_pair"], truncation=True)
        assert probe["ids"] == expected["input_ids"], probe["text"]
        assert probe["type_ids"] == expected["token_type_ids"], probe["text"]


def test_probe_logits_are_those_of_the_module_and_of_eager(package: Path, eager: torch.nn.Module) -> None:
    module = torch.jit.load(package / "model.pt")
    for probe in read(package, "probes.json")["probes"]:
        ids, types = torch.tensor([probe["ids"]]), torch.tensor([probe["type_ids"]])
        with torch.no_grad():
            exact = module(ids, torch.ones_like(ids), types)[0].numpy()
            reference = eager(input_ids=ids, token_type_ids=types).logits[0].numpy()
        golden = np.array(probe["logits"], dtype=np.float32)
        np.testing.assert_allclose(golden, exact, rtol=0, atol=1e-6)
        np.testing.assert_allclose(golden, reference, rtol=0, atol=1e-5)


def test_probes_reach_from_empty_to_truncated_in_singles_and_pairs(package: Path) -> None:
    probes = read(package, "probes.json")["probes"]
    lengths = {len(probe["ids"]) for probe in probes}
    assert 40 <= len(probes) <= 1000
    assert min(lengths) == 2 and max(lengths) == MAX_LENGTH
    assert any(probe["text"] == "" for probe in probes)
    assert any(probe["text_pair"] is not None and 1 in probe["type_ids"] for probe in probes)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-30, -2.3456789, 16777217.0, 3.4028235e38])
def test_written_logit_reads_back_as_the_same_fp32(value: float) -> None:
    single = np.float32(value)
    assert np.float32(json.loads(json.dumps(shortest(single)))) == single


def test_exporting_twice_gives_the_same_answers(package: Path, checkpoint: Path, tmp_path: Path) -> None:
    again = export(Request(checkpoint, tmp_path))
    for name in ("bertha.json", "tokenizer.json", "probes.json"):
        assert (again / name).read_bytes() == (package / name).read_bytes()


def test_existing_version_is_refused_and_untouched(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny" / "1"
    target.mkdir(parents=True)
    (target / "mine").write_text("keep")
    with pytest.raises(ExportError, match="exists already.*--force"):
        export(Request(checkpoint, tmp_path))
    assert (target / "mine").read_text() == "keep"


def test_force_replaces_the_whole_package(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny" / "1"
    target.mkdir(parents=True)
    (target / "stale").write_text("gone")
    export(Request(checkpoint, tmp_path, force=True))
    assert (target / "SHA256SUMS").exists() and not (target / "stale").exists()
    assert [path.name for path in target.parent.iterdir()] == ["1"]


def test_failed_export_leaves_nothing_behind(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        export(Request(checkpoint, tmp_path, max_length=MAX_LENGTH + 1))
    assert list((tmp_path / "tiny").iterdir()) == []


def test_max_length_shortens_manifest_and_probes(checkpoint: Path, tmp_path: Path) -> None:
    package = export(Request(checkpoint, tmp_path, max_length=16))
    assert read(package, "bertha.json")["max_length"] == 16
    assert max(len(probe["ids"]) for probe in read(package, "probes.json")["probes"]) == 16


def test_no_pairs_is_in_the_manifest_and_the_probes(checkpoint: Path, tmp_path: Path) -> None:
    package = export(Request(checkpoint, tmp_path, pairs=False))
    assert read(package, "bertha.json")["accepts_pairs"] is False
    assert all(probe["text_pair"] is None for probe in read(package, "probes.json")["probes"])


def test_card_is_copied_and_summed(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# Card\n")
    package = export(Request(checkpoint, tmp_path / "models", card=tmp_path / "card.md"))
    assert (package / "MODEL_CARD.md").read_text() == "# Card\n"
    assert "MODEL_CARD.md" in (package / "SHA256SUMS").read_text()


@pytest.mark.parametrize(
    ("changes", "problem_type"),
    [
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"num_labels": 1}, "regression"),
    ],
)
def test_problem_type_comes_from_the_configuration(tmp_path: Path, changes: dict, problem_type: str) -> None:
    checkpoint = save(BertForSequenceClassification(make_config(**changes)), tmp_path / "model")
    package = export(Request(checkpoint, tmp_path / "models"))
    assert read(package, "bertha.json")["problem_type"] == problem_type


def test_checkpoint_without_tokenizer_is_refused(tmp_path: Path) -> None:
    checkpoint = save(BertForSequenceClassification(make_config()), tmp_path / "model", tokenizer=False)
    with pytest.raises(ExportError, match="no tokenizer"):
        export(Request(checkpoint, tmp_path / "models"))


def test_encoder_saved_under_a_classifiers_name_is_refused(tmp_path: Path) -> None:
    checkpoint = save(BertModel(make_config()), tmp_path / "model")
    config = read(checkpoint, "config.json")
    (checkpoint / "config.json").write_text(
        json.dumps(config | {"architectures": ["BertForSequenceClassification"]})
    )
    with pytest.raises(ExportError, match="lacks 2 of the weights of BertForSequenceClassification, classifier.bias"):
        export(Request(checkpoint, tmp_path / "models"))


def test_tokenizer_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    checkpoint = save(BertForSequenceClassification(make_config(vocab_size=20)), tmp_path / "model")
    with pytest.raises(ExportError, match=f"tokenizer has {len(PIECES)} ids.*only 20"):
        export(Request(checkpoint, tmp_path / "models"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../up"}, "cannot be a model's name"),
        ({"name": ".hidden"}, "cannot be a model's name"),
        ({"version": 0}, "not a positive integer"),
        ({"card": Path("nowhere.md")}, "nowhere.md does not exist"),
        ({"checkpoint": Path("./no/where")}, "no/where is no directory here, and the Hugging Face hub"),
        ({"checkpoint": Path("no/where/at/all")}, "no config.json"),
        ({"max_length": 0}, "outside 1 to 40"),
    ],
)
def test_wrong_request_says_what_is_wrong(
    checkpoint: Path, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export(Request(**{"checkpoint": checkpoint, "output": tmp_path, **change}))


def test_command_prints_the_package_and_exits_zero(checkpoint: Path, tmp_path: Path, capsys) -> None:
    assert cli.main([str(checkpoint), "-o", str(tmp_path), "--name", "reviews", "--version", "3"]) == 0
    assert capsys.readouterr().out.startswith(str(tmp_path / "reviews" / "3"))


def test_command_prints_one_line_and_exits_one_on_a_bad_checkpoint(tmp_path: Path, capsys) -> None:
    assert cli.main([str(tmp_path), "-o", str(tmp_path / "models")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("bertha-export: ") and "config.json" in error
