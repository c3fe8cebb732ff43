#!/usr/bin/env python3
"""Trains the demo sentiment classifiers, one of each family, and puts their packages into demo/models/.

Steps: split the posts; fine-tune a teacher; let it judge the training posts and variations of them; train a small
student of each family on those judgements; score it on the held-out posts; fill in its model card; export. Each
step leaves its result in the work folder and is skipped when that exists, so an interrupted run goes on where it
stopped.

The validation posts show how training goes. The held-out posts are read by the scoring steps and nothing else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import string
import sys
from collections import Counter
from collections.abc import Sequence
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
from families import FAMILIES, Family, Size  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scores import Scores, score  # noqa: E402
from steps import size_of, step  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import cross_entropy, one_hot  # noqa: E402
from training import Recipe  # noqa: E402
from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: E402
from variations import variations  # noqa: E402

SEED = 20
TASK = "SequenceClassification"
MAX_LENGTH = 128
TEACHER = Recipe(epochs=1, batch_size=64, learning_rate=1e-4)
STUDENT = Recipe(epochs=4, batch_size=128, learning_rate=1e-3)
# Epochs where not as STUDENT says. After one a student has some 96% of its teacher's accuracy; more gain a little.
EPOCHS = {"bert": 6, "roberta": 2, "xlnet": 2}
SIZES = {
    "bert": Size(layers=2, hidden=128, heads=4, pieces=7000, max_length=MAX_LENGTH),
    "roberta": Size(layers=2, hidden=128, heads=4, pieces=6000, max_length=MAX_LENGTH),
    "distilbert": Size(layers=2, hidden=128, heads=4, pieces=7000, max_length=MAX_LENGTH),
    "xlnet": Size(layers=2, hidden=128, heads=4, pieces=6000, max_length=MAX_LENGTH),
    "albert": Size(layers=3, hidden=128, heads=4, pieces=6000, max_length=MAX_LENGTH),
}
VARIATIONS = 30_000
TEACHER_WEIGHT = 0.7  # of a training post's target; the people's label has the rest
LABEL_SMOOTHING = 0.05
VERSION = 1


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


def scores_of(posts: Sequence[corpus.Post], logits: Sequence[NDArray[np.float32]]) -> Scores:
    return score(labels_of(posts), [int(row.argmax()) for row in logits])


def save_scores(found: Scores, result: Path) -> None:
    result.write_text(json.dumps(asdict(found), indent=2) + "\n")


def load_scores(path: Path) -> Scores:
    return Scores(**json.loads(path.read_text()))


def fine_tune_teacher(plan: Plan, result: Path) -> None:
    """Saves the fine-tuned teacher, and its validation scores beside it."""
    posts, checked = plan.part("train"), plan.part("validation")
    model, tokenizer = teacher.untrained(SEED), teacher.tokenizer()

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)

    ids, labels = teacher.encode(texts_of(posts)), torch.tensor(labels_of(posts))
    training.train(model, tokenizer, ids, labels, loss, plan.teacher, SEED, "teacher")
    logits = training.logits_of(model, tokenizer, teacher.encode(texts_of(checked)), fast=True)
    found = scores_of(checked, logits)
    print(f"teacher, validation: {found}", file=sys.stderr)
    model.save_pretrained(result)
    save_scores(found, result / "validation.json")


def lesson_texts(plan: Plan) -> list[str]:
    """What the students learn from: the training posts, then their variations."""
    texts = texts_of(plan.part("train"))
    return texts + variations(texts, plan.variations, SEED)


def judge(teacher_path: Path, texts: Sequence[str]) -> list[NDArray[np.float32]]:
    """The teacher's logits for each text."""
    model = AutoModelForSequenceClassification.from_pretrained(teacher_path, attn_implementation="eager")
    return training.logits_of(model, teacher.tokenizer(), teacher.encode(texts), fast=True, name="judging")


def judge_lessons(plan: Plan, teacher_path: Path, result: Path) -> None:
    """Saves the teacher's logits [lessons, labels] as fp32."""
    with result.open("wb") as file:
        np.save(file, np.stack(judge(teacher_path, lesson_texts(plan))))


