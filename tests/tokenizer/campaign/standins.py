#!/usr/bin/env python3
"""Trains stand-ins for the published vocabularies, on the texts of corpus.py, and writes their tokenizer.json files.

    standins.py [--small] [--folder DIR] [--only NAME ...]

Each family is trained as its authors published it (sizes, special tokens, normalization, symbols) and saved in the layout
of the files published in 2020 (NAME-hub) and in that of transformers' converters (NAME-converted; NAME where a family has
one layout only). Beside the tokenizer.json of a family stand the files that came before it: vocab.txt, vocab.json with
merges.txt, or spiece.model. --small makes files for the tree: few pieces, the same everything else.
The result depends on training.txt and the versions of the two trainers only. Needs the packages in requirements.txt.
"""

import argparse
import collections
import copy
import itertools
import json
import os
import pathlib
import shutil
import sys
import unicodedata

import corpus

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, models, normalizers, pre_tokenizers, trainers

SIZES = {  # full, small
    "bert-cased": (28996, 2600),
    "bert-multilingual": (119547, 6000),
    "bert-chinese": (21128, 4000),
    "bpe": (50257, 2500),
    "xlnet": (32000, 2200),
    "albert": (30000, 2200),
    "albert-cf": (30000, 2200),
}
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
USER_DEFINED = ["(", ")", '"', "-", ".", "–", "£", "€"]
IDEOGRAPHS = range(0x4E00, 0x9FFF + 1)


class Texts:
    """Lines to train on; for the small files a sample of them."""

    def __init__(self, folder, small):
        self.path, self.every = folder / "training.txt", 60 if small else 1

    def lines(self, keep=lambda line: True, every=1):
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file):
                if number % (self.every * every) == 0 and keep(line):
                    yield line.rstrip("\n")


def mostly_latin(line):
    """English and its neighbours, with some of everything else, as in what the English models were trained on."""
    return sum(c < "\u0250" for c in line) > 0.95 * len(line) or hash_of(line) % 40 == 0


def with_ideographs(line):
    return any(ord(c) in IDEOGRAPHS for c in line) or line.isascii() and hash_of(line) % 20 == 0


def hash_of(line):
    """Same in every process, unlike hash()."""
    return sum(map(ord, line)) * 2654435761 >> 4


def converted(fast):
    """The tokenizer.json of one of transformers' classes."""
    return json.loads(fast.backend_tokenizer.to_str())


def save(folder, name, content):
    path = folder / name / "tokenizer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    tokenizers.Tokenizer.from_str(text)  # the library reads it
    path.write_text(text, encoding="utf-8")
    print(f"{name}: {path.stat().st_size / 1e6:.2f} MB", file=sys.stderr)
    return path.parent


# WordPiece


def train_wordpiece(lines, size, lowercase, alphabet):
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=None)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=[], limit_alphabet=alphabet, show_progress=False,
                                        continuing_subword_prefix="##")
    tokenizer.train_from_iterator(lines, trainer)
    pieces = tokenizer.get_vocab()
    return sorted(pieces, key=pieces.get)


