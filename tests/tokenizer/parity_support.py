"""What the comparisons with the Hugging Face `tokenizers` library have in common: texts, both implementations, and the
answers that must be equal.

Needs the binary `tokenizer_encode` (environment BERTHA_BUILD_DIR, default build/release) and the PyPI package
`tokenizers`.
"""

import itertools
import json
import os
import pathlib
import subprocess
import unicodedata

import pytest
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCALARS = [cp for cp in range(0x110000) if not 0xD800 <= cp <= 0xDFFF]
# All that Unicode has assigned or is about to; a sample of what behaves alike: of the insides of the blocks of ideographs,
# of Hangul and of Tangut, of the empty planes and of private use. 11 divides none of the cycles of Hangul.
UNIFORM = [(0x3410, 0x4DA0), (0x4E10, 0x9FD0), (0xAC10, 0xD790), (0x17010, 0x187E0), (0x18D10, 0x1AFE0),
           (0x20010, 0x2A6C0), (0x2A750, 0x2B730), (0x2B830, 0x2B910), (0x2B930, 0x2CE90), (0x2CEC0, 0x2F7F0),
           (0x2FA30, 0x334F0)]
PROBED = [cp for cp in SCALARS
          if cp < 0x33500 and (cp % 11 == 0 or not any(first <= cp <= last for first, last in UNIFORM))
          or 0xE0000 <= cp <= 0xE0FFF or cp % 64 in (62, 63)]

WORDS = (
    "The committee didn't agree: 3.14% of $1,000,000 isn't enough for unaffable re-tokenization, is it? "
    "naïve café ÉCOLE Straße façade İstanbul ΑΣΟΦΟΣ Ελληνικά Привет, как дела? Ёлка їжак Việt Nam Tiếng "
    "हिन्दी में लिखा हुआ বাংলা தமிழ் ไทยภาษา ქართული Հայերեն עברית שָׁלוֹם العربيّة السَّلام ﷺ 한국어 조선말 각 "
    "中文字符 漢字かな交じり文 カタカナ ﾊﾝｶｸ ㍿ ﬁ ﬀ １２３ ｆｕｌｌ 👨‍👩‍👧‍👦 🇩🇪 👍🏽 e\u0301 a\u0323\u0302 x² €5 ½ → [MASK] [CLS] "
    "[SEP] [PAD] [UNK] [unused1] hello-world user@example.com https://example.org/a?b=c_d #tag ``quoted'' ''"
).split(" ")
PIECES = ["[MASK]", "[SEP]", "[mask]", "[MASK", "MASK]", "[[CLS]]", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000",
          "\u200b", "\u200d", "\ufeff", "\u00ad", "\u0000", "\u0007", "\ufffd", "\u0085", "!", "...", "--", "a" * 100,
          "a" * 101, "é" * 60, "\u0301" * 20, "\u302e\u0301\u302f", "\U0001d165\u0301\U0001d16e", "\u08d4", "\u0f71\u0f72"]
MARKS = [chr(cp) for cp in SCALARS if unicodedata.category(chr(cp)).startswith("M")]


def binary():
    directory = pathlib.Path(os.environ.get("BERTHA_BUILD_DIR", "build/release"))
    path = (ROOT / directory) / "bin" / "tokenizer_encode"
    if not path.is_file():
        pytest.fail(f"{path} is missing; build the target tokenizer_encode or set BERTHA_BUILD_DIR")
    return path


