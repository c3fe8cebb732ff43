#!/usr/bin/env python3
"""Writes tests/tokenizer/data/{xlnet,albert}.spiece.model, two tiny SentencePiece models that are set up as the
published ones, and {xlnet,albert}.spiece.jsonl: what transformers' slow tokenizers, which run SentencePiece itself,
make of some texts with them.

Left out are texts with which the published tokenizer.json is known to differ from the slow tokenizer: characters that
need more than the charsmap's single code points, and paths of equal score.
Needs the PyPI packages sentencepiece 0.2.1 and transformers 4.57.6; the tests need only what it writes.
"""

import contextlib
import json
import pathlib
import tempfile

import sentencepiece
import transformers

DATA = pathlib.Path(__file__).resolve().parent / "data"
LICENSE = DATA.parents[2] / "LICENSE"
SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "In 2010, he said (quietly): \"It costs £5 – or €6.\"",
    "Unaffable tokenization: don't split 3.14 wrongly!",
    "Between 1,234 and 5,678 people came in 1998, 1999, and 2010,",
    "A surprisingly good film - though the ending is a let-down.", "Café society in Zürich and São Paulo",
    "¼ of ① is ２０",
]
TEXTS = SENTENCES + [
    "", " ", "  two   spaces ", "(a)", "a.b", "``quoted''", "the <mask> dog", "the [MASK] dog", "the<sep>dog", "[SEP]",
    "x <eop> y", "<s> a </s>", "<unk>", "2010,", "in 2010, and", "1,234", "ÉCOLE", "naïve café", "ﬁ", "😀", "a😀😀b",
    "tab\tand\nline", "£5–€6", "\"-\"", "...", "- - -", "UPPER and lower",
]
SPECIALS = {
    "xlnet": dict(control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>", user_defined_symbols='<eop>,.,(,),"""",-,–,£,€'),
    "albert": dict(control_symbols="[CLS],[SEP],[MASK]", user_defined_symbols='(,),"""",-,.,–,£,€',
                   pad_id=0, unk_id=1, eos_id=-1, bos_id=-1),
}
SLOW = {"xlnet": transformers.XLNetTokenizer, "albert": transformers.AlbertTokenizer}


def train(name):
    """The bytes of a model. Works in the current folder: its path would become a part of the model."""
    corpus, rules = pathlib.Path("corpus.txt"), pathlib.Path("rules.tsv")
    lines = SENTENCES + [text.lower() for text in SENTENCES]
    corpus.write_text("\n".join(lines * 20) + "\n" + LICENSE.read_text() + "\n")
    # A few rules of nmt_nfkc, so that the models stay small: full-width digits, ligatures, a circled number, spaces.
    pairs = {0xFF10 + i: str(i) for i in range(10)}
    pairs |= {0xFB01: "fi", 0xFB02: "fl", 0x2460: "1", 0x3000: " ", 0xA0: " ", 9: " ", 10: " "}
    rules.write_text("".join(f"{cp:X}\t{' '.join(f'{ord(c):X}' for c in to)}\n" for cp, to in pairs.items()))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=name, vocab_size=300, hard_vocab_limit=False, model_type="unigram",
        normalization_rule_tsv=str(rules), minloglevel=2, num_threads=1, **SPECIALS[name])
    return pathlib.Path(f"{name}.model").read_bytes()


def main():
    for name, slow_class in SLOW.items():
        model = DATA / f"{name}.spiece.model"
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            model.write_bytes(train(name))
        slow = slow_class(str(model))
        lines = []
        for number, text in enumerate(TEXTS):
            pair = TEXTS[number * 5 % len(TEXTS)] if number % 3 == 0 else None
            answer = slow(text, pair)
            line = {"text": text, "pair": pair, "ids": answer["input_ids"], "type_ids": answer["token_type_ids"]}
            lines.append(json.dumps(line, separators=(",", ":")))
        (DATA / f"{name}.spiece.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
