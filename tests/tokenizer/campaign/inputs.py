"""What the campaign feeds to both tokenizers: real texts, every code point, and seeded random strings.

Everything is a function of a kind and a number, so that any process can make any part of it.
"""

import json
import random
import unicodedata

KINDS = ["real", "points", "random", "pairs", "limits"]
CHUNK = 2000  # inputs, at most
RANDOM_STRINGS, PAIRS, LIMITS = 150_000, 12_000, 65

SCALARS = [cp for cp in range(0x110000) if not 0xD800 <= cp <= 0xDFFF]
# All that Unicode has assigned, and all that it may assign in the next years; of private use and of the empty planes some.
PROBED = [cp for cp in SCALARS if cp < 0x33480 and not 0xE100 <= cp < 0xF800 or 0xE0000 <= cp < 0xE0200 or cp % 256 in (0, 254)]
# Blocks whose characters behave alike: of these, neighbours are tried for a sample.
UNIFORM = [(0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0x17000, 0x18CFF), (0x20000, 0x33480), (0xE100, 0x10FFFF)]
MARKS = [chr(cp) for cp in PROBED if unicodedata.category(chr(cp)).startswith("M")]
SPACES = [chr(cp) for cp in PROBED if chr(cp).isspace() or unicodedata.category(chr(cp)) in ("Zs", "Zl", "Zp")]
SPACES += ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u180e", "\u00ad", "\u2581"]
PUNCTUATION = [chr(cp) for cp in PROBED if unicodedata.category(chr(cp))[0] in "PS"]
# What compatibility normalization makes something else of, by a rough rule; all of it is also in PROBED.
COMPATIBLE = [chr(cp) for cp in PROBED if unicodedata.normalize("NFKC", chr(cp)) != chr(cp) and not 0xF900 <= cp < 0xFB00
              and cp < 0x1F300]
JAMO = [range(0x1100, 0x1160), range(0x1160, 0x11A8), range(0x11A8, 0x1200)]
INDIC = [(0x0900, "क ख ग ज त न प म र ल ष ह ा ि ी ु े ् ़ ं ृ".split()), (0x0B80, "க ங ச ண த ப ம ா ி ு ெ ொ ்".split()),
         (0x0980, "ক খ গ জ ত ন প ম া ি ী ে ো ্ ়".split()), (0x0E00, "ก ข ค ง จ ด ะ า ิ ี ึ ั ็ ่ ้ ๊ ำ เ แ โ".split()),
         (0x0F00, "ཀ ཁ ག ང ྐ ྲ ྱ ི ུ ེ ོ ་ ཱ".split()), (0x1780, "ក ខ គ ្ ា ិ ី ុ ំ ះ".split())]
CONTRACTIONS = "'s 't 're 've 'm 'll 'd 'S 'T 'LL ’s ’t n't 'x ' '' `` ` \" ´ 's's 'lll don't IT'S we'd've rock'n'roll".split()
EMOJI = "😀 👍 👩 👨 👧 👦 ❤ 🏳 🌈 🧑 🚀 ☺ ✈ 🏴 🤷 ♀ ♂ ⚕ 🦰 0 # * 🇩 🇪 🇯 🇵 🇺 🇸".split()
EMOJI_GLUE = ["\u200d", "\ufe0f", "\ufe0e", "\u20e3", "🏻", "🏽", "🏿", "\U000e0067", "\U000e007f", ""]
ODD = ["\x00", "\x07", "\x1c", "\x1f", "\x7f", "\x85", "\ufffd", "\ufffe", "\U0001ffff", "\u0378", "\ue000", "\u202e", "\u2066",
       "İ", "ẞ", "Σ", "ς", "ǅ", "ﬃ", "㌄", "ﷺ", "½", "℡", "㎏", "㍿", "Å", "Ω", "ſ", "ẛ̣", "豈", "\U0002f800", "\U0002b820", "\U0002b920",
       "\u2e44", "\u08d4", "\u32ff", "\ua7ce", "\U00016ea0", "～", "〜", "゛", "ｶﾞ", "が", "１２，３", "①", "ⅷ", "²", "٣", "๓", "߁", "৪"]