def bert_vocabulary(pieces, size):
    """As Google numbered it: [PAD], 99 unused, the other special tokens from 100 on, the pieces after them."""
    unused = [f"[unused{i}]" for i in range(1, 100)]
    head = ["[PAD]", *unused, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    rest = [piece for piece in pieces if piece not in head]
    return (head + rest)[:size]


def bert(folder, name, pieces, size, lowercase=False):
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    vocabulary = target / "vocab.txt"
    vocabulary.write_text("".join(piece + "\n" for piece in bert_vocabulary(pieces, size)), encoding="utf-8")
    save(folder, name, converted(transformers.BertTokenizerFast(vocab_file=str(vocabulary), do_lower_case=lowercase)))


def make_bert_cased(texts, folder, sizes):
    bert(folder, "bert-cased", train_wordpiece(texts.lines(mostly_latin), sizes["bert-cased"], False, 1000),
         sizes["bert-cased"])


def make_bert_multilingual(texts, folder, sizes):
    size = sizes["bert-multilingual"]
    bert(folder, "bert-multilingual", train_wordpiece(texts.lines(every=2), size, False, size // 8), size)


def make_bert_chinese(texts, folder, sizes):
    """Nearly all of the published one is single characters, bare and continuing, since every ideograph stands alone."""
    size = sizes["bert-chinese"]
    seen = collections.Counter(c for line in texts.lines(with_ideographs) for c in line if ord(c) in IDEOGRAPHS)
    ideographs = sorted(seen, key=lambda c: (-seen[c], c))[: size // 3]
    pieces = train_wordpiece(texts.lines(lambda line: line.isascii(), every=4), size // 3, True, 200)
    known = ideographs + pieces
    bert(folder, "bert-chinese", known + ["##" + c for c in ideographs if "##" + c not in pieces], size, True)


# Byte-level BPE


def make_bpe(texts, folder, sizes):
    """One list of merges, and the two vocabularies that share it: GPT-2's numbers it in the order of the merges, RoBERTa's
    by how often each piece occurs."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=sizes["bpe"] - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(texts.lines(mostly_latin), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [" ".join(merge) for merge in model["merges"]]
    vocab = {**model["vocab"], "<|endoftext|>": len(model["vocab"])}

    counts = collections.Counter()
    for encoding in tokenizer.encode_batch_fast(list(texts.lines(mostly_latin, every=40))):
        counts.update(encoding.tokens)
    by_count = sorted(vocab, key=lambda piece: (-counts[piece], vocab[piece]))
    names = ["<s>", "<pad>", "</s>", "<unk>", *by_count, "madeupword0000", "madeupword0001", "madeupword0002", "<mask>"]
    roberta_vocab = {piece: number for number, piece in enumerate(names)}

    write_gpt2(folder, vocab, merges)
    write_roberta(folder, roberta_vocab, merges)


def write_bpe_files(target, vocab, merges):
    target.mkdir(parents=True, exist_ok=True)
    (target / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (target / "merges.txt").write_text("".join(f"{line}\n" for line in ["#version: 0.2", *merges]), encoding="utf-8")
    return str(target / "vocab.json"), str(target / "merges.txt")


def as_published_in_2020(content):
    """The older library wrote merges as "a b", and knew neither "type" of a model nor the newest switches."""
    content = copy.deepcopy(content)
    model = content["model"]
    for newer in ("type", "byte_fallback", "ignore_merges"):
        model.pop(newer, None)
    model["merges"] = [" ".join(merge) if isinstance(merge, list) else merge for merge in model["merges"]]
    for part in ("pre_tokenizer", "post_processor", "decoder"):
        content[part].pop("use_regex", None)
    return content


def write_gpt2(folder, vocab, merges):
    content = converted(transformers.GPT2TokenizerFast(*write_bpe_files(folder / "gpt2-converted", vocab, merges)))
    save(folder, "gpt2-converted", content)
    hub = as_published_in_2020(content)
    # The published file; its post-processor is the same in both but for add_prefix_space, which it does not look at.
    hub["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    write_bpe_files(folder / "gpt2-hub", vocab, merges)
    save(folder, "gpt2-hub", hub)


def write_roberta(folder, vocab, merges):
    content = converted(transformers.RobertaTokenizerFast(*write_bpe_files(folder / "roberta-converted", vocab, merges)))
    save(folder, "roberta-converted", content)
    write_bpe_files(folder / "roberta-hub", vocab, merges)
    save(folder, "roberta-hub", as_published_in_2020(content))


# Unigram


def train_unigram(texts, folder, name, size, small, **options):
    target = folder / f"{name}-converted"
    target.mkdir(parents=True, exist_ok=True)
    sentencepiece.set_random_generator_seed(20260)
    lines = texts.lines(mostly_latin, every=1 if small else 3)
    if small:  # the pieces of a digit and a comma, whose scores the converters change, are rare
        lines = itertools.chain(lines, (f"In {1900 + i % 9},{i % 7}, {i}, 100,000" for i in range(2000)))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=str(target / "spiece"),
        vocab_size=size, model_type="unigram", character_coverage=0.995 if small else 0.99995, minloglevel=2,
        num_threads=2, hard_vocab_limit=False, **options)
    (target / "spiece.vocab").unlink()
    return str(target / "spiece.model")


def hub_layout(content, added, typed):
    """The files of 2020 have no user-defined pieces among the added tokens, split at white space before Metaspace, and
    leave runs of spaces to that. Files of both kinds are about: with the type of the model and without."""
    content = copy.deepcopy(content)
    content["added_tokens"] = [{**token, "special": True} for token in content["added_tokens"] if token["content"] in added]
    steps = content["normalizer"]["normalizers"]
    content["normalizer"]["normalizers"] = [s for s in steps if "Regex" not in s.get("pattern", {})]
    metaspace = {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
    content["decoder"] = metaspace
    del content["model"]["byte_fallback"]
    if not typed:
        del content["model"]["type"]
    return content


def save_unigram(folder, name, content, added, model, typed):
    save(folder, f"{name}-converted", content)
    target = save(folder, f"{name}-hub", hub_layout(content, added, typed))
    shutil.copyfile(model, target / "spiece.model")


def make_xlnet(texts, folder, sizes):
    model = train_unigram(texts, folder, "xlnet", sizes["xlnet"], sizes["xlnet"] < 10000,
                          control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>"],
                          user_defined_symbols=["<eop>", ".", "(", ")", '"', "-", "–", "£", "€"])
    added = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    save_unigram(folder, "xlnet", converted(transformers.XLNetTokenizerFast(vocab_file=model)), added, model, True)


def make_albert(texts, folder, sizes, name="albert", rule="nmt_nfkc"):
    model = train_unigram(texts, folder, name, sizes[name], sizes[name] < 10000, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
                          control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=USER_DEFINED,
                          normalization_rule_name=rule)
    content = converted(transformers.AlbertTokenizerFast(vocab_file=model))
    save_unigram(folder, name, content, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], model, False)


def make_albert_cf(texts, folder, sizes):
    """With the other table of character replacements that sentencepiece brings for lowercase models."""
    make_albert(texts, folder, sizes, "albert-cf", "nmt_nfkc_cf")


MAKERS = {"bpe": make_bpe, "xlnet": make_xlnet, "albert": make_albert, "albert-cf": make_albert_cf,
          "bert-cased": make_bert_cased, "bert-chinese": make_bert_chinese, "bert-multilingual": make_bert_multilingual}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=corpus.FOLDER)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="+", choices=MAKERS, default=MAKERS)
    arguments = parser.parse_args()
    texts = Texts(arguments.folder, arguments.small)
    folder = arguments.folder / ("small" if arguments.small else "full")
    sizes = {name: both[arguments.small] for name, both in SIZES.items()}
    for name in arguments.only:
        MAKERS[name](texts, folder, sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
