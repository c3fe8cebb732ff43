"""Made-up restaurant reviews in which every dish's name is marked.

Sentences (reviews.txt) are filled with dishes (dishes.txt) and with words that are no dishes. Both lists are split
by a hash, so that the test reviews hold only sentences and dishes that no training review holds.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
LABELS = ("O", "B-DISH", "I-DISH")
OUTSIDE, BEGIN, INSIDE = range(3)
IGNORED = -100  # what cross_entropy leaves out: special tokens and padding
PARTS = ("train", "validation", "test")
SPLIT_SEED = "dishes-1"
TEST_PERCENT = 25
VALIDATION_PERCENT = 10
LONGEST_SENTENCES = 4
PLAIN_SHARE = 0.4  # of sentences: those without a dish
TITLE_SHARE = 0.2  # of dishes: written With Capitals, as on a menu
# What keeps a student from learning sentences and dishes by heart, as shares:
CROSSED_SHARE = 0.5  # of sentences about a dish: their end is another one's
REPLACED_SHARES = (0.0, 0.15, 0.4)  # of a lesson's words, those of dishes included: any other word in their place
FOOD_SHARE = 0.5  # of dishes: some words for food
POST_SHARE = 0.2  # of lessons: a post stands before or behind them
FILLERS = {
    "place": (
        "Curry Corner",
        "The Burger Barn",
        "Noodle House",
        "Pizza Palace",
        "Taco Tuesday's",
        "The Salmon Inn",
        "Sushi Garden",
        "The Fig and Olive",
        "Mama Rosa's",
        "The Crown",
        "Chez Louis",
        "Golden Dragon",
    ),
    "person": ("Maria", "Tom", "Basil", "Ginger", "Olive", "Ahmed", "Chloe", "Mr. Rice", "Wei", "Rosemary"),
    "day": ("Monday", "Tuesday", "Wednesday", "Friday", "Saturday", "Sunday", "Christmas Eve"),
    "drink": (
        "red wine",
        "orange juice",
        "lemonade",
        "coffee",
        "green tea",
        "apple cider",
        "ginger beer",
        "tomato juice",
        "gin and tonic",
        "house white",
    ),
    "part": ("terrace", "dining room", "kitchen", "bar", "restroom", "garden", "banquet hall"),
    "side": ("bread", "rice", "vegetables", "salt and vinegar", "extra cheese", "gravy", "lemon", "pickles"),
}


@dataclass(frozen=True)
class Review:
    """A text and the code-point spans [begin, end) of its dishes, in order."""

    text: str
    spans: tuple[tuple[int, int], ...]


def part_of(line: str) -> str:
    """The part (of PARTS) that a dish or a sentence belongs to."""
    bucket = int.from_bytes(hashlib.sha256(f"{SPLIT_SEED}:{line}".encode()).digest()[:8], "big") % 100
    if bucket < TEST_PERCENT:
        return "test"
    return "validation" if bucket < TEST_PERCENT + VALIDATION_PERCENT else "train"


@cache
def _lines(name: str) -> tuple[str, ...]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def dishes(part: str) -> list[str]:
    """The names of one part."""
    return [dish for dish in _lines("dishes.txt") if part_of(dish) == part]


def strange_dishes() -> list[str]:
    """Those of the test part that have no word in common with a dish of another part."""
    known = {word for part in ("train", "validation") for dish in dishes(part) for word in dish.split()}
    return [dish for dish in dishes("test") if not known & set(dish.split())]


def sentences(part: str) -> list[str]:
    """The unfilled sentences of one part."""
    return [sentence for sentence in _lines("reviews.txt") if part_of(sentence) == part]


def _pieces(sentence: str) -> list[str]:
    """Text and slots in turn: "Try the {dish}!" -> ["Try the ", "dish", "!"]."""
    return sentence.replace("}", "{").split("{")


def fill(sentence: str, names: Sequence[str], rng: random.Random) -> Review:
    """The sentence with its slots filled; no dish twice."""
    text, spans = "", []
    chosen = rng.sample(names, sentence.count("{dish}"))
    for index, piece in enumerate(_pieces(sentence)):
        if index % 2 == 0:
            text += piece
        elif piece == "dish":
            dish = chosen.pop()
            text += string.capwords(dish) if rng.random() < TITLE_SHARE else dish
            spans.append((len(text) - len(dish), len(text)))
        else:
            text += rng.choice(FILLERS[piece])
    return Review(text[:1].upper() + text[1:], tuple(spans))


def joined(parts: Sequence[Review]) -> Review:
    """Several sentences as one review."""
    text, spans = "", []
    for part in parts:
        text += " " if text else ""
        spans += [(begin + len(text), end + len(text)) for begin, end in part.spans]
        text += part.text
    return Review(text, tuple(spans))


def reviews(count: int, known: Sequence[str], names: Sequence[str], seed: int) -> list[Review]:
    """`count` reviews from the sentences `known` and the dishes `names`, always the same ones."""
    rng = random.Random(seed)
    plain = [sentence for sentence in known if "{dish}" not in sentence]
    about = [sentence for sentence in known if "{dish}" in sentence]
    result = []
    for _ in range(count):
        length = rng.randint(1, LONGEST_SENTENCES)
        chosen = [rng.choice(plain if rng.random() < PLAIN_SHARE else about) for _ in range(length)]
        result.append(joined([fill(sentence, names, rng) for sentence in chosen]))
    return result


def with_posts(some: Sequence[Review], posts: Sequence[str], rng: random.Random) -> list[Review]:
    """A share of the reviews gets one of `posts`, real text without a dish, before or behind it."""
    result = []
    for review in some:
        parts = [review]
        if rng.random() < POST_SHARE:
            parts.insert(rng.choice([0, 1]), Review(rng.choice(posts), ()))
        result.append(joined(parts))
    return result


def lessons(
    count: int, posts: Sequence[str], words: Sequence[str], food: Sequence[str], seed: int
) -> list[str]:
    """`count` texts for a teacher to judge, always the same ones for the same lists.

    The training sentences are few, and whoever has seen nothing else knows them by heart and little more. So
    sentences are crossed with each other, words are replaced by any of `words`, also in the dishes, and half of the
    dishes are made of words of `food`: what is a dish then, the teacher must know, who read much before.
    """
    rng = random.Random(seed)
    names, known = dishes("train"), sentences("train")
    plain = [sentence for sentence in known if "{dish}" not in sentence]
    about = [sentence for sentence in known if "{dish}" in sentence]
    result = []
    for _ in range(count):
        chosen = [
            rng.choice(plain) if rng.random() < PLAIN_SHARE else _crossed(about, rng)
            for _ in range(rng.randint(1, LONGEST_SENTENCES))
        ]
        called = [" ".join(rng.sample(food, rng.choice((1, 1, 2)))) for _ in range(9)]
        parts = [fill(sentence, called if rng.random() < FOOD_SHARE else names, rng) for sentence in chosen]
        review = joined(parts)
        result.append(Review(_replaced(review.text, words, rng), ()))
    return [review.text for review in with_posts(result, posts, rng)]


def _crossed(about: Sequence[str], rng: random.Random) -> str:
    """One sentence up to its first dish, and half of the time another from there on."""
    first = rng.choice(about)
    second = rng.choice(about) if rng.random() < CROSSED_SHARE else first
    return first.partition("{dish}")[0] + "{dish}" + second.partition("{dish}")[2]


def _replaced(text: str, words: Sequence[str], rng: random.Random) -> str:
    share = rng.choice(REPLACED_SHARES)
    return " ".join(rng.choice(words) if rng.random() < share else word for word in text.split())


def tags(review: Review, offsets: Sequence[tuple[int, int]], special: Sequence[int]) -> list[int]:
    """A label for each token, from the tokens' code-point spans; IGNORED for `special` ones.

    The first token of a dish begins it and every other one is inside, whether it begins a word or not. So
    consecutive tokens of a dish belong together under every way of merging tokens into entities.
    """
    result, begun = [], None
    for (begin, end), is_special in zip(offsets, special, strict=True):
        span = next((span for span in review.spans if begin < span[1] and span[0] < end), None)
        if is_special:
            result.append(IGNORED)
        elif span is None:
            result.append(OUTSIDE)
        else:
            result.append(INSIDE if span == begun else BEGIN)
            begun = span
    return result


def merged(tokens: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Spans of consecutive dish tokens, given (begin, end, label): BEGIN and what follows OUTSIDE start a new one."""
    spans: list[tuple[int, int]] = []
    before = OUTSIDE
    for begin, end, label in tokens:
        if label == BEGIN or (label == INSIDE and before == OUTSIDE):
            spans.append((begin, end))
        elif label == INSIDE:
            spans[-1] = (spans[-1][0], end)
        before = label
    return spans