def score_teacher(plan: Plan, teacher_path: Path, result: Path) -> None:
    """Saves the teacher's scores on the held-out posts."""
    posts = plan.part("test")
    save_scores(scores_of(posts, judge(teacher_path, texts_of(posts))), result)


def targets(judgements: NDArray[np.float32], labels: Sequence[int]) -> Tensor:
    """Probabilities [lessons, labels]: the teacher's, mixed with the people's labels where there are any."""
    result = torch.from_numpy(judgements).softmax(1)
    graded = one_hot(torch.tensor(labels), len(corpus.LABELS)).float()
    result[: len(labels)] = TEACHER_WEIGHT * result[: len(labels)] + (1 - TEACHER_WEIGHT) * graded
    return result


def train_student(plan: Plan, name: str, judgements_path: Path, result: Path) -> None:
    """Saves the student as a Hugging Face checkpoint with its tokenizer."""
    posts, checked = plan.part("train"), plan.part("validation")
    family, size = FAMILIES[name], SIZES[name]
    known = [corpus.shorten_links(text) for text in texts_of(posts)]  # the random tails of links are no words
    tokenizer = family.vocabulary(known, size.pieces, size.max_length)
    model = student.untrained(family, size, TASK, corpus.LABELS, tokenizer, SEED)
    student.adopt_word_vectors(model, tokenizer, family.mark, teacher.word_vectors(), teacher.tokenizer())
    checked_ids = training.encode(tokenizer, texts_of(checked))

    def report(epoch: int) -> None:
        found = scores_of(checked, training.logits_of(model, tokenizer, checked_ids, fast=True))
        print(f"{name}, epoch {epoch + 1}, validation: {found}", file=sys.stderr, flush=True)

    lessons = training.encode(tokenizer, lesson_texts(plan))
    wanted = targets(np.load(judgements_path), labels_of(posts))
    recipe = replace(plan.student, epochs=EPOCHS.get(name, plan.student.epochs))
    training.train(model, tokenizer, lessons, wanted, cross_entropy, recipe, SEED, name, report)
    model.save_pretrained(result)
    tokenizer.save_pretrained(result)


def score_student(plan: Plan, checkpoint: Path, result: Path) -> None:
    """Saves the student's scores on the held-out posts."""
    posts = plan.part("test")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    logits = training.logits_of(model, tokenizer, training.encode(tokenizer, texts_of(posts)))
    save_scores(scores_of(posts, logits), result)


def score_majority(plan: Plan, result: Path) -> None:
    """Saves the scores of always saying the training posts' commonest label."""
    labels = labels_of(plan.part("test"))
    majority = Counter(labels_of(plan.part("train"))).most_common(1)[0][0]
    save_scores(score(labels, [majority] * len(labels)), result)


def balance(posts: Sequence[corpus.Post]) -> str:
    """One row of the card's table of splits."""
    counts = Counter(labels_of(posts))
    shares = (f"{counts[label]} ({counts[label] / len(posts):.1%})" for label in range(len(corpus.LABELS)))
    return " | ".join([str(len(posts)), *shares])


def describe(family: Family, size: Size) -> str:
    """The network, in the words of the card."""
    if family.prefix == "Albert":
        return f"ALBERT of one layer used {size.layers} times, {size.hidden} wide, {size.heads} heads"
    return f"{family.title} of {size.layers} layers, {size.hidden} wide, {size.heads} heads"


