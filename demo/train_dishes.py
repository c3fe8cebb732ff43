#!/usr/bin/env python3
"""Trains the demo's dish finders, an ALBERT and a BERT of the same width and depth, on made-up restaurant reviews.

A teacher, the published encoder of teacher.py, is fine-tuned on reviews; then it judges the words of many texts that
resemble reviews more or less, and the students learn its judgements. The ALBERT's package goes into demo/models/, the BERT's stays in the work folder: it is there to be compared with
(compare_dishes.py). Each step leaves its result in the work folder and is skipped when that exists.

The validation reviews show how training goes. The test reviews are read by the scoring step and nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import string
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models" / "export")]

import training  # noqa: E402  (before torch)

import corpus  # noqa: E402
import dishes  # noqa: E402
import numpy as np  # noqa: E402
import student  # noqa: E402
import teacher  # noqa: E402
import torch  # noqa: E402
import vocabularies  # noqa: E402
from bertha_export import Request, export  # noqa: E402
from dishes import Review  # noqa: E402
from families import FAMILIES, Size  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scores import SpanScores, score_spans  # noqa: E402
from steps import size_of, step  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from training import Recipe  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
)

SEED = 20
TASK = "TokenClassification"
VOCABULARIES = {"albert": vocabularies.albert_of, "bert": vocabularies.bert_of}
NAMES = tuple(VOCABULARIES)
SIZE = Size(layers=4, hidden=128, heads=4, pieces=12_000, max_length=128, embedding=96)
RECIPE = Recipe(epochs=4, batch_size=64, learning_rate=1.5e-3)
TEACHER_RECIPE = Recipe(epochs=2, batch_size=32, learning_rate=1e-4)
TAUGHT = 4_000  # reviews for the teacher
LESSONS = 40_000  # texts for the students
FOOD_TEMPLATE = "I had the {} and it was good."
FOOD_LIKELY = 0.8  # a word that the teacher takes for a dish in that sentence is one to learn
FEWEST_FOOD_WORDS, FOOD_WORDS = 100, 4_000
SCORED = 1_000
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """Where a run works, and how much it does."""

    work: Path
    output: Path
    recipe: Recipe = RECIPE
    teacher_recipe: Recipe = TEACHER_RECIPE
    taught: int = TAUGHT
    lessons: int = LESSONS
    scored: int = SCORED

    def package_folder(self, name: str) -> Path:
        """The model directory that a family's package goes into."""
        return self.output if name == "albert" else self.work / "models"


def trials() -> dict[str, tuple[list[str], list[str]]]:
    """What is scored: sentences, and dishes to fill them with."""
    old_sentences, new_sentences = dishes.sentences("train"), dishes.sentences("test")
    old_dishes, new_dishes = dishes.dishes("train"), dishes.dishes("test")
    return {
        "new dishes in new sentences": (new_sentences, new_dishes),
        "the same, only dishes of new words": (new_sentences, dishes.strange_dishes()),
        "new dishes in known sentences": (old_sentences, new_dishes),
        "known dishes in new sentences": (new_sentences, old_dishes),
        "known dishes in known sentences": (old_sentences, old_dishes),
    }


def teachers_pieces() -> list[str]:
    """The pieces of words that the teacher knows, the most frequent first, and its punctuation."""
    vocabulary = teacher.tokenizer().get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)  # published in that order
    return [piece for piece in pieces if piece.isascii() and piece.isprintable() and piece[0] != "["]


def is_word(piece: str) -> bool:
    return piece.isalpha() and len(piece) > 1


def pieces_for(food: Sequence[str]) -> list[str]:
    """The students' vocabulary: the teacher's words for food, and its most frequent pieces."""
    return list(dict.fromkeys([*teachers_pieces()[: SIZE.pieces - len(food)], *food]))


def common_words() -> list[str]:
    return [piece for piece in teachers_pieces()[: SIZE.pieces] if is_word(piece)]


