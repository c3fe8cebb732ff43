#!/usr/bin/env python3
"""Writes the tokenizer.json files of the campaign: published vocabularies, and stand-ins for those that are not to be had.

    standins.py [--small] [--folder DIR] [--only NAME ...]

The vocabularies of BERT (cased, multilingual, Chinese), GPT-2 and RoBERTa are the published ones, out of the package
blingfire; the stand-ins for XLNet and ALBERT are trained on the texts of corpus.py as their authors trained (sizes, special
tokens, normalization, symbols). They are saved in the layout of the files published in 2020 (NAME-hub) and in that of
transformers' converters (NAME-converted; NAME where a family has one layout only). Beside the tokenizer.json of a family
stand the files that came before it: vocab.txt, vocab.json with merges.txt, or spiece.model. --small trains few pieces for
everything but BERT and leaves the rest the same: files for the tree.
The result depends on training.txt and the versions of the packages in requirements.txt only.
"""

import argparse
import collections
import copy
import importlib.util
import itertools
import json
import os
import pathlib
import shutil
import struct
import sys

import corpus

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import sentencepiece
import tokenizers
import transformers
from tokenizers import models, pre_tokenizers, trainers

SIZES = {"bpe": (50257, 2500), "xlnet": (32000, 2200), "albert": (30000, 2200), "albert-cf": (30000, 2200)}  # full, small
USER_DEFINED = ["(", ")", '"', "-", ".", "–", "£", "€"]


class Texts:
    """Lines to train on; for the small files a sample of them."""

    def __init__(self, folder, small):
        self.path, self.small, self.every = folder / "training.txt", small, 60 if small else 1

    def lines(self, keep=lambda line: True, every=1):
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file):
                if number % (self.every * every) == 0 and keep(line):
                    yield line.rstrip("\n")


def mostly_latin(line):
    """English and its neighbours, with some of everything else, as in what the English models were trained on."""
    return sum(c < "\u0250" for c in line) > 0.95 * len(line) or hash_of(line) % 40 == 0


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


# Published vocabularies, which a Python package carries in a form of its own


def published_tokens(name):
    """The tokens of blingfire's file NAME.i2w, as bytes, in the order of their ids: after a header a count, the places where
    each token begins and the last one ends, and the tokens."""
    spec = importlib.util.find_spec("blingfire")
    data = (pathlib.Path(spec.submodule_search_locations[0]) / f"{name}.i2w").read_bytes()
    for at in range(0x50, 0x90):
        (count,) = struct.unpack_from("<I", data, at)
        begin = at + 4 + 4 * (count + 1)
        if not 1000 < count < 1_000_000 or begin > len(data):
            continue
        places = struct.unpack_from(f"<{count + 1}I", data, at + 4)
        if places[0] == 0 and list(places) == sorted(places) and begin + places[-1] <= len(data):
            return [data[begin + first : begin + last] for first, last in itertools.pairwise(places)]
    raise ValueError(f"{name}.i2w is not what it was")


def make_bert(texts, folder, sizes):
    for name, file, lowercase in (("bert-cased", "bert_base_cased_tok", False), ("bert-multilingual", "bert_multi_cased", False),
                                  ("bert-chinese", "bert_chinese", True)):
        # There a space marks the start of a word, instead of ## that of what goes on.
        pieces = [token.decode() for token in published_tokens(file)]
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        lines = (piece[1:] if piece.startswith(" ") else "##" + piece for piece in pieces)
        (target / "vocab.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        fast = transformers.BertTokenizerFast(vocab_file=str(target / "vocab.txt"), do_lower_case=lowercase)
        save(folder, name, converted(fast))


# Byte-level BPE


def make_bpe(texts, folder, sizes):
    """One list of merges, and the two vocabularies that share it: GPT-2's numbers it in the order of the merges, RoBERTa's
    by how often each piece occurs."""
    if texts.small:
        vocab, merges, roberta_vocab = trained_bpe(texts, sizes["bpe"])
    else:
        vocab, merges, roberta_vocab = published_bpe()
    write_gpt2(folder, vocab, merges)
    write_roberta(folder, roberta_vocab, merges)


def published_bpe():
    """GPT-2's ids are the order of its merges, so each token's merge is how the earlier ones leave it in two."""
    character_of = bytes_to_characters()
    vocabularies = []
    for name in ("gpt2", "roberta"):
        tokens = published_tokens(name)
        # The package made spaces of the first control characters, which stand in the order of bytes after the last byte.
        blanks = [byte for byte in range(4) if bytes([byte]) not in tokens]
        at = tokens.index(b"\xff") + 1
        tokens[at : at + len(blanks)] = [bytes([byte]) for byte in blanks]
        tokens = ("".join(character_of[byte] for byte in token) for token in tokens)
        vocabularies.append({token: number for number, token in enumerate(tokens)})
    vocab, roberta_vocab = vocabularies
    merges = [" ".join(two_parts(token, vocab)) for token, rank in vocab.items() if 256 <= rank < len(vocab) - 1]
    return vocab, merges, roberta_vocab


def two_parts(token, ranks):
    parts = list(token)
    while len(parts) > 2:
        at = min(range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], len(ranks)))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def bytes_to_characters():
    """GPT-2's way to write bytes as printable characters."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def trained_bpe(texts, size):
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=size - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
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
    return vocab, merges, {piece: number for number, piece in enumerate(names)}


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


MAKERS = {"bert": make_bert, "bpe": make_bpe, "xlnet": make_xlnet, "albert": make_albert, "albert-cf": make_albert_cf}


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
