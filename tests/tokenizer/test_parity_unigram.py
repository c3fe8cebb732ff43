"""Compares the built tokenizer with the Hugging Face `tokenizers` library on the files of XLNet and ALBERT: every id,
type id, offset, word id, token text and length must be equal.

The tests named after a rule each look at one thing that is easy to get wrong; the random ones at all of them together.
Needs what parity_support.py needs.
"""

import base64
import random

import pytest

import parity_support
import unigram_files
from parity_support import MARKS, PROBED, WORDS, Pair, mutated, random_char

LAYOUTS = [(family, layout) for family in ("xlnet", "albert") for layout in ("hub", "converted")]
PIECES = [
    "``", "''", "```", "''''", "``quoted''", "\u2581", "\u2581\u2581a", " ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\u00a0",
    "\u3000", "\u2003 ", "\u0085", "\u001c", "\u0001", "\u007f", "\u200b", "\u200d", "\ufeff", "\u00ad", "\ufffd",
    "<sep>", "<mask>", " <mask>", "  <mask> ", "[MASK]", "  [MASK] ", "<unk>", "<pad>", "[CLS]", "[SEP]", "<eop>",
    "\uff1csep\uff1e", "\ufe64s\ufe65", "\uff3bMASK\uff3d", "\uff1cunk\uff1e", "2010,", "1,", "9,", "1,234,567", "(a)", "a.b",
    "e\u0301", "\u00c9", "\ufdfa", "\ufb01", "\u1e9b\u0323", "\u3304\u0301", "\u0344", "\u0f73", "\u0f71\u0f72", "\u0345\u0301",
    "\u1100\u1161\u11a8", "\ud55c\uad6d\uc5b4", "\uff76\uff9e", "\u0915\u094d\u0937\u093f", "\u0958\u094d\u0958\u0300",
    "\u0600a", "\u0600\u0301", "\u00a9\u200d\u00a9\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f1e9\U0001f1ea", "\U0001d15e", "\U0001d160\u0301", "a" * 40, "\u0301" * 20, "\u0327\u0301", "\u2603\u2603",
]


@pytest.fixture(scope="module")
def full_charsmap():
    return unigram_files.charsmap(unigram_files.mapping())


@pytest.fixture(scope="module", params=LAYOUTS, ids="-".join)
def pair(request, full_charsmap, tmp_path_factory):
    return Pair(unigram_files.tokenizer_file(*request.param, full_charsmap), tmp_path_factory.mktemp("unigram"))


@pytest.fixture(scope="module")
def of_layout(full_charsmap, tmp_path_factory):
    made = {}

    def get(family, layout):
        if (family, layout) not in made:
            content = unigram_files.tokenizer_file(family, layout, full_charsmap)
            made[family, layout] = Pair(content, tmp_path_factory.mktemp("unigram"))
        return made[family, layout]

    return get