class Pair:
    """The same tokenizer.json in both implementations."""

    def __init__(self, content, directory):
        self.file = directory / "tokenizer.json"
        self.file.write_text(json.dumps(content), encoding="utf-8")
        self.reference = tokenizers.Tokenizer.from_str(json.dumps(content))

    def ours(self, inputs):
        lines = "".join(json.dumps({**line, "details": True}) + "\n" for line in inputs)
        done = subprocess.run([binary(), self.file], input=lines.encode(), stdout=subprocess.PIPE, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(inputs)
        return answers

    def theirs(self, inputs):
        """Inputs without limits only."""
        encoded = self.reference.encode_batch([(i["text"], i["pair"]) if "pair" in i else i["text"] for i in inputs])
        return [answer_of(given, encoding, len(encoding.ids)) for given, encoding in zip(inputs, encoded)]

    def check(self, inputs):
        report(inputs, self.ours(inputs), self.theirs(inputs))


def answer_of(given, encoding, full_length):
    special = encoding.special_tokens_mask
    return {
        "ids": encoding.ids,
        "type_ids": encoding.type_ids,
        "full_length": full_length,
        "special_tokens_mask": special,
        "word_ids": [-1 if word is None else word for word in encoding.word_ids],
        "sequence_ids": [-1 if text is None else text for text in sequence_ids(encoding)],
        "offsets": [list(span) for span in encoding.offsets],
        "byte_offsets": byte_offsets(given, encoding),
        "tokens": encoding.tokens,
    }


def byte_offsets(given, encoding):
    """The library's offsets count code points; its byte offsets are not to be had from Python."""
    places = [byte_places(given["text"]), byte_places(given.get("pair", ""))]
    return [
        [0, 0] if text is None else [places[text][begin], places[text][end]]
        for (begin, end), text in zip(encoding.offsets, sequence_ids(encoding))
    ]


def sequence_ids(encoding):
    """Overflow windows without a post-processor have none of the second text, but type ids that tell the texts apart."""
    if 1 in encoding.special_tokens_mask or 1 in encoding.sequence_ids:
        return encoding.sequence_ids
    return encoding.type_ids


def byte_places(text):
    if text.isascii():
        return range(1 << 20)  # whichever text a span belongs to, if both are ASCII
    return list(itertools.accumulate((len(char.encode()) for char in text), initial=0))


def report(inputs, ours, theirs):
    different = [i for i in range(len(inputs)) if ours[i] != theirs[i]]
    examples = "\n".join(f"{inputs[i]!r}\n  ours   {ours[i]}\n  theirs {theirs[i]}" for i in different[:10])
    assert not different, f"{len(different)} of {len(inputs)} differ:\n{examples}"


def random_text(rng):
    """Real words, changed in a few places, between pieces that are easy to get wrong."""
    parts = []
    for _ in range(rng.randrange(1, 12)):
        kind = rng.random()
        if kind < 0.5:
            parts.append(mutated(rng, rng.choice(WORDS)))
        elif kind < 0.75:
            parts.append(rng.choice(PIECES))
        elif kind < 0.85:
            parts.append("".join(rng.choice(MARKS) for _ in range(rng.randrange(1, 24))))
        else:
            parts.append("".join(random_char(rng) for _ in range(rng.randrange(1, 6))))
        if rng.random() < 0.6:
            parts.append(" ")
    return "".join(parts)


def mutated(rng, word):
    chars = list(word)
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(chars) + 1)
        action = rng.randrange(4)
        if action == 0:
            chars.insert(at, random_char(rng))
        elif action == 1:
            chars.insert(at, rng.choice(MARKS))
        elif action == 2 and chars:
            chars.pop(at - 1)
        else:
            chars = list("".join(chars).upper())
    return "".join(chars)


def random_char(rng):
    limit = rng.choice([0x80, 0x250, 0x3000, 0x10000, 0x20000, 0x110000])
    while True:
        cp = rng.randrange(limit)
        if not 0xD800 <= cp <= 0xDFFF:
            return chr(cp)


def windows_of(reference, given, options, full_length):
    """What the library makes of one input, overflow windows included; an error where it raises or panics."""
    try:
        reference.enable_truncation(
            options["max_length"], stride=options["stride"], strategy=options["strategy"], direction=options["side"])
        encoding = reference.encode(given["text"], given.get("pair"))
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {"error": True}
    answer = answer_of(given, encoding, full_length)
    return {**answer, "overflow": [answer_of(given, window, full_length) for window in encoding.overflowing]}


def check_windows(pair, inputs, rng, limits, strides):
    full = [answer["full_length"] for answer in pair.theirs(inputs)]
    lines, expected = [], []
    for given, length in zip(inputs, full):
        options = {
            "max_length": rng.choice(limits),
            "stride": rng.choice(strides),
            "strategy": rng.choice(["longest_first", "only_first", "only_second"]),
            "side": rng.choice(["right", "left"]),
        }
        lines.append({**given, **options})
        expected.append(windows_of(pair.reference, given, options, length))
    pair.reference.no_truncation()
    ours = [{"error": True} if "error" in answer else answer for answer in pair.ours(lines)]
    report(lines, ours, expected)
    return expected