def find_food(checkpoint: Path, result: Path) -> None:
    """Saves the words that the teacher takes for dishes: few of them stand in the training reviews."""
    words = [piece for piece in teachers_pieces() if is_word(piece)]
    begin = FOOD_TEMPLATE.index("{")
    likely = {}
    for word, tokens in zip(words, judge(checkpoint, [FOOD_TEMPLATE.format(word) for word in words]), strict=True):
        likely[word] = next(float(1 - by_label[dishes.OUTSIDE]) for at, _, by_label in tokens if at == begin)
    ranked = sorted(words, key=lambda word: -likely[word])
    sure = sum(value > FOOD_LIKELY for value in likely.values())
    result.write_text(json.dumps(ranked[: min(max(sure, FEWEST_FOOD_WORDS), FOOD_WORDS)]))


def labels_of(tokenizer: PreTrainedTokenizerFast, reviews: Sequence[Review]) -> Tensor:
    """int64 [reviews, limit]: the label of each token, IGNORED after the last."""
    result = torch.full((len(reviews), tokenizer.model_max_length), dishes.IGNORED)
    for row, (review, encoding) in enumerate(zip(reviews, encodings(tokenizer, reviews), strict=True)):
        tags = dishes.tags(review, encoding.offsets, encoding.special_tokens_mask)
        result[row, : len(tags)] = torch.tensor(tags)
    return result


def encodings(tokenizer: PreTrainedTokenizerFast, reviews: Sequence[Review]) -> Sequence:
    return tokenizer([review.text for review in reviews], truncation=True).encodings


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch's tokens; both families pad on the right."""
    return cross_entropy(logits.flatten(0, 1), labels[:, : logits.shape[1]].flatten(), ignore_index=dishes.IGNORED)


def soft_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """The same for `wanted` [texts, limit, labels], the probability of each label; all 0 where none is wanted."""
    wanted = wanted[:, : logits.shape[1]]
    return -(wanted * logits.log_softmax(2)).sum() / wanted.sum()


def posts() -> list[str]:
    return [corpus.shorten_links(post.text) for post in corpus.load()["train"]]


def lesson_texts(plan: Plan, food: Sequence[str]) -> list[str]:
    return dishes.lessons(plan.lessons, posts(), common_words(), food, SEED)


def fine_tune_teacher(plan: Plan, result: Path) -> None:
    """Saves the teacher as a Hugging Face checkpoint with its tokenizer."""
    torch.manual_seed(SEED)
    model = BertForTokenClassification.from_pretrained(
        teacher.checkpoint_path(), num_labels=len(dishes.LABELS), attn_implementation="eager"
    )
    model.bert.embeddings.word_embeddings.weight.requires_grad = False  # as published: reviews are too few for them
    tokenizer = teacher.tokenizer()
    made_up = dishes.reviews(plan.taught, dishes.sentences("train"), dishes.dishes("train"), SEED)
    reviews = dishes.with_posts(made_up, posts(), random.Random(SEED))
    encoded = training.encode(tokenizer, [review.text for review in reviews])
    labels = labels_of(tokenizer, reviews)
    training.train(model, tokenizer, encoded, labels, loss, plan.teacher_recipe, SEED, "teacher")
    model.save_pretrained(result)
    tokenizer.save_pretrained(result)


