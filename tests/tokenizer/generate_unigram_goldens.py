#!/usr/bin/env python3
"""Writes tests/tokenizer/data/{xlnet_hub,albert_converted}.json, small files of the Unigram family, and what `tokenizers`
makes of some texts with them. Run it again after changing unigram_files.py: python tests/tokenizer/generate_unigram_goldens.py
"""

import json
import random

import tokenizers

import parity_support
import unigram_files
from generate_goldens import DATA, KEPT, SENTENCES
from test_parity_unigram import PIECES, random_text


def main():
    rng = random.Random(7)
    texts = SENTENCES + PIECES + [random_text(rng) for _ in range(120)]
    used = {char for text in SENTENCES + PIECES for char in text} | {chr(cp) for cp in range(0x250)}
    charsmap = unigram_files.charsmap(unigram_files.mapping(used))
    for family, layout in (("xlnet", "hub"), ("albert", "converted")):
        content = unigram_files.tokenizer_file(family, layout, charsmap, size=700)
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
        (DATA / f"{family}_{layout}.json").write_text(text + "\n")
        reference = tokenizers.Tokenizer.from_str(text)
        lines = []
        for number, sample in enumerate(texts):
            pair = texts[number * 7 % len(texts)] if number % 5 == 0 else None
            encoding = reference.encode(sample, pair)
            given = {"text": sample, **({"pair": pair} if pair is not None else {})}
            answer = parity_support.answer_of(given, encoding, len(encoding.ids))
            line = {"text": sample, "pair": pair, **{key: answer[key] for key in KEPT}}
            lines.append(json.dumps(line, separators=(",", ":")))
        (DATA / f"{family}_{layout}.golden.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
