"""A model that nobody here knows: a module of a few lines, a tokenizer and a manifest by hand, and it is served."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from e2e_support import texts_request

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "very", "not"]
PAIR = "[CLS] $A [SEP] $B:1 [SEP]:1"


class WordScores(torch.nn.Module):
    """Two numbers for each word, summed up over the text."""

    def __init__(self):
        super().__init__()
        self.scores = torch.nn.Embedding(len(WORDS), 2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return (self.scores(input_ids) * attention_mask.unsqueeze(2)).sum(1)


class WordTags(WordScores):
    """The same for each word, left as they are."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.scores(input_ids)


class PaddingCounts(WordScores):
    """Forgets the mask."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.scores(input_ids).sum(1)


MANIFEST = {
    "schema_version": 1,
    "family": "torchscript",
    "task": "sequence-classification",
    "problem_type": "single_label_classification",
    "labels": ["no", "yes"],
    "max_length": 16,
    "inputs": ["input_ids", "attention_mask"],
    "padding": {"id": 0, "type_id": 0, "side": "right"},
}
OF_TASK = {
    "sequence-classification": (WordScores, {}),
    "token-classification": (WordTags, {"problem_type": None}),
    "question-answering": (WordTags, {"problem_type": None, "labels": None}),
    "embeddings": (WordTags, {"problem_type": None, "labels": None, "dimension": 2}),
}


def make_package(folder, module, **changes):
    """All that a person brings: no probes, no sums."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.jit.script(module().eval()).save(str(folder / "model.pt"))
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", PAIR, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    manifest = {key: value for key, value in {**MANIFEST, **changes}.items() if value is not None}
    (folder / "bertha.json").write_text(json.dumps(manifest))
    return folder


def write_texts(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


TEXTS = ["good", "very very good", "", "not bad at all"]
PAIRS = ["good ?\tvery good", "bad\tnot bad very bad"]


@pytest.mark.parametrize("task", OF_TASK)
def test_probe_and_seal_make_it_whole(bertha, tmp_path, task):
    module, changes = OF_TASK[task]
    folder = make_package(tmp_path / "1", module, task=task, **changes)
    lines = {"question-answering": PAIRS, "token-classification": TEXTS}.get(task, TEXTS + PAIRS)
    done = bertha("package", "probe", folder, "--texts", write_texts(tmp_path / "texts", lines))
    assert done.returncode == 0, done.stderr
    assert b"prove" in done.stdout and b"bertha package seal" in done.stdout
    # torch and tokenizers say the same of each.
    reference = torch.jit.load(str(folder / "model.pt"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    probes = json.loads((folder / "probes.json").read_text())["probes"]
    assert len(probes) == len(lines)
    for line, probe in zip(lines, probes):
        text, tab, pair = line.partition("\t")
        encoding = tokenizer.encode(text, pair) if tab else tokenizer.encode(text)
        assert (probe["text"], probe["text_pair"]) == (text, pair if tab else None)
        assert (probe["ids"], probe["type_ids"]) == (encoding.ids, encoding.type_ids)
        golden = reference(torch.tensor([encoding.ids]), torch.tensor([encoding.attention_mask])).flatten()
        assert probe["logits"] == pytest.approx(golden.tolist(), abs=1e-5)
    assert bertha("package", "seal", folder).returncode == 0
    done = bertha("package", "verify", folder)
    assert done.returncode == 0, done.stderr
    assert f"{task}".encode() in done.stdout and f"{len(lines)} probes agree".encode() in done.stdout


def test_it_is_served(bertha, daemon, tmp_path):
    folder = make_package(tmp_path / "m" / "words" / "1", WordScores)
    bertha("package", "probe", folder, "--texts", write_texts(tmp_path / "texts", TEXTS))
    bertha("package", "seal", folder)
    results = daemon(models=tmp_path / "m").stub().Classify(texts_request(TEXTS, model="words")).results
    probes = json.loads((folder / "probes.json").read_text())["probes"]
    for result, probe in zip(results, probes, strict=True):
        assert list(result.logits) == pytest.approx(probe["logits"], abs=1e-5)


REFUSED = {
    "padding": (PaddingCounts, {}, TEXTS, "model.pt: answers texts in a batch otherwise than alone: "),
    "shape": (WordTags, {}, TEXTS, "model.pt: probe 0: forward() returned a tensor of shape [1, 3, 2], expected [1, 2]"),
    "labels": (WordScores, {"labels": ["a", "b", "c"]}, TEXTS, "model.pt: probe 0: forward() returned a tensor of shape"),
    "no-texts": (WordScores, {}, [], "expected 1 to 1000 texts, got 0"),
    "no-pairs": (WordScores, {"accepts_pairs": False}, TEXTS + PAIRS, "text 5: is a pair, which the model does not take"),
    "question": (WordTags, OF_TASK["question-answering"][1] | {"task": "question-answering"}, ["a", *PAIRS],
                 "text 1: is no pair of question and context"),
    "misspelled": (WordScores, {"max_lenght": 3}, TEXTS, "bertha.json: $.max_lenght: unknown key"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_gets_no_probes(bertha, tmp_path, name):
    module, changes, lines, reason = REFUSED[name]
    folder = make_package(tmp_path / "1", module, **changes)
    done = bertha("package", "probe", folder, "--texts", write_texts(tmp_path / "texts", lines))
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.decode().startswith(f"{folder}: {reason}"), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "probes.json").exists()


def test_probes_that_are_there_stay(bertha, package, tmp_path):
    texts = write_texts(tmp_path / "texts", TEXTS)
    before = (package / "probes.json").read_bytes()
    done = bertha("package", "probe", package, "--texts", texts)
    assert done.returncode == 1 and b"probes.json: is there already" in done.stderr
    assert (package / "probes.json").read_bytes() == before
