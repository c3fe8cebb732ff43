#!/usr/bin/env python3
"""Prints one table of the five sentiment packages in demo/models/: how right, how large, how fast.

Every package judges the held-out posts one at a time, as exported. Time is the median of `forward` for one post on
one thread, tokenizing not counted, the packages taking turns. The teacher's row is there if train_sentiment.py left
its scores in the work folder; it is no package.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import quiet_threads  # noqa: F401  (before torch)
import timing
from families import FAMILIES
from heldout import heldout
from scores import Scores, score
from steps import size_of
from timing import Package

HERE = Path(__file__).resolve().parent
TIMED_POSTS = 200


def judge(package: Package, posts: Sequence[tuple[str, str]]) -> Scores:
    """How well the package does on (text, label) pairs."""
    labels = package.manifest["labels"]
    predictions = [int(package.logits(text).argmax()) for text, _ in posts]
    return score([labels.index(label) for _, label in posts], predictions)


def row(title: str, found: Scores, teacher: Scores | None, rest: str) -> str:
    share = f"{found.accuracy / teacher.accuracy:.1%}" if teacher else ""
    return f"| {title} | {found.accuracy:.4f} | {share} | {found.macro_f1:.4f} | {found.mcc:.4f} | {rest} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", type=Path, default=HERE / "models", help="model directory (default: demo/models)")
    add("--teacher", type=Path, default=HERE / "work" / "sentiment" / "teacher.json", help="the teacher's scores")
    add("--posts", type=int, help="judge only so many posts, evenly spread (default: all)")
    add("--rounds", type=int, default=5, help=f"how often each of {TIMED_POSTS} posts is timed (default: 5)")
    arguments = parser.parse_args()
    posts = heldout()
    posts = posts[:: max(1, len(posts) // (arguments.posts or len(posts)))]
    directories = {name: arguments.models / f"sentiment-{name}" / "1" for name in FAMILIES}
    packages = {name: timing.load(path) for name, path in directories.items() if path.is_dir()}
    for name in set(FAMILIES) - set(packages):
        print(f"no package of {name}: python demo/train_sentiment.py {name}", file=sys.stderr)
    teacher = None
    if arguments.posts is None and arguments.teacher.is_file():  # its scores are of all posts
        teacher = Scores(**json.loads(arguments.teacher.read_text()))
    timed = [text for text, _ in posts[:: max(1, len(posts) // TIMED_POSTS)]]
    times = timing.milliseconds(packages, timed, arguments.rounds)

    print(f"{len(posts)} held-out posts\n")
    print("| | accuracy | of the teacher's | macro-F1 | MCC | parameters | package | a text |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, package in packages.items():
        size = f"{size_of(package.directory) / 1e6:.2f} MB"
        rest = f"{package.parameters():,} | {size} | {times[name]:.2f} ms"
        print(row(FAMILIES[name].title, judge(package, posts), teacher, rest))
    if teacher:
        print(row("their teacher", teacher, teacher, " | | "))
    total = sum(size_of(package.directory) for package in packages.values())
    print(f"\nall packages: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
