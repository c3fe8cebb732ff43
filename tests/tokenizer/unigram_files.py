"""tokenizer.json files of XLNet and ALBERT, as published in 2020 ("hub") and as transformers converts them since 4.40
("converted"), with made-up vocabularies: pieces of the sample words, with random scores among which there are ties.
"""

import base64
import importlib.machinery
import importlib.util
import pathlib
import random
import struct
import unicodedata

from parity_support import SCALARS, WORDS

MARK = "\u2581"
USER_DEFINED = {"xlnet": [".", "(", ")", '"', "-", "\u2013", "\u00a3", "\u20ac"],
                "albert": ["(", ")", '"', "-", ".", "\u2013", "\u00a3", "\u20ac"]}
SPECIAL = {"xlnet": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
           "albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]}
# The rules of sentencepiece beyond NFKC: controls vanish, white space becomes a space.
REMOVED = [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F, 0x8F, 0x9F]
SPACES = [0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD]


def charsmap(mapping):
    path = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "generate-unicode-tables"
    loader = importlib.machinery.SourceFileLoader("generate_unicode_tables", str(path))
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(script)
    return script.charsmap(mapping)


def mapping(characters=None):
    """What nmt_nfkc does, roughly: single characters, and pairs that compose. `characters`: only these."""
    known = {chr(cp) for cp in SCALARS} if characters is None else set(characters)
    found = {}
    for char in sorted(known):
        normal = unicodedata.normalize("NFKC", char)
        if normal != char:
            found[char] = normal
        parts = unicodedata.normalize("NFD", char)
        if len(parts) == 2 and unicodedata.normalize("NFC", parts) == char:
            found[parts] = char
    found.update({chr(cp): "" for cp in REMOVED})
    found.update({chr(cp): " " for cp in SPACES if characters is None or cp < 0x80 or chr(cp) in known})
    return found


def score(rng):
    """A 32-bit number, as sentencepiece has them, often one that others have too."""
    value = rng.choice([-5.5, -7.25, -9.0, -11.125]) if rng.random() < 0.3 else -rng.uniform(2, 16)
    return struct.unpack("f", struct.pack("f", value))[0]


def vocabulary(family, words, size, seed=1):
    rng = random.Random(seed)
    pieces = {piece: 0 for piece in SPECIAL[family] + USER_DEFINED[family]}
    characters = sorted({char for word in words for char in word})
    for piece in [MARK, ",", MARK + '"', "2010,", MARK + "2010", *characters[::2]]:
        pieces.setdefault(piece, score(rng))
    while len(pieces) < size:
        word = MARK + rng.choice(words)
        begin = rng.choice([0, rng.randrange(len(word))])
        pieces.setdefault(word[begin : begin + rng.randrange(1, 9)], score(rng))
    return [[piece, number] for piece, number in pieces.items()]


def added(family, vocab, layout):
    place = {piece: number for number, (piece, _) in enumerate(vocab)}
    mask = "<mask>" if family == "xlnet" else "[MASK]"
    tokens = [dict(id=place[name], content=name, single_word=False, lstrip=name == mask, rstrip=False,
                   normalized=name == "<mask>", special=True) for name in SPECIAL[family]]
    if layout == "converted":
        tokens += [dict(id=place[name], content=name, single_word=False, lstrip=False, rstrip=False, normalized=False,
                        special=False) for name in USER_DEFINED[family]]
    return tokens


def template(family, vocab):
    place = {piece: number for number, (piece, _) in enumerate(vocab)}
    first, second = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))

    def special(name, number):
        return {"SpecialToken": {"id": name, "type_id": number}}

    if family == "xlnet":
        names = ["<sep>", "<cls>"]
        single = [first, special("<sep>", 0), special("<cls>", 2)]
        pair = [first, special("<sep>", 0), second, special("<sep>", 1), special("<cls>", 2)]
    else:
        names = ["[CLS]", "[SEP]"]
        single = [special("[CLS]", 0), first, special("[SEP]", 0)]
        pair = single + [second, special("[SEP]", 1)]
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {name: {"id": name, "ids": [place[name]], "tokens": [name]} for name in names}}


def tokenizer_file(family, layout, charsmap_bytes, words=WORDS, size=1500):
    vocab = vocabulary(family, words, size)
    steps = [{"type": "Replace", "pattern": {"String": quote}, "content": '"'} for quote in ("``", "''")]
    steps += [{"type": "NFKD"}, {"type": "StripAccents"}]
    steps += [{"type": "Lowercase"}] if family == "albert" else []
    steps += [{"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap_bytes).decode()}]
    if layout == "hub":
        pre_tokenizer = {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": MARK, "str_rep": MARK, "add_prefix_space": True}]}
    else:
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
        pre_tokenizer = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added(family, vocab, layout),
        "normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": pre_tokenizer,
        "post_processor": template(family, vocab), "decoder": None,
        "model": {"type": "Unigram", "unk_id": SPECIAL[family].index("<unk>"), "vocab": vocab, "byte_fallback": False},
    }