def judge(checkpoint: Path, texts: Sequence[str]) -> Iterator[list[tuple[int, int, NDArray[np.float32]]]]:
    """For each text the teacher's tokens: (begin, end, probability of each label), in code points."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    encoded = training.encode(tokenizer, texts)
    logits = training.logits_of(model, tokenizer, encoded, fast=True, name="judging")
    for rows, encoding in zip(logits, tokenizer(list(texts), truncation=True).encodings, strict=True):
        likely = torch.from_numpy(rows).softmax(1).numpy()
        yield [
            (*span, likely[at])
            for at, (span, special) in enumerate(zip(encoding.offsets, encoding.special_tokens_mask, strict=True))
            if not special
        ]


def judge_lessons(plan: Plan, checkpoint: Path, food: Path, result: Path) -> None:
    """Saves, for each code point of the lessons, one text after the other, the judgement of the token that it is in:
    float16 [code points, labels], zeros where no token is. That fits any student's tokens.
    """
    texts = lesson_texts(plan, json.loads(food.read_text()))
    rows = []
    for text, tokens in zip(texts, judge(checkpoint, texts), strict=True):
        row = np.zeros((len(text), len(dishes.LABELS)), np.float16)
        for begin, end, likely in tokens:
            row[begin:end] = likely
            row[begin + 1 : end] = _going_on(likely)
        rows.append(row)
    with result.open("wb") as file:
        np.save(file, np.concatenate(rows))


def _going_on(likely: NDArray[np.float32]) -> NDArray[np.float32]:
    """The judgement of what follows the first code point of a token: a dish that begins there goes on."""
    changed = likely.copy()
    changed[dishes.INSIDE] += changed[dishes.BEGIN]
    changed[dishes.BEGIN] = 0
    return changed


def wanted_of(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], judgements: NDArray[np.float16]) -> Tensor:
    """float32 [texts, limit, labels]: what the teacher says of the first code point of each of the student's tokens."""
    result = torch.zeros(len(texts), tokenizer.model_max_length, len(dishes.LABELS))
    start = 0
    for row, (text, encoding) in enumerate(zip(texts, tokenizer(list(texts), truncation=True).encodings, strict=True)):
        judged = judgements[start : start + len(text)].astype(np.float32)
        start += len(text)
        for at, ((begin, end), special) in enumerate(
            zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        ):
            if not special and begin < end:
                result[row, at] = torch.from_numpy(judged[begin])
    return result


def find(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, reviews: Sequence[Review]
) -> list[list[tuple[int, int]]]:
    """The code-point spans that the model takes for dishes, for each review."""
    logits = training.logits_of(model, tokenizer, training.encode(tokenizer, [review.text for review in reviews]))
    return [spans_of(rows, encoding) for rows, encoding in zip(logits, encodings(tokenizer, reviews), strict=True)]


def spans_of(logits: NDArray[np.float32], encoding) -> list[tuple[int, int]]:  # encoding: tokenizers.Encoding
    """Entities from one review's logits [length or more, labels], merged as the strategy `simple` does."""
    labels = logits[: len(encoding)].argmax(1)
    return dishes.merged(
        [(*span, int(label)) for span, label, special in zip(
            encoding.offsets, labels, encoding.special_tokens_mask, strict=True
        ) if not special]
    )


def train(plan: Plan, name: str, food_path: Path, judgements_path: Path, result: Path) -> None:
    """Saves the trained student as a Hugging Face checkpoint with its tokenizer."""
    family = FAMILIES[name]
    food = json.loads(food_path.read_text())
    texts = lesson_texts(plan, food)
    checked = dishes.reviews(plan.scored, dishes.sentences("validation"), dishes.dishes("validation"), SEED + 1)
    tokenizer = VOCABULARIES[name](pieces_for(food), SIZE.max_length)
    model = student.untrained(family, SIZE, TASK, dishes.LABELS, tokenizer, SEED)
    student.adopt_word_vectors(model, tokenizer, family.mark, teacher.word_vectors(), teacher.tokenizer())


    def report(epoch: int) -> None:
        found = score_spans([review.spans for review in checked], find(model, tokenizer, checked))
        print(f"{name}, epoch {epoch + 1}, validation: {found}", file=sys.stderr, flush=True)

    encoded = training.encode(tokenizer, texts)
    wanted = wanted_of(tokenizer, texts, np.load(judgements_path))
    training.train(model, tokenizer, encoded, wanted, soft_loss, plan.recipe, SEED, name, report)
    model.save_pretrained(result)
    tokenizer.save_pretrained(result)


