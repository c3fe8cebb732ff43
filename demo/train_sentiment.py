#!/usr/bin/env python3
"""Trains the demo sentiment classifier and puts its package into demo/models/.

Steps: split the posts; fine-tune a teacher; let it judge the training posts and variations of them; train the
small student on those judgements; score it on the held-out posts; fill in the model card; export. Each step
leaves its result in the work folder and is skipped when that exists, so an interrupted run goes on where it
stopped.

The validation posts show how training goes. The held-out posts are read by the scoring step and nothing else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import string
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models" / "export")]

import training  # noqa: E402  (before torch)

import corpus  # noqa: E402
import numpy as np  # noqa: E402
import student  # noqa: E402
import teacher  # noqa: E402
import torch  # noqa: E402
from bertha_export import Request, export  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scores import Scores, score  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import cross_entropy, one_hot  # noqa: E402
from training import Recipe  # noqa: E402
from transformers import BertForSequenceClassification, BertTokenizerFast  # noqa: E402
from variations import variations  # noqa: E402

SEED = 20
TEACHER = Recipe(epochs=1, batch_size=64, learning_rate=1e-4)
STUDENT = Recipe(epochs=6, batch_size=128, learning_rate=1e-3)
VARIATIONS = 30_000
TEACHER_WEIGHT = 0.7  # of a training post's target; the people's label has the rest
LABEL_SMOOTHING = 0.05
NAME, VERSION = "sentiment-bert", 1


@dataclass(frozen=True)
class Plan:
    """Where a run works, and how much it does."""

    work: Path
    output: Path
    teacher: Recipe = TEACHER
    student: Recipe = STUDENT
    variations: int = VARIATIONS
    posts: int | None = None  # at most so many of each part

    def part(self, name: str) -> list[corpus.Post]:
        """The posts of one part of the split."""
        posts = corpus.load()[name]
        return posts if self.posts is None else thin(posts, self.posts)


def thin(posts: Sequence[corpus.Post], count: int) -> list[corpus.Post]:
    """About `count` posts, evenly spread over the list, which is sorted by label."""
    return list(posts[:: max(1, len(posts) // count)])


def texts_of(posts: Sequence[corpus.Post]) -> list[str]:
    return [post.text for post in posts]


def labels_of(posts: Sequence[corpus.Post]) -> list[int]:
    return [post.label for post in posts]


def step(result: Path, make: Callable[[Path], None]) -> Path:
    """Runs `make` on a temporary path that becomes `result`, unless that exists. Returns `result`."""
    if result.exists():
        print(f"{result.name}: done before", file=sys.stderr)
        return result
    result.parent.mkdir(parents=True, exist_ok=True)
    unfinished = result.with_name(f"unfinished-{result.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    begin = time.monotonic()
    make(unfinished)
    unfinished.rename(result)
    print(f"{result.name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return result


def fine_tune_teacher(plan: Plan, result: Path) -> None:
    """Saves the fine-tuned teacher, and its validation scores beside it."""
    posts, checked = plan.part("train"), plan.part("validation")
    model = teacher.untrained(SEED)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)

    training.train(
        model,
        teacher.encode(texts_of(posts)),
        torch.tensor(labels_of(posts)),
        loss,
        plan.teacher,
        SEED,
        "teacher",
    )
    found = score(labels_of(checked), predict(model, teacher.encode(texts_of(checked)), fast=True))
    print(f"teacher, validation: {found}", file=sys.stderr)
    model.save_pretrained(result)
    (result / "validation.json").write_text(json.dumps(asdict(found)))


def predict(model: torch.nn.Module, ids: Sequence[Sequence[int]], fast: bool = False) -> list[int]:
    return training.logits_of(model, ids, fast=fast).argmax(1).tolist()


def lesson_texts(plan: Plan) -> list[str]:
    """What the student learns from: the training posts, then their variations."""
    texts = texts_of(plan.part("train"))
    return texts + variations(texts, plan.variations, SEED)


def judge_lessons(plan: Plan, teacher_path: Path, result: Path) -> None:
    """Saves the teacher's logits [lessons, labels] as fp32."""
    model = BertForSequenceClassification.from_pretrained(teacher_path, attn_implementation="eager")
    logits = training.logits_of(model, teacher.encode(lesson_texts(plan)), fast=True, name="judging")
    with result.open("wb") as file:
        np.save(file, logits)


def targets(judgements: NDArray[np.float32], labels: Sequence[int]) -> Tensor:
    """Probabilities [lessons, labels]: the teacher's, mixed with the people's labels where there are any."""
    result = torch.from_numpy(judgements).softmax(1)
    graded = one_hot(torch.tensor(labels), len(corpus.LABELS)).float()
    result[: len(labels)] = TEACHER_WEIGHT * result[: len(labels)] + (1 - TEACHER_WEIGHT) * graded
    return result