def random_text(rng):
    parts = []
    for _ in range(rng.randrange(1, 12)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(mutated(rng, rng.choice(WORDS)))
        elif kind < 0.75:
            parts.append(rng.choice(PIECES))
        elif kind < 0.83:
            parts.append("".join(rng.choice(MARKS) for _ in range(rng.randrange(1, 12))))
        else:
            parts.append("".join(random_char(rng) for _ in range(rng.randrange(1, 6))))
        if rng.random() < 0.5:
            parts.append(" ")
    return "".join(parts)


def check_texts(pair, texts):
    pair.check([{"text": text} for text in texts])


def test_random_texts(pair):
    rng = random.Random(20270)
    check_texts(pair, [random_text(rng) for _ in range(2500)])


def test_random_pairs(pair):
    rng = random.Random(20271)
    pair.check([{"text": random_text(rng), "pair": random_text(rng)} for _ in range(300)])


FORMS = [("xlnet", "hub", "{}"), ("albert", "converted", "{}"), ("albert", "hub", "x{}y"), ("xlnet", "converted", "x{}y"),
         ("xlnet", "hub", "{}\u0301"), ("albert", "hub", "a\u0327{}")]


@pytest.mark.parametrize("family, layout, form", FORMS, ids=["-".join(map(ascii, form)) for form in FORMS])
def test_every_code_point(of_layout, family, layout, form):
    group = 32
    texts = [" . ".join(form.format(chr(cp)) for cp in PROBED[i : i + group]) for i in range(0, len(PROBED), group)]
    check_texts(of_layout(family, layout), texts + [form.format(chr(cp)) for cp in PROBED[:: 8 * 11]])


def test_pieces_alone_and_in_pairs(pair):
    check_texts(pair, PIECES + [a + b for a in PIECES for b in PIECES[::3]])


@pytest.mark.parametrize("side", ["right", "left"])
def test_truncation_at_every_limit(pair, side):
    rng = random.Random(20272)
    texts = [" ".join(rng.choice(WORDS) for _ in range(n)) for n in (0, 1, 3, 9)]
    given = [{"text": text} for text in texts] + [{"text": a, "pair": b} for a in texts for b in texts]
    full = [answer["full_length"] for answer in pair.theirs(given)]
    inputs, expected = [], []
    for limit in range(1, 41):
        pair.reference.enable_truncation(limit, direction=side)
        for one, answer, length in zip(given, pair.theirs(given), full):
            inputs.append({**one, "max_length": limit, "side": side})
            expected.append({**answer, "full_length": length})
    pair.reference.no_truncation()
    parity_support.report(inputs, pair.ours(inputs), expected)


def test_strides_and_overflow_windows(pair):
    rng = random.Random(20273)
    texts = [" ".join(rng.choice(WORDS[:40]) for _ in range(rng.randrange(12))) for _ in range(40)]
    inputs = [{"text": rng.choice(texts)} for _ in range(60)]
    inputs += [{"text": rng.choice(texts), "pair": rng.choice(texts)} for _ in range(60)]
    full = [answer["full_length"] for answer in pair.theirs(inputs)]
    lines, expected = [], []
    for given, length in zip(inputs, full):
        options = {"max_length": rng.randrange(14, 30), "stride": rng.randrange(4), "side": rng.choice(["right", "left"])}
        pair.reference.enable_truncation(options["max_length"], stride=options["stride"], direction=options["side"])
        encoding = pair.reference.encode(given["text"], given.get("pair"))
        windows = [parity_support.answer_of(given, window, length) for window in encoding.overflowing]
        lines.append({**given, **options})
        expected.append({**parity_support.answer_of(given, encoding, length), "overflow": windows})
    pair.reference.no_truncation()
    assert sum(len(answer["overflow"]) > 1 for answer in expected) > 20
    parity_support.report(lines, pair.ours(lines), expected)


# The rules, one by one.


def tokens_of(pair, text):
    answer, = pair.ours([{"text": text}])
    assert answer == pair.theirs([{"text": text}])[0]
    return [token for token, special in zip(answer["tokens"], answer["special_tokens_mask"]) if not special]


def with_model(vocab, tmp_path, **changes):
    content = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
               "pre_tokenizer": None, "post_processor": None, "decoder": None,
               "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab}}
    return Pair({**content, **changes}, tmp_path)


def test_rule_1_user_defined_pieces_split_first_only_in_converted_files(of_layout):
    assert tokens_of(of_layout("xlnet", "converted"), "(.)") == ["(", ".", ")"]
    assert tokens_of(of_layout("xlnet", "hub"), "(.)") == ["\u2581", "(", ".", ")"]


def test_rule_2_scores_are_those_of_the_file(tmp_path):
    vocab = [["<unk>", 0.0], ["1", -1.0], [",", -1.0], ["1,", -100.0]]
    assert tokens_of(with_model(vocab, tmp_path), "1,1") == ["1", ",", "1"]


def test_scores_are_read_as_the_library_reads_them(tmp_path):
    # Where two ways to cut a word differ in the last place of their sums only, that of the scores decides.
    rng = random.Random(20274)
    vocab, texts = [["<unk>", 0.0]], []
    for number in range(300):
        a, b, c = (chr(0x4E00 + 4 * number + i) for i in range(3))
        x, y, z = (unigram_files.score(rng) for _ in range(3))
        vocab += [[a, x], [b, y], [c, z], [a + b, x + y], [b + c, y + z], [a + b + c, x + y + z]]
        texts += [a + b, b + c, a + b + c]
    check_texts(with_model(vocab, tmp_path), texts)


def test_rule_3_unknown_neighbours_are_one_token_whose_text_is_kept(tmp_path):
    vocab = [["<unk>", 0.0], ["a", -2.0], ["b", -3.0]]
    assert tokens_of(with_model(vocab, tmp_path), "a\u2603\u2603b\u2603") == ["a", "\u2603\u2603", "b", "\u2603"]


def test_rule_3_the_score_of_the_unknown_is_ten_below_the_lowest(tmp_path):
    for margin in (9.5, 10.0, 10.5):  # of a piece of two characters over one known and one unknown
        vocab = [["<unk>", 0.0], ["a", 0.0], ["ab", -margin - 20.0], ["z", -20.0]]
        check_texts(with_model(vocab, tmp_path), ["ab", "abab", "zab"])


def test_rule_4_of_equal_sums_the_first_found_wins(tmp_path):
    vocab = [["<unk>", 0.0], ["a", -1.0], ["aa", -2.0], ["aaa", -3.0], ["b", -0.5], ["ab", -1.5], ["<s>", 0.0]]
    check_texts(with_model(vocab, tmp_path), ["a" * n + "b" * m for n in range(8) for m in range(4)] + ["a<s>a", "<unk>a"])


def test_rule_4_an_unknown_run_that_is_a_piece_after_all_gets_its_id(tmp_path):
    vocab = [["<unk>", 0.0], ["a", 500.0], ["\u2603\u2603", 490.0]]
    check_texts(with_model(vocab, tmp_path), ["a\u2603\u2603a", "\u2603", "\u2603\u2603\u2603", "\u2603\u2603"])


def test_rule_5_normalization_may_make_special_pieces(of_layout):
    assert tokens_of(of_layout("xlnet", "hub"), "a\uff1csep\uff1e")[-1] == "<sep>"
    assert tokens_of(of_layout("albert", "hub"), "a \uff3bMASK\uff3d")[-1] != "[MASK]"  # it is lower case by then


def test_rule_6_spaces_and_added_tokens_in_both_layouts(of_layout):
    texts = ["", " ", "   ", " hello  world ", "a<mask>b", "a  <mask>  b", "a\u00a0 b", "\u2581", "\u2581 a", "a\u2581b"]
    for family, layout in LAYOUTS:
        check_texts(of_layout(family, layout), texts)
    assert tokens_of(of_layout("xlnet", "hub"), "   ") == []
    assert tokens_of(of_layout("xlnet", "converted"), "   ") == ["\u2581"]


def test_rule_7_accents_go_after_decomposition(of_layout):
    texts = ["\u00c9cole", "\u0939\u093f\u0928\u094d\u0926\u0940", "\ufdfa", "\ud55c\uad6d\uc5b4", "``\u00e0''", "\u20dd\u0903x"]
    for family, layout in LAYOUTS:
        check_texts(of_layout(family, layout), texts)


@pytest.fixture(scope="module")
def precompiled_alone(full_charsmap, tmp_path_factory):
    encoded = base64.b64encode(full_charsmap).decode()
    vocab = [["<unk>", 0.0]] + [[chr(cp), -1.0] for cp in range(0x20, 0x600)]
    return with_model(vocab, tmp_path_factory.mktemp("precompiled"),
                      normalizer={"type": "Precompiled", "precompiled_charsmap": encoded})


def test_rule_8_short_clusters_are_replaced_as_a_whole(precompiled_alone):
    rng = random.Random(20275)
    parts = ["\u3304", "\u00bd", "\u00e9", "e", "a", "\r", "\n", "\u00a9", "\u200d", "\u0915", "\u0958", "\u094d", "\u0600",
             "\u1100", "\u1161", "\u11a8", "\uac00", "\uac01", "\U0001f468", "\U0001f1e9", "\u0903", "\u200c", "\u00a8", "\ufb01",
             *MARKS[::40], *MARKS[:20]]
    texts = ["".join(rng.choice(parts) for _ in range(rng.randrange(1, 9))) for _ in range(6000)]
    check_texts(precompiled_alone, texts + ["\u3304\u0301", "\r\n", "a\r\nb"])


def test_rule_8_what_vanishes_at_the_begin_shifts_the_offsets(precompiled_alone):
    rng = random.Random(20276)
    parts = ["\x01", "\x7f", "\x0e", "a", "\u00bd", "\ufb01", "\u3304", "\u00e9", " ", "\ufdfa"]
    check_texts(precompiled_alone, ["".join(rng.choice(parts) for _ in range(rng.randrange(1, 9))) for _ in range(3000)])


def test_rule_13_and_14_accents_and_lower_case_have_their_own_versions_of_unicode(of_layout):
    texts = ["\u08d4x", "\u0903x", "\u0391\u03a3 \u03a3", "\u0130", "\u1e9e", "\ua7ce", "\u01c5", "\u32ff", "\ua7f2", "\uab69"]
    for family, layout in LAYOUTS:
        check_texts(of_layout(family, layout), texts)


def test_rule_17_lstrip_takes_white_space_into_the_token(of_layout):
    for family, layout in LAYOUTS:
        mask = "<mask>" if family == "xlnet" else "[MASK]"
        check_texts(of_layout(family, layout), [f"a{space}{mask}{space}b" for space in ("", " ", "  ", "\n", "\u3000 ", "\x1c")])


def test_rule_20_white_space_is_the_property_white_space(of_layout):
    spaces = [9, 10, 11, 12, 13, 0x1C, 0x1F, 0x20, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x200A, 0x200B, 0x2028, 0x202F,
              0x205F, 0x3000, 0xFEFF]
    for family, layout in LAYOUTS:
        check_texts(of_layout(family, layout), [f"a{chr(cp)}b" for cp in spaces] + [f"{chr(cp)} a" for cp in spaces])


def test_rule_23_types_of_xlnet_and_albert(of_layout):
    for family, layout in LAYOUTS:
        of_layout(family, layout).check([{"text": "a b"}, {"text": "a b", "pair": "c"}, {"text": "", "pair": ""}])


def test_rule_27_replaced_text_comes_from_the_last_character_replaced(of_layout):
    texts = ["``a ''b", "```", "a````b", "x''''", "a  b   c", "   a", "a   ", "``  ''"]
    for family, layout in LAYOUTS:
        check_texts(of_layout(family, layout), texts)


NORMALIZERS = {
    "Replace": {"type": "Replace", "pattern": {"String": "ab\u00e9"}, "content": "x\u3000yz"},
    "Replace-nothing": {"type": "Replace", "pattern": {"String": "aa"}, "content": ""},
    "Replace-spaces": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581 "},
    "NFD": {"type": "NFD"}, "NFKD": {"type": "NFKD"}, "StripAccents": {"type": "StripAccents"},
    "Lowercase": {"type": "Lowercase"},
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "Strip-right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "all": {"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFD"},
        {"type": "Replace", "pattern": {"String": "a"}, "content": "\u00e9\u00e9"}, {"type": "NFKD"},
        {"type": "Lowercase"}, {"type": "Replace", "pattern": {"String": "\u0301"}, "content": ""}]},
}