def real_texts(folder):
    with (folder / "texts.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def uniform(cp):
    return any(first <= cp <= last for first, last in UNIFORM)


def code_point_texts(cps):
    """Each alone and between letters; and where characters combine, with neighbours."""
    for cp in cps:
        c = chr(cp)
        yield c
        yield f"x{c}y"
        if not uniform(cp) or cp % 61 == 0:
            yield f"e{c}\u0301\u0323z"
            yield f"E\u0301{c}a {c}"
            yield f"a{c}{c} {c}{c}{c}1"
            yield f"\r{c}\n.{c}가{c}\u11a8"


class Random:
    """Random strings that look for trouble; `specials` are the literal special tokens of a vocabulary."""

    def __init__(self, seed, texts, specials):
        self.rng = random.Random(seed)
        self.texts = texts
        self.specials = specials
        self.makers = [self.mutated] * 8 + [self.planes, self.runs, self.special_tokens, self.special_tokens, self.emoji,
                                            self.lines, self.numbers, self.contractions, self.spaces, self.jamo, self.indic,
                                            self.compatible, self.narrow, self.long_word]

    def text(self):
        """One kind of trouble in half of the cases, else several side by side."""
        if self.rng.random() < 0.5:
            return self.rng.choice(self.makers)()
        parts = [self.rng.choice(self.makers)()[: self.rng.choice((3, 10, 60))] for _ in range(self.rng.randrange(2, 6))]
        return self.rng.choice(("", "", " ", "\u0301")).join(parts)

    def some(self, pool, most):
        return [self.rng.choice(pool) for _ in range(self.rng.randrange(1, most))]

    def length(self, most):
        """Short ones are as common as long ones, on a log scale."""
        return int(most ** self.rng.random())

    def char(self):
        limit = self.rng.choice((0x80, 0x250, 0x600, 0x3000, 0x10000, 0x20000, 0x33000, 0x110000))
        while True:
            cp = self.rng.randrange(limit)
            if not 0xD800 <= cp <= 0xDFFF:
                return chr(cp)

    def slice(self, most=200):
        text = self.rng.choice(self.texts)
        begin = self.rng.randrange(len(text))
        return text[begin : begin + self.length(most)]

    def mutated(self):
        chars = list(self.slice())
        for _ in range(self.length(12)):
            at = self.rng.randrange(len(chars) + 1)
            action = self.rng.randrange(9)
            if action == 0:
                chars.insert(at, self.char())
            elif action == 1:
                chars[at:at] = self.some(MARKS, 4)
            elif action == 2:
                del chars[at : at + self.rng.randrange(1, 4)]
            elif action == 3:
                chars = list("".join(chars).upper())
            elif action == 4:
                chars[at:at] = self.slice(20)
            elif action == 5:
                chars.insert(at, self.rng.choice(SPACES))
            elif action == 6:
                chars[at:at] = chars[max(0, at - self.rng.randrange(6)) : at] * self.rng.randrange(1, 4)
            elif action == 7:
                chars.insert(at, self.rng.choice(ODD))
            else:
                chars = list(unicodedata.normalize(self.rng.choice(("NFD", "NFC", "NFKD")), "".join(chars)))
        return "".join(chars)

    def planes(self):
        return "".join(self.char() for _ in range(self.length(40)))

    def runs(self):
        pool = self.rng.choice((MARKS, SPACES, PUNCTUATION, [" "], ["\u0301"], ["."], ["!", "?"], ["-"], ["▁"], ["a", "\u0301"]))
        if self.rng.random() < 0.5:
            pool = [self.rng.choice(pool)]
        return self.rng.choice(("", "a", "é ")) + "".join(self.some(pool, 300)) + self.rng.choice(("", "b", " z"))

    def special_tokens(self):
        def disguised(token):
            full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in token)
            return self.rng.choice((token, token, token, full_width, token.lower(), token.upper(), token[:-1], token[1:],
                                    token.replace("<", "﹤").replace(">", "﹥"), token[0] + " " + token[1:], token + "\u0301",
                                    token[:2] + "\u00ad" + token[2:]))
        between = ["", "", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "a", "é", ".", "_", "\u0301", "中", "▁"]
        return "".join(disguised(self.rng.choice(self.specials)) + self.rng.choice(between) + self.rng.choice((
            "", self.slice(8))) for _ in range(self.rng.randrange(1, 6)))

    def emoji(self):
        return "".join(self.rng.choice(EMOJI) + self.rng.choice(EMOJI_GLUE) + self.rng.choice(EMOJI_GLUE + ["\u200d"] * 4)
                       for _ in range(self.rng.randrange(1, 12)))

    def lines(self):
        return "".join(self.rng.choice((self.slice(12), "\r\n", "\n", "\r", "\t", "\v", "\f", "\x85", "\u2028", "\r\r\n", " "))
                       for _ in range(self.rng.randrange(1, 20)))

    def numbers(self):
        return "".join(self.some(list("0123456789") + [",", ",", ".", " ", "-", ":", "/", "%", "١", "５", "，", "²", "a"], 40))

    def contractions(self):
        return self.rng.choice(("", " ")).join(self.rng.choice(CONTRACTIONS + ["I", "you", " ", "x1", "é"])
                                               for _ in range(self.rng.randrange(1, 12)))

    def spaces(self):
        return "".join(self.slice(6) + "".join(self.some(SPACES, 4)) for _ in range(self.rng.randrange(1, 10)))

    def jamo(self):
        parts = []
        for _ in range(self.rng.randrange(1, 12)):
            parts += [chr(self.rng.choice(block)) for block in JAMO if self.rng.random() < 0.7]
            parts.append(self.rng.choice(("", "", chr(self.rng.randrange(0xAC00, 0xD7A4)), chr(self.rng.randrange(0x3130, 0x3190)),
                                          chr(self.rng.randrange(0xA960, 0xA97D)), chr(self.rng.randrange(0xD7B0, 0xD7FC)), "\u302e")))
        return "".join(parts)

    def indic(self):
        start, letters = self.rng.choice(INDIC)
        others = [chr(start + i) for i in range(0x80) if unicodedata.category(chr(start + i)) != "Cn"]
        return "".join(self.rng.choice(letters if self.rng.random() < 0.8 else others) for _ in range(self.length(60))) + (
            self.rng.choice(("", "\u200d", "\u200c", " ")))

    def compatible(self):
        return "".join(self.rng.choice(COMPATIBLE) + self.rng.choice(("", "", self.rng.choice(MARKS), "\u200d", "a", " "))
                       for _ in range(self.rng.randrange(1, 16)))

    def narrow(self):
        """Few different letters: many ways to cut them, and ties."""
        return "".join(self.some(self.rng.choice(("ab", "a", "e t", "the ", "ing", "a\u0301", "1,", "0", "=-", "ア", "的一", "ан ")), 200))

    def long_word(self):
        return "".join(self.rng.choice((self.slice(3).replace(" ", ""), "a", "é", "1")) for _ in range(self.rng.choice(
            (30, 99, 100, 101, 130))))


