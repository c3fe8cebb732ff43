#!/usr/bin/env python3
"""Prints one table of the two dish finders, ALBERT beside a BERT of the same width and depth.

The ALBERT is the package in demo/models/; the BERT is trained first if the work folder does not hold it (some
minutes). Both find the dishes of made-up reviews whose sentences and dishes are new to them, one review at a time, as
exported. Time is the median of `forward` for one review on one thread, tokenizing not counted, the two taking turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import train_dishes
import timing  # (after training: before torch)
from dishes import Review, reviews
from scores import SpanScores, score_spans
from steps import size_of
from timing import Package

TIMED_REVIEWS = 200


def judge(package: Package, wanted: Sequence[Review]) -> SpanScores:
    """How well the package finds the reviews' dishes."""
    found = []
    for review in wanted:
        logits = package.logits(review.text).numpy()
        found.append(train_dishes.spans_of(logits, package.tokenizer.encode(review.text)))
    return score_spans([review.spans for review in wanted], found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--reviews", type=int, default=train_dishes.SCORED, help="how many to judge (default: %(default)s)")
    add("--rounds", type=int, default=5, help=f"how often each of {TIMED_REVIEWS} reviews is timed (default: 5)")
    arguments = parser.parse_args()
    plan = train_dishes.Plan(train_dishes.HERE / "work" / "dishes", train_dishes.HERE / "models")
    directories = {name: plan.package_folder(name) / f"dishes-{name}" / "1" for name in train_dishes.NAMES}
    for name, path in directories.items():
        if not path.is_dir():
            train_dishes.learn(plan, name, train_dishes.teach(plan))
    packages = {name: timing.load(path) for name, path in directories.items()}
    trials = train_dishes.trials()
    first = next(iter(trials))
    wanted = {title: reviews(arguments.reviews, *lists, train_dishes.SEED + 2) for title, lists in trials.items()}
    texts = [review.text for review in wanted[first][:TIMED_REVIEWS]]
    times = timing.milliseconds(packages, texts, arguments.rounds)

    size = train_dishes.SIZE
    print(f"{size.layers} layers x {size.hidden}, {arguments.reviews} made-up reviews for each score\n")
    print(f"| | parameters | package | a text | {' | '.join(f'F1, {title}' for title in trials)} |")
    print(f"| --- | --- | --- | --- |{' --- |' * len(trials)}")
    for name, package in packages.items():
        scores = " | ".join(f"{judge(package, some).f1:.4f}" for some in wanted.values())
        bytes_used = f"{size_of(package.directory) / 1e6:.2f} MB"
        title = train_dishes.FAMILIES[name].title
        print(f"| {title} | {package.parameters():,} | {bytes_used} | {times[name]:.2f} ms | {scores} |")


if __name__ == "__main__":
    main()