def score(plan: Plan, checkpoint: Path, result: Path) -> None:
    """Saves the scores of every trial."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    scores = {}
    for title, (sentences, names) in trials().items():
        reviews = dishes.reviews(plan.scored, sentences, names, SEED + 2)
        found = find(model, tokenizer, reviews)
        scores[title] = vars(score_spans([review.spans for review in reviews], found))
    result.write_text(json.dumps(scores, indent=2) + "\n")


def load_scores(path: Path) -> dict[str, SpanScores]:
    return {title: SpanScores(**values) for title, values in json.loads(path.read_text()).items()}


def print_scores(name: str, path: Path) -> None:
    for title, found in load_scores(path).items():
        print(f"{name}, {title}: {found}", flush=True)


def write_card(plan: Plan, checkpoint: Path, scores_path: Path, teacher_scores: Path, result: Path) -> None:
    """Fills in dishes-card.md.in with what this run measured."""
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    sample = dishes.reviews(1, *trials()["new dishes in new sentences"], SEED + 2)[0]
    parts = "\n".join(
        f"| {part} | {len(dishes.dishes(part))} | {len(dishes.sentences(part))} |" for part in dishes.PARTS
    )
    taught = load_scores(teacher_scores)
    measured = "\n".join(
        f"| {title} | {found.precision:.4f} | {found.recall:.4f} | {found.f1:.4f} | {taught[title].f1:.4f} |"
        for title, found in load_scores(scores_path).items()
    )
    template = string.Template((HERE / "dishes-card.md.in").read_text(encoding="utf-8"))
    result.write_text(
        template.substitute(
            layers=SIZE.layers,
            hidden=SIZE.hidden,
            heads=SIZE.heads,
            parameters=f"{model.num_parameters():,}",
            vocabulary=model.config.vocab_size,
            max_length=SIZE.max_length,
            parts=parts,
            scores=measured,
            scored=f"{plan.scored:,}",
            taught=f"{plan.taught:,}",
            lessons=f"{plan.lessons:,}",
            epochs=plan.recipe.epochs,
            embedding=SIZE.embedding,
            sample=sample.text,
            split_seed=dishes.SPLIT_SEED,
            seed=SEED,
            torch=torch.__version__.split("+")[0],
        ),
        encoding="utf-8",
    )


@dataclass(frozen=True)
class Taught:
    """What the teacher leaves: its scores, the words that it takes for food, its judgements of the lessons."""

    scores: Path
    food: Path
    judgements: Path


def teach(plan: Plan) -> Taught:
    checkpoint = step(plan.work / "teacher", lambda path: fine_tune_teacher(plan, path))
    scores = step(plan.work / "teacher.json", lambda path: score(plan, checkpoint, path))
    print_scores("teacher", scores)
    food = step(plan.work / "food.json", lambda path: find_food(checkpoint, path))
    judgements = step(plan.work / "judgements.npy", lambda path: judge_lessons(plan, checkpoint, food, path))
    return Taught(scores, food, judgements)


def learn(plan: Plan, name: str, taught: Taught) -> Path:
    """A student's steps; returns its package."""
    work = plan.work / name
    checkpoint = step(work / "model", lambda path: train(plan, name, taught.food, taught.judgements, path))
    scores = step(work / "scores.json", lambda path: score(plan, checkpoint, path))
    print_scores(name, scores)
    card = None
    if name == "albert":
        card = step(work / "MODEL_CARD.md", lambda path: write_card(plan, checkpoint, scores, taught.scores, path))
    package = export(
        Request(checkpoint, plan.package_folder(name), f"dishes-{name}", VERSION, card=card, force=True)
    )
    print(f"{package}: {size_of(package) / 1e6:.2f} MB")
    return package


def quick(plan: Plan) -> Plan:
    """The same steps in a few seconds, to prove that they work; the model is worth nothing."""
    return replace(
        plan,
        recipe=replace(plan.recipe, max_steps=10),
        teacher_recipe=replace(plan.teacher_recipe, max_steps=2),
        taught=64,
        lessons=400,
        scored=40,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("names", nargs="*", metavar="FAMILY", help=f"which of {', '.join(NAMES)} (default: both)")
    add(
        "--quick",
        action="store_true",
        help="a few steps on a few reviews, into the work folder: proves that the script works",
    )
    add("--work", type=Path, help="work folder (default: demo/work/dishes, or quick-dishes beside it)")
    add("--fresh", action="store_true", help="forget what earlier runs left in the work folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"unknown family {', '.join(sorted(unknown))}")
    work = arguments.work or HERE / "work" / ("quick-dishes" if arguments.quick else "dishes")
    if arguments.fresh:
        shutil.rmtree(work, ignore_errors=True)
    plan = Plan(work, work / "models" if arguments.quick else HERE / "models")
    plan = quick(plan) if arguments.quick else plan
    taught = teach(plan)
    for name in arguments.names or NAMES:
        learn(plan, name, taught)


if __name__ == "__main__":
    main()