def write_card(plan: Plan, name: str, checkpoint: Path, scores: dict[str, Path], result: Path) -> None:
    """Fills in card.md.in with what this run measured. `scores` says under which title each file goes."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    measured = {title: load_scores(path) for title, path in scores.items()}
    template = string.Template((HERE / "card.md.in").read_text(encoding="utf-8"))
    result.write_text(
        template.substitute(
            name=f"sentiment-{name}",
            family=name,
            network=describe(FAMILIES[name], SIZES[name]),
            splits="\n".join(f"| {part} | {balance(plan.part(part))} |" for part in corpus.PARTS),
            scores="\n".join(
                f"| {title} | {found.accuracy:.4f} | {found.macro_f1:.4f} | {found.mcc:.4f} |"
                for title, found in measured.items()
            ),
            parameters=f"{model.num_parameters():,}",
            vocabulary=VOCABULARIES[name].format(model.config.vocab_size),
            unknown=UNKNOWN[name],
            width=model.get_input_embeddings().weight.shape[1],
            max_length=MAX_LENGTH,
            variations=f"{plan.variations:,}",
            rows=f"{len(corpus.read_rows(corpus.corpus_path())):,}",
            seed=SEED,
            split_seed=corpus.SPLIT_SEED,
            shingle=corpus.SHINGLE_WORDS,
            torch=torch.__version__.split("+")[0],
        ),
        encoding="utf-8",
    )


VOCABULARIES = {
    "bert": "an uncased WordPiece vocabulary of {} pieces",
    "roberta": "a cased byte-level BPE vocabulary of {} pieces",
    "distilbert": "an uncased WordPiece vocabulary of {} pieces",
    "xlnet": "a cased Unigram vocabulary of {} pieces",
    "albert": "an uncased Unigram vocabulary of {} pieces",
}
UNKNOWN = {
    "bert": "become `[UNK]`",
    "roberta": "become bytes that it never saw",
    "distilbert": "become `[UNK]`",
    "xlnet": "become `<unk>`",
    "albert": "become `<unk>`",
}


def teach(plan: Plan) -> Path:
    """The teacher's steps; returns its judgements of the lessons."""
    checkpoint = step(plan.work / "teacher", lambda path: fine_tune_teacher(plan, path))
    judgements = step(plan.work / "judgements.npy", lambda path: judge_lessons(plan, checkpoint, path))
    step(plan.work / "teacher.json", lambda path: score_teacher(plan, checkpoint, path))
    step(plan.work / "majority.json", lambda path: score_majority(plan, path))
    return judgements


def learn(plan: Plan, name: str, judgements: Path) -> Path:
    """A student's steps; returns its package."""
    work = plan.work / name
    checkpoint = step(work / "student", lambda path: train_student(plan, name, judgements, path))
    own = step(work / "scores.json", lambda path: score_student(plan, checkpoint, path))
    scores = {
        "this model": own,
        "its teacher": plan.work / "teacher.json",
        "always the commonest label": plan.work / "majority.json",
    }
    card = step(work / "MODEL_CARD.md", lambda path: write_card(plan, name, checkpoint, scores, path))
    for title, path in scores.items():
        print(f"{name}, held out, {title}: {load_scores(path)}")
    package = export(Request(checkpoint, plan.output, f"sentiment-{name}", VERSION, card=card, force=True))
    print(f"{package}: {size_of(package) / 1e6:.2f} MB")
    return package


def quick(plan: Plan) -> Plan:
    """The same steps in about a minute, to prove that they work; the models are worth nothing."""
    return replace(
        plan,
        posts=400,
        variations=200,
        teacher=replace(plan.teacher, max_steps=4),
        student=replace(plan.student, max_steps=20),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("families", nargs="*", metavar="FAMILY", help=f"which of {', '.join(FAMILIES)} (default: all)")
    add(
        "--quick",
        action="store_true",
        help="a few steps on a few posts, in a minute, into the work folder: proves that the script works",
    )
    add("--work", type=Path, help="work folder (default: demo/work/sentiment, or quick beside it)")
    add("--fresh", action="store_true", help="forget what earlier runs left in the work folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(FAMILIES):
        parser.error(f"unknown family {', '.join(sorted(unknown))}")
    work = arguments.work or HERE / "work" / ("quick" if arguments.quick else "sentiment")
    if arguments.fresh:
        shutil.rmtree(work, ignore_errors=True)
    plan = Plan(work, work / "models" if arguments.quick else HERE / "models")
    plan = quick(plan) if arguments.quick else plan
    judgements = teach(plan)
    for name in arguments.families or FAMILIES:
        learn(plan, name, judgements)


if __name__ == "__main__":
    main()
