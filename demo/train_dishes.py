#!/usr/bin/env python3
"""Trains the demo's dish finders, an ALBERT and a BERT of the same width and depth, on made-up restaurant reviews.

The ALBERT's package goes into demo/models/, the BERT's stays in the work folder: it is there to be compared with
(compare_dishes.py). Each step leaves its result in the work folder and is skipped when that exists.

The validation reviews show how training goes. The test reviews are read by the scoring step and nothing else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import string
import sys
from collections.abc import Sequence
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
from bertha_export import Request, export  # noqa: E402
from dishes import Review  # noqa: E402
from families import FAMILIES, Size  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scores import SpanScores, score_spans  # noqa: E402
from steps import size_of, step  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from training import Recipe  # noqa: E402
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedTokenizerFast  # noqa: E402

SEED = 20
TASK = "TokenClassification"
NAMES = ("albert", "bert")
SIZE = Size(layers=4, hidden=128, heads=4, pieces=6000, max_length=128)
RECIPE = Recipe(epochs=2, batch_size=64, learning_rate=1e-3)
TRAINED = 24_000  # reviews
SCORED = 1_000
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """Where a run works, and how much it does."""

    work: Path
    output: Path
    recipe: Recipe = RECIPE
    trained: int = TRAINED
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


def train(plan: Plan, name: str, result: Path) -> None:
    """Saves the trained model as a Hugging Face checkpoint with its tokenizer."""
    family = FAMILIES[name]
    posts = [corpus.shorten_links(post.text) for post in corpus.load()["train"]]
    lessons = dishes.lessons(plan.trained, posts, SEED)
    checked = dishes.reviews(plan.scored, dishes.sentences("validation"), dishes.dishes("validation"), SEED + 1)
    tokenizer = family.vocabulary([review.text for review in lessons], SIZE.pieces, SIZE.max_length)
    model = student.untrained(family, SIZE, TASK, dishes.LABELS, tokenizer, SEED)
    student.adopt_word_vectors(model, tokenizer, family.mark, teacher.word_vectors(), teacher.tokenizer())
    model.get_input_embeddings().weight.requires_grad = False  # words that no lesson has stay among their like

    def report(epoch: int) -> None:
        found = score_spans([review.spans for review in checked], find(model, tokenizer, checked))
        print(f"{name}, epoch {epoch + 1}, validation: {found}", file=sys.stderr, flush=True)

    encoded = training.encode(tokenizer, [review.text for review in lessons])
    training.train(
        model, tokenizer, encoded, labels_of(tokenizer, lessons), loss, plan.recipe, SEED, name, report
    )
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


def write_card(plan: Plan, checkpoint: Path, scores_path: Path, result: Path) -> None:
    """Fills in dishes-card.md.in with what this run measured."""
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    sample = dishes.reviews(1, *trials()["new dishes in new sentences"], SEED + 2)[0]
    parts = "\n".join(
        f"| {part} | {len(dishes.dishes(part))} | {len(dishes.sentences(part))} |" for part in dishes.PARTS
    )
    measured = "\n".join(
        f"| {title} | {found.precision:.4f} | {found.recall:.4f} | {found.f1:.4f} |"
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
            trained=f"{plan.trained:,}",
            epochs=plan.recipe.epochs,
            sample=sample.text,
            split_seed=dishes.SPLIT_SEED,
            seed=SEED,
            torch=torch.__version__.split("+")[0],
        ),
        encoding="utf-8",
    )


def run(plan: Plan, name: str) -> Path:
    """All steps of one family; returns its package."""
    work = plan.work / name
    checkpoint = step(work / "model", lambda path: train(plan, name, path))
    scores = step(work / "scores.json", lambda path: score(plan, checkpoint, path))
    for title, found in load_scores(scores).items():
        print(f"{name}, {title}: {found}")
    card = None
    if name == "albert":
        card = step(work / "MODEL_CARD.md", lambda path: write_card(plan, checkpoint, scores, path))
    package = export(
        Request(checkpoint, plan.package_folder(name), f"dishes-{name}", VERSION, card=card, force=True)
    )
    print(f"{package}: {size_of(package) / 1e6:.2f} MB")
    return package


def quick(plan: Plan) -> Plan:
    """The same steps in a few seconds, to prove that they work; the model is worth nothing."""
    return replace(plan, recipe=replace(plan.recipe, max_steps=10), trained=400, scored=40)


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
    for name in arguments.names or NAMES:
        run(quick(plan) if arguments.quick else plan, name)


if __name__ == "__main__":
    main()