def chunks_of(kind, texts):
    """Number of chunks of a kind."""
    count = {"real": len(texts), "points": len(PROBED) * 2, "random": RANDOM_STRINGS, "pairs": PAIRS}.get(kind)
    return LIMITS if kind == "limits" else -(-count // CHUNK)


def chunk(kind, number, texts, specials):
    """The inputs of one chunk."""
    if kind == "real":
        return [{"text": text} for text in texts[number * CHUNK : (number + 1) * CHUNK]]
    if kind == "points":
        half = CHUNK // 2
        return [{"text": text} for text in code_point_texts(PROBED[number * half : (number + 1) * half])]
    source = Random(f"{kind} {number}", texts, specials)
    if kind == "random":
        return [{"text": source.text()} for _ in range(CHUNK)]
    if kind == "pairs":
        make = [source.text, source.slice, lambda: source.rng.choice(texts), lambda: ""]
        weights = [6, 6, 3, 1]
        return [{"text": source.rng.choices(make, weights)[0](), "pair": source.rng.choices(make, weights)[0]()}
                for _ in range(CHUNK)]
    return limits(number, source)


def limits(limit, source):
    given = [{"text": source.slice(400)} for _ in range(6)] + [{"text": source.text()[:200]} for _ in range(3)] + [{"text": ""}]
    given += [{"text": source.slice(400), "pair": source.slice(400)} for _ in range(8)]
    given += [{"text": source.text()[:100], "pair": source.text()[:100]} for _ in range(3)]
    given += [{"text": "a", "pair": source.slice()}, {"text": source.slice(), "pair": ""}]
    strides = sorted({0, 1, 3, limit // 2, max(0, limit - 3)})
    return [{**line, "max_length": limit, "stride": stride, "strategy": strategy, "side": side}
            for stride in strides for strategy in ("longest_first", "only_first", "only_second")
            for side in ("right", "left") for line in given]