@pytest.mark.parametrize("name", NORMALIZERS)
def test_each_normalizer_alone(name, tmp_path):
    rng = random.Random(20277)
    vocab = [["<unk>", 0.0]] + [[chr(cp), -1.0] for cp in (*range(0x20, 0x530), *range(0x1100, 0x1200), *range(0x2000, 0x2100))]
    pair = with_model(vocab, tmp_path, normalizer=NORMALIZERS[name])
    few = ["a", "b", "\u00e9", " ", "\u0301", "\u0327", "\u0345", "\u0130", "\u00c5", "\ud55c", "\u0344", "\u1e9b", "\ufb01", "\u3000"]
    texts = ["".join(rng.choice(few) for _ in range(rng.randrange(12))) for _ in range(1500)]
    check_texts(pair, texts + [random_text(rng) for _ in range(500)] + ["a" + chr(cp) + "\u0327" for cp in PROBED[::7]])


@pytest.mark.parametrize("scheme", [
    {}, {"prepend_scheme": "always"}, {"prepend_scheme": "never"}, {"split": False},
    {"add_prefix_space": True, "str_rep": "_"}, {"add_prefix_space": False, "prepend_scheme": "never"},
    {"prepend_scheme": "never", "split": False}], ids=str)
@pytest.mark.parametrize("splits", [False, True], ids=["alone", "after-split"])
def test_every_spelling_of_metaspace(scheme, splits, tmp_path):
    rng = random.Random(20278)
    pre_tokenizer = {"type": "Metaspace", "replacement": "\u2581", **scheme}
    if splits:
        pre_tokenizer = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, pre_tokenizer]}
    added = [dict(id=1, content="<s>", single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)]
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["\u2581", -2.0], ["\u2581a", -2.5], ["a", -1.0], ["b", -3.0], ["ab", -2.0]]
    pair = with_model(vocab, tmp_path, pre_tokenizer=pre_tokenizer, added_tokens=added,
                      normalizer={"type": "StripAccents"})
    parts = [" ", "  ", "\u2581", "a", "b", "<s>", "\n", "\u4e2d", "\u00a0", "\u2582", "\u0301"]
    check_texts(pair, ["".join(rng.choice(parts) for _ in range(rng.randrange(8))) for _ in range(800)])


