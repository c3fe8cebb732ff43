"""Compares the tokenizer with the Hugging Face `tokenizers` library on the texts of the fuzzer's corpus: the texts that
reach every branch of the code that libFuzzer knows of.

The corpus is the committed one; BERTHA_FUZZ_CORPUS names another folder, such as build/fuzz/corpus/fuzz_tokenizer_text.
"""

import json
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tokenizer"))
import parity_support as parity  # noqa: E402

# As in fuzz_tokenizer_text.cc.
FILES = ["uncased.json", "cased.json", "gpt2.json", "roberta.json", "xlnet_hub.json", "albert_converted.json"]
STRATEGIES = ["longest_first", "only_first", "only_second", "longest_first"]


def parsed(data):
    """The number of the tokenizer, the texts and the limits: text_input.h describes the bytes. None if too short."""
    if len(data) < 5:
        return None
    number, mode, _, max_length, stride = data[:5]
    text, pair = data[5:], None
    if mode & 8:
        text, _, pair = text.partition(b"\0")
    given = {"text": text.decode(errors="ignore")}
    if pair is not None:
        given["pair"] = pair.decode(errors="ignore")
    options = {
        "max_length": max_length,
        "stride": stride,
        "strategy": STRATEGIES[mode >> 1 & 3],
        "side": "left" if mode & 1 else "right",
    }
    return (number & 15) % len(FILES), given, options


def corpus():
    folder = pathlib.Path(os.environ.get("BERTHA_FUZZ_CORPUS", HERE / "corpus" / "fuzz_tokenizer_text"))
    inputs = [parsed(path.read_bytes()) for path in sorted(folder.iterdir())]
    return [given for given in inputs if given]


def windows(options, length):
    """How many windows an input has at most; they can be as many as there are tokens, and for pairs that squared."""
    return (length / max(1, options["max_length"] - options["stride"] - 4)) ** 2 * options["max_length"]


@pytest.fixture(scope="module", params=range(len(FILES)), ids=FILES)
def subject(request, tmp_path_factory):
    content = json.loads((HERE.parent / "tokenizer" / "data" / FILES[request.param]).read_text(encoding="utf-8"))
    pair = parity.Pair(content, tmp_path_factory.mktemp("fuzz"))
    inputs = [(given, options) for number, given, options in corpus() if number == request.param]
    assert inputs, f"the corpus has nothing for {FILES[request.param]}"
    return pair, inputs


def test_texts_of_the_corpus(subject):
    pair, inputs = subject
    pair.check([given for given, _ in inputs])


def test_windows_of_the_corpus(subject):
    pair, inputs = subject
    full = [answer["full_length"] for answer in pair.theirs([given for given, _ in inputs])]
    lines, expected = [], []
    for (given, options), length in zip(inputs, full):
        if options["max_length"] == 0 or windows(options, length) > 20000:
            continue
        lines.append({**given, **options})
        expected.append(parity.windows_of(pair.reference, given, options, length))
    pair.reference.no_truncation()
    assert sum("error" not in answer for answer in expected) > 0
    parity.report(lines, [{"error": True} if "error" in answer else answer for answer in pair.ours(lines)], expected)