def train_student(plan: Plan, teacher_path: Path, judgements_path: Path, result: Path) -> None:
    """Saves the student as a Hugging Face checkpoint with its tokenizer."""
    posts, checked = plan.part("train"), plan.part("validation")
    tokenizer = student.train_tokenizer(texts_of(posts))
    model = student.untrained(tokenizer, SEED)
    guide = BertForSequenceClassification.from_pretrained(teacher_path)
    student.adopt_word_vectors(model, tokenizer, guide.get_input_embeddings().weight, teacher.tokenizer())
    checked_ids = student.encode(tokenizer, texts_of(checked))

    def report(epoch: int) -> None:
        found = score(labels_of(checked), predict(model, checked_ids))
        print(f"student, epoch {epoch + 1}, validation: {found}", file=sys.stderr, flush=True)

    training.train(
        model,
        student.encode(tokenizer, lesson_texts(plan)),
        targets(np.load(judgements_path), labels_of(posts)),
        cross_entropy,
        plan.student,
        SEED,
        "student",
        report,
    )
    model.save_pretrained(result)
    tokenizer.save_pretrained(result)


def held_out_scores(plan: Plan, checkpoint: Path, teacher_path: Path, result: Path) -> None:
    """Saves the scores of student, teacher and majority label on the held-out posts."""
    posts = plan.part("test")
    labels = labels_of(posts)
    tokenizer = BertTokenizerFast.from_pretrained(checkpoint)
    small = BertForSequenceClassification.from_pretrained(checkpoint)
    large = BertForSequenceClassification.from_pretrained(teacher_path)
    majority = Counter(labels_of(plan.part("train"))).most_common(1)[0][0]
    found = {
        "student": score(labels, predict(small, student.encode(tokenizer, texts_of(posts)))),
        "teacher": score(labels, predict(large, teacher.encode(texts_of(posts)), fast=True)),
        "majority": score(labels, [majority] * len(labels)),
    }
    result.write_text(json.dumps({name: asdict(value) for name, value in found.items()}, indent=2) + "\n")


def balance(posts: Sequence[corpus.Post]) -> str:
    """One row of the card's table of splits."""
    counts = Counter(labels_of(posts))
    shares = (f"{counts[label]} ({counts[label] / len(posts):.1%})" for label in range(len(corpus.LABELS)))
    return " | ".join([str(len(posts)), *shares])


def write_card(plan: Plan, checkpoint: Path, scores_path: Path, result: Path) -> None:
    """Fills in card.md.in with what this run measured."""
    scores = {name: Scores(**values) for name, values in json.loads(scores_path.read_text()).items()}
    config = BertForSequenceClassification.from_pretrained(checkpoint)
    rows = "\n".join(f"| {part} | {balance(plan.part(part))} |" for part in corpus.PARTS)
    measured = "\n".join(
        f"| {title} | {found.accuracy:.4f} | {found.macro_f1:.4f} | {found.mcc:.4f} |"
        for title, found in (
            ("this model", scores["student"]),
            ("its teacher", scores["teacher"]),
            ("always the commonest label", scores["majority"]),
        )
    )
    template = string.Template((HERE / "card.md.in").read_text(encoding="utf-8"))
    result.write_text(
        template.substitute(
            splits=rows,
            scores=measured,
            parameters=f"{config.num_parameters():,}",
            vocabulary=config.config.vocab_size,
            max_length=student.MAX_LENGTH,
            variations=f"{plan.variations:,}",
            rows=f"{len(corpus.read_rows(corpus.corpus_path())):,}",
            seed=SEED,
            split_seed=corpus.SPLIT_SEED,
            shingle=corpus.SHINGLE_WORDS,
            torch=torch.__version__.split("+")[0],
        ),
        encoding="utf-8",
    )


def run(plan: Plan) -> Path:
    """All steps; returns the package."""
    work = plan.work
    teacher_path = step(work / "teacher", lambda path: fine_tune_teacher(plan, path))
    judgements = step(work / "judgements.npy", lambda path: judge_lessons(plan, teacher_path, path))
    checkpoint = step(work / "student", lambda path: train_student(plan, teacher_path, judgements, path))
    scores = step(work / "scores.json", lambda path: held_out_scores(plan, checkpoint, teacher_path, path))
    card = step(work / "MODEL_CARD.md", lambda path: write_card(plan, checkpoint, scores, path))
    for name, values in json.loads(scores.read_text()).items():
        print(f"held out, {name}: {Scores(**values)}")
    package = export(Request(checkpoint, plan.output, NAME, VERSION, card=card, force=True))
    print(f"{package}: {sum(file.stat().st_size for file in package.iterdir()) / 1e6:.2f} MB")
    return package


def quick(plan: Plan) -> Plan:
    """The same steps in about a minute, to prove that they work; the model is worth nothing."""
    return replace(
        plan,
        posts=400,
        variations=200,
        teacher=replace(plan.teacher, max_steps=4),
        student=replace(plan.student, max_steps=20),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few steps on a few posts, in a minute, into the work folder: proves that the script works",
    )
    parser.add_argument(
        "--work", type=Path, help="work folder (default: demo/work/sentiment, or quick beside it)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="forget what earlier runs left in the work folder"
    )
    arguments = parser.parse_args()
    work = arguments.work or HERE / "work" / ("quick" if arguments.quick else "sentiment")
    if arguments.fresh:
        shutil.rmtree(work, ignore_errors=True)
    plan = Plan(work, work / "models" if arguments.quick else HERE / "models")
    run(quick(plan) if arguments.quick else plan)


if __name__ == "__main__":
    main()
