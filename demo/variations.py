"""New unlabelled posts, made from the training posts: the teacher judges them, the student learns them."""

from __future__ import annotations

import random
from collections.abc import Sequence

LONGEST_WORDS = 100  # about as many as the student's positions take


def variation(texts: Sequence[str], rng: random.Random) -> str:
    """One made-up post: a real one with words missing, a splice of two, or several in a row."""
    kind = rng.random()
    if kind < 0.45:
        return _thinned(rng.choice(texts), rng)
    if kind < 0.85:
        return _spliced(rng.choice(texts), rng.choice(texts), rng)
    joined = " ".join(rng.choice(texts) for _ in range(rng.randint(2, 6)))
    return " ".join(joined.split()[:LONGEST_WORDS])


def variations(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` variations, always the same for the same texts and seed."""
    rng = random.Random(seed)
    return [variation(texts, rng) for _ in range(count)]


def _thinned(text: str, rng: random.Random) -> str:
    words = text.split()
    kept = [word for word in words if rng.random() > 0.25]
    return " ".join(kept or words[:1])


def _spliced(first: str, second: str, rng: random.Random) -> str:
    head, tail = first.split(), second.split()
    return " ".join(head[: rng.randint(1, len(head))] + tail[rng.randint(0, len(tail) - 1) :])
