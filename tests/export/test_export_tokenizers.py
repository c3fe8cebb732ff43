"""Tokenizers that are no tokenizer.json yet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny
import transformers
from bertha_export import ExportError, Request, export
from families_support import MAX_LENGTH, ONE_TOKENIZER, read


@pytest.mark.parametrize("family", ["xlnet", "albert"])
def test_tokenizer_is_built_from_spiece_model(family: str, tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    pieces = tiny.DATA / f"{family}.spiece.model"
    tiny.model(family, "sequence-classification").save_pretrained(tmp_path / "source")
    shutil.copyfile(pieces, tmp_path / "source" / "spiece.model")
    said = []
    package = export(Request(tmp_path / "source", tmp_path, max_length=MAX_LENGTH), say=said.append)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "source")
    for probe in read(package, "probes.json")["probes"]:
        ids = tokenizer(probe["text"], probe["text_pair"], truncation=True, max_length=MAX_LENGTH)["input_ids"]
        assert probe["ids"] == ids, probe["text"]
    if not ONE_TOKENIZER:  # or there is none to compare with
        # "(a)": user-defined symbols of these models.
        assert any("other ids than SentencePiece" in line for line in said)


def test_spiece_model_without_sentencepiece_says_what_to_install(monkeypatch, tmp_path: Path) -> None:
    tiny.model("xlnet", "sequence-classification").save_pretrained(tmp_path / "source")
    shutil.copyfile(tiny.DATA / "xlnet.spiece.model", tmp_path / "source" / "spiece.model")
    monkeypatch.setattr("bertha_export.checkpoint.is_sentencepiece_available", lambda: False)
    with pytest.raises(ExportError, match="pip install sentencepiece protobuf"):
        export(Request(tmp_path / "source", tmp_path))


@pytest.mark.skipif(ONE_TOKENIZER, reason="the class is not in transformers 5 without its own dependencies")
def test_tokenizer_without_a_fast_version_is_refused(checkpoint, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint("bert", "sequence-classification"), tmp_path / "source")
    (source / "tokenizer.json").unlink()
    tiny.tokenizer("bert").backend_tokenizer.model.save(str(source))
    settings = read(source, "tokenizer_config.json")
    settings |= {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "basic"}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ExportError, match="BertJapaneseTokenizer has no fast version"):
        export(Request(source, tmp_path))


@pytest.mark.parametrize(
    ("family", "names"),
    [("bert", ["vocab.txt"]), ("distilbert", ["vocab.txt"]), ("roberta", ["vocab.json", "merges.txt"])],
)
def test_tokenizer_is_built_from_vocabulary_files(family: str, names: list[str], checkpoint, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint(family, "sequence-classification"), tmp_path / "source")
    (source / "tokenizer.json").unlink()
    tiny.tokenizer(family).backend_tokenizer.model.save(str(source))
    assert all((source / name).is_file() for name in names)
    package = export(Request(source, tmp_path))
    tokenizer = tiny.tokenizer(family)
    for probe in read(package, "probes.json")["probes"]:
        ids = tokenizer(probe["text"], probe["text_pair"], truncation=True, max_length=MAX_LENGTH)["input_ids"]
        assert probe["ids"] == ids