@pytest.mark.parametrize("replacement", ["_", "\u00e9", "\U0001f600"])
def test_metaspace_with_another_replacement(replacement, tmp_path):
    rng = random.Random(20279)
    vocab = [["<unk>", 0.0], [replacement, -2.0], ["a", -1.0], [replacement + "a", -2.5]]
    pair = with_model(vocab, tmp_path, pre_tokenizer={"type": "Metaspace", "replacement": replacement})
    check_texts(pair, ["".join(rng.choice([" ", replacement, "a", "\u2581"]) for _ in range(rng.randrange(8)))
                       for _ in range(300)])


def test_files_that_the_library_refuses_are_refused(tmp_path):
    good = {"type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0]]}
    refused = [{**good, "unk_id": 1}, {**good, "vocab": []}, {**good, "vocab": [["a"]]}, {**good, "vocab": [["a", -1.0, 2]]},
               {**good, "vocab": [["a", "b"]]}, {**good, "vocab": {"a": 1}}]
    with_model(good["vocab"], tmp_path).check([{"text": "ab"}])
    for number, model in enumerate(refused):
        with pytest.raises(BaseException):
            with_model([], tmp_path, model=model)
        directory = tmp_path / str(number)
        directory.mkdir()
        pair = Pair.__new__(Pair)
        pair.file = tmp_path / "tokenizer.json"  # was written before the library refused it
        with pytest.raises(Exception):
            pair.ours([{"text": "a"}])
