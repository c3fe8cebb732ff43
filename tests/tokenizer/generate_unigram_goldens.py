#!/usr/bin/env python3
"""Writes tests/tokenizer/data/{xlnet_hub,albert_converted}.json, small files of the Unigram family, and what `tokenizers`
makes of some texts with them. Run it again after changing unigram_files.py: python tests/tokenizer/generate_unigram_goldens.py
"""

import random

import unigram_files
from generate_goldens import SENTENCES, write
from test_parity_unigram import PIECES, random_text


def main():
    rng = random.Random(7)
    texts = SENTENCES + PIECES + [random_text(rng) for _ in range(120)]
    used = {char for text in SENTENCES + PIECES for char in text} | {chr(cp) for cp in range(0x250)}
    charsmap = unigram_files.charsmap(unigram_files.mapping(used))
    for family, layout in (("xlnet", "hub"), ("albert", "converted")):
        content = unigram_files.tokenizer_file(family, layout, charsmap, size=700)
        write(f"{family}_{layout}", content, texts)


if __name__ == "__main__":
    main()
