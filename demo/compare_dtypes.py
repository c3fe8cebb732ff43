#!/usr/bin/env python3
"""Prints what the numeric types of the fused engine cost the demo models in accuracy.

Starts a berthad for each type and asks it, through the Python client, for the labels of all held-out posts, and for the
dishes of made-up reviews whose sentences and dishes are new to the model, as compare_dishes.py makes them. "others than
fp32" counts posts with another label, and reviews with other dishes, than the first type gave.

Exit status 1 if a model is computed by something else than was asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("demo", "models/export", "clients/python", "tests/e2e")]

import train_dishes  # noqa: E402  (before torch)
import dishes  # noqa: E402
from bertha import Client, ModelStatus  # noqa: E402
from e2e_support import Daemon  # noqa: E402
from heldout import heldout  # noqa: E402
from scores import Scores, SpanScores, score, score_spans  # noqa: E402

DTYPES = ("fp32", "bf16", "int8")
TRIAL = "new dishes in new sentences"
NAMES = {"macro_f1": "macro-F1", "mcc": "MCC", "f1": "F1"}  # of scores
PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Row:
    """One model in one type."""

    name: str
    asked: str
    computed: str
    scores: Scores | SpanScores
    answers: list  # for each text: a label, or spans


def judge_posts(client: Client, name: str, posts: Sequence[tuple[str, str]]) -> tuple[Scores, list[str]]:
    """How well a model labels (text, label) pairs, and its labels."""
    found = [result.label for result in client.classify([text for text, _ in posts], model=name, timeout=PATIENCE)]
    labels = sorted({label for _, label in posts} | set(found))
    return score([labels.index(label) for _, label in posts], [labels.index(label) for label in found]), found


def judge_reviews(client: Client, name: str, reviews: Sequence[dishes.Review]) -> tuple[SpanScores, list]:
    """How well a model finds the reviews' dishes, and the spans that it found."""
    tagged = client.tag([review.text for review in reviews], model=name, aggregation="simple", timeout=PATIENCE)
    found = [[(entity.start, entity.end) for entity in result.entities] for result in tagged]
    return score_spans([review.spans for review in reviews], found), found


def judge(client: Client, model: ModelStatus, dtype: str, posts: Sequence, reviews: Sequence) -> Row:
    how: Callable = judge_reviews if model.task == "token-classification" else judge_posts
    scores, answers = how(client, model.name, reviews if how is judge_reviews else posts)
    return Row(model.name, f"fused {dtype}", f"{model.engine} {model.dtype}", scores, answers)


def measure(wish: argparse.Namespace, posts: Sequence, reviews: Sequence) -> list[Row]:
    rows = []
    for dtype in wish.dtype or DTYPES:
        with tempfile.TemporaryDirectory() as scratch:
            flags = ("--engine", "fused", "--dtype", dtype, "--cpu-threads", wish.threads)
            daemon = Daemon(wish.berthad, wish.models, Path(scratch) / "log", *flags)
            try:
                daemon.wait_serving()
                with Client(daemon.address) as client:
                    models = [model for model in client.models() if model.task != "embeddings"]
                    rows += [judge(client, model, dtype, posts, reviews) for model in models]
            finally:
                daemon.close()
    return sorted(rows, key=lambda row: row.name)


def others(row: Row, rows: Sequence[Row]) -> int:
    """Texts with another answer than that of the first type."""
    first = next(one for one in rows if one.name == row.name)
    return sum(mine != theirs for mine, theirs in zip(row.answers, first.answers, strict=True))


def table(rows: Sequence[Row], all_rows: Sequence[Row]) -> str:
    kinds = list(asdict(rows[0].scores))
    first = rows[0].asked.split()[1]
    heads = ["", "computed by", *(NAMES.get(kind, kind) for kind in kinds), f"others than {first}"]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        figures = [f"{asdict(row.scores)[kind]:.4f}" for kind in kinds]
        lines.append([row.name, row.computed, *figures, str(others(row, all_rows))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", type=Path, default=HERE / "models", metavar="DIR", help="the packages (default: demo/models)")
    add("--dtype", action="append", choices=DTYPES, help="only this one (may be repeated; default: all)")
    add("--posts", type=int, help="judge only so many posts, evenly spread (default: all)")
    add("--reviews", type=int, default=train_dishes.SCORED, help="how many to judge (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="of berthad (default: 1)")
    add("--berthad", type=Path, default=ROOT / "build/release/bin/berthad", metavar="FILE")
    add("--json", action="store_true", help="the results as JSON")
    wish = parser.parse_args()
    posts = heldout()
    posts = posts[:: max(1, len(posts) // (wish.posts or len(posts)))]
    reviews = dishes.reviews(wish.reviews, *train_dishes.trials()[TRIAL], train_dishes.SEED + 2)
    rows = measure(wish, posts, reviews)
    if wish.json:
        found = [{**asdict(row), "others": others(row, rows)} for row in rows]
        print(json.dumps([{key: value for key, value in row.items() if key != "answers"} for row in found], indent=1))
    else:
        for title, kind in ((f"{len(posts)} held-out posts", Scores), (f"{len(reviews)} reviews, {TRIAL}", SpanScores)):
            if some := [row for row in rows if isinstance(row.scores, kind)]:
                print(f"{title}\n\n{table(some, rows)}\n")
    return 0 if all(row.computed == row.asked for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
