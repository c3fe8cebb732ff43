"""Compares the built tokenizer with the Hugging Face `tokenizers` library for byte-level BPE (RoBERTa, DistilRoBERTa,
GPT-2): every id, type id, offset, word id and length must be equal. Needs what parity_support.py does.
"""

import copy
import json
import pathlib
import random

import pytest

from parity_support import PIECES, PROBED, WORDS, Pair, check_windows, random_text, report

DATA = pathlib.Path(__file__).resolve().parent / "data"
SPACES = [chr(cp) for cp in [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
                             0x205F, 0x3000]]
NO_SPACES = ["\x1c", "\x1f", "\u180e", "\u200b", "\ufeff"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "\u2019s", "'", "''", "'r", "'v", "'l", "'sx"]
SPECIALS = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "<|endoftext|>", "<mask", "mask>", "<MASK>"]


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **options}


def roberta(trim_offsets=True, add_prefix_space=False, **changes):
    """The layout of RoBERTa's file, with other options."""
    content = json.loads((DATA / "roberta.json").read_text(encoding="utf-8"))
    content["pre_tokenizer"] = byte_level(add_prefix_space=add_prefix_space, trim_offsets=trim_offsets)
    content["post_processor"].update(trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)
    content["model"].update(changes)
    return content


def gpt2():
    return json.loads((DATA / "gpt2.json").read_text(encoding="utf-8"))


def with_flags(content, **flags):
    """Every added token gets the flags."""
    changed = copy.deepcopy(content)
    for token in changed["added_tokens"]:
        token.update(flags)
    return changed


LAYOUTS = {
    "roberta": roberta(),
    "roberta-prefix-space": roberta(add_prefix_space=True),
    "roberta-untrimmed": roberta(trim_offsets=False),
    "gpt2": gpt2(),
    "gpt2-trimmed": {**gpt2(), "post_processor": byte_level(add_prefix_space=True)},
    "gpt2-prefix-space": {**gpt2(), "pre_tokenizer": byte_level(add_prefix_space=True)},
    "strip": with_flags(roberta(), lstrip=True, rstrip=True),
    "strip-normalized-prefix-space": with_flags(roberta(add_prefix_space=True), lstrip=True, normalized=True),
    "trimmed-prefix-space-in-one-only": {**roberta(), "pre_tokenizer": byte_level(add_prefix_space=True)},
    "whole-sections": {**roberta(), "pre_tokenizer": byte_level(use_regex=False)},
    "ignore-merges": roberta(ignore_merges=True),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory):
    return Pair(LAYOUTS[request.param], tmp_path_factory.mktemp("layout"))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """RoBERTa as its file has it."""
    return Pair(LAYOUTS["roberta"], tmp_path_factory.mktemp("published"))


def hard_text(rng):
    """Pieces that are easy to cut wrongly, next to each other and to real words."""
    kinds = [SPACES, NO_SPACES, CONTRACTIONS, SPECIALS, PIECES, WORDS, [" ", "  ", "   ", "\n", "\u00a0"]]
    parts = [rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(12))]
    return random_text(rng) if rng.random() < 0.4 else "".join(parts)


def test_every_code_point_between_letters(published):
    texts = [" ".join(f"x{chr(cp)}y" for cp in PROBED[i : i + 64]) for i in range(0, len(PROBED), 64)]
    published.check([{"text": text} for text in texts])


def test_every_code_point_alone(published):
    texts = [" . ".join(map(chr, PROBED[i : i + 64])) for i in range(0, len(PROBED), 64)]
    texts += [chr(cp) for cp in PROBED[::64]]
    published.check([{"text": text} for text in texts])


def test_random_texts(layout):
    rng = random.Random(20270)
    layout.check([{"text": hard_text(rng)} for _ in range(1500)])


def test_random_pairs(layout):
    rng = random.Random(20271)
    layout.check([{"text": hard_text(rng), "pair": hard_text(rng)} for _ in range(300)])


def test_long_words(layout):
    rng = random.Random(20272)
    texts = [rng.choice(["a", "ab", " ", "\n", "é", "-", "😀", "aaaaab", " \u3000"]) * rng.randrange(300) for _ in range(100)]
    texts += ["".join(rng.choice("abc'  ") for _ in range(rng.randrange(400))) for _ in range(100)]
    layout.check([{"text": text} for text in texts])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", ["roberta", "gpt2-trimmed"])
def test_truncation_at_every_limit(name, side, tmp_path):
    both = Pair(LAYOUTS[name], tmp_path)
    rng = random.Random(20273)
    texts = [" ".join(rng.choice(WORDS) for _ in range(n)) for n in (0, 1, 2, 5, 9)] + ["  \u3000 <mask> a", " a  b "]
    inputs = [{"text": text} for text in texts] + [{"text": a, "pair": b} for a in texts for b in texts]
    full = [answer["full_length"] for answer in both.theirs(inputs)]
    lines, expected = [], []
    for limit in range(1, 41):
        both.reference.enable_truncation(limit, direction=side)
        for given, answer, length in zip(inputs, both.theirs(inputs), full):
            lines.append({**given, "max_length": limit, "side": side})
            expected.append({**answer, "full_length": length})
    both.reference.no_truncation()
    report(lines, both.ours(lines), expected)


def test_strategies_strides_and_overflow_windows(layout):
    rng = random.Random(20274)
    texts = [hard_text(rng) for _ in range(200)]
    inputs = [{"text": rng.choice(texts)} for _ in range(150)]
    inputs += [{"text": rng.choice(texts), "pair": rng.choice(texts)} for _ in range(250)]
    expected = check_windows(layout, inputs, rng, [*range(1, 24), 30, 40], [0, 0, 1, 2, 3, 5])
    assert sum("error" in answer for answer in expected) > 20
    assert sum(len(answer.get("overflow", ())) > 2 for answer in expected) > 50
