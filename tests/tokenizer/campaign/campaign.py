#!/usr/bin/env python3
"""Compares the built tokenizer with the Hugging Face `tokenizers` library on everything that is hard, family by family.

    campaign.py [--only FAMILY ...] [--file NAME=tokenizer.json ...] [--share PERCENT] [--json FILE]
    campaign.py --self-test

Needs build/release/bin/tokenizer_encode (or BERTHA_BUILD_DIR), texts from corpus.py and the files from standins.py. Compares
ids, type ids, tokens, offsets in code points and in bytes, special token masks, word ids and overflow windows of
    real       every text of the corpus
    points     every assigned code point alone, between letters and beside what combines with it
    random     seeded strings
    pairs      two texts at once
    limits     truncation at every limit from 0 to 64, both directions, three strategies, several strides
and prints, per family and kind, how many texts and how many differences; for the first ones a text as short as can be
found. Exit status 1 if anything differs. --share runs that part of everything. --self-test gives the built tokenizer
altered files and fails unless each alteration is noticed.
"""

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import random
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes here share the cores

import tokenizers

import corpus
import inputs
from differences import Family
from families import FAMILIES, family_file, loaded
from implementations import BINARY
from planted_errors import self_test

EXAMPLES = 3  # of each family and kind
STATE = {}


def work(task):
    """Runs in a worker: one chunk of one family. Families come one after the other, so one is kept."""
    name, file, kind, number = task
    if STATE.get("name") != name:
        if "family" in STATE:
            STATE["family"].close()
        STATE.update(name=name, family=Family(loaded(file)), examples=collections.Counter())
    family = STATE["family"]
    given = inputs.chunk(kind, number, STATE["texts"], family.specials)
    different, refused = family.compare(given)
    examples = []
    for line in different:
        if STATE["examples"][kind] >= EXAMPLES:
            break
        STATE["examples"][kind] += 1
        examples.append(family.example(line))
    return name, kind, len(given), len(different), refused, examples


def quiet(texts):
    """Start of a worker. A panic of the library prints to standard error, thousands of times."""
    STATE["texts"] = texts
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def tasks_of(name, file, texts, share):
    for kind in inputs.KINDS:
        count = inputs.chunks_of(kind, texts)
        numbers = range(count)
        if share < 100:
            numbers = sorted(random.Random(f"{kind} share").sample(numbers, max(1, count * share // 100)))
        for number in numbers:
            yield name, file, kind, number


def run(files, texts, share, jobs):
    """{family: {kind: [texts, differences, refused by the library]}}, and the examples."""
    totals = {name: {kind: [0, 0, 0] for kind in inputs.KINDS} for name in files}
    examples = []
    tasks = [task for name, file in files.items() for task in tasks_of(name, file, texts, share)]
    begin, told = time.monotonic(), 0.0
    with multiprocessing.Pool(jobs, initializer=quiet, initargs=(texts,)) as pool:
        for done, (name, kind, count, different, refused, found) in enumerate(pool.imap(work, tasks), 1):
            for place, value in enumerate((count, different, refused)):
                totals[name][kind][place] += value
            for example in found:
                examples.append({"family": name, "kind": kind, **example})
                print(f"\n{name} {kind}: {json.dumps(example, ensure_ascii=True)[:3000]}", file=sys.stderr)
            if time.monotonic() - told > 5 or done == len(tasks):
                told = time.monotonic()
                print(f"\r{done} of {len(tasks)} chunks, {told - begin:.0f} s, {name} {kind}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return totals, examples


def table(totals):
    lines = [f"{'family':20}" + "".join(f"{kind:>22}" for kind in inputs.KINDS) + f"{'differences':>14}"]
    for name, kinds in totals.items():
        cells = [f"{count:,} / {different:,}" + (f" ({refused} no)" if refused else "")
                 for count, different, refused in kinds.values()]
        lines.append(f"{name:20}" + "".join(f"{cell:>22}" for cell in cells) + f"{sum(k[1] for k in kinds.values()):>14,}")
    lines.append("texts / differences; (n no): the library itself fails on n of them")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=corpus.FOLDER)
    parser.add_argument("--only", nargs="+", metavar="FAMILY")
    parser.add_argument("--file", nargs="+", metavar="NAME=PATH", default=[], help="more files to compare with")
    parser.add_argument("--share", type=int, default=100, help="percent")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    extra = dict(item.split("=", 1) for item in arguments.file)
    names = arguments.only if arguments.only is not None else [] if extra else FAMILIES
    files = {**{name: str(family_file(arguments.folder, name)) for name in names}, **extra}
    missing = [path for path in [BINARY, *map(pathlib.Path, files.values())] if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is missing")
    texts = inputs.real_texts(arguments.folder)
    if arguments.self_test:
        return self_test(files, texts)
    totals, examples = run(files, texts, arguments.share, arguments.jobs)
    print(table(totals))
    count, different = (sum(kind[place] for kinds in totals.values() for kind in kinds.values()) for place in (0, 1))
    if arguments.json:
        arguments.json.write_text(json.dumps({"tokenizers": tokenizers.__version__, "totals": totals, "examples": examples}))
    print(f"{count:,} texts, {different:,} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
