"""The daemon's answers are those of the exported network in Python."""

import json
import random

import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import TOLERANCE, best_label, largest_difference, texts_request
from e2e_texts import LINES, long_text, pairs, short_texts

SIDES = {"right": pb.TRUNCATION_POLICY_RIGHT, "left": pb.TRUNCATION_POLICY_LEFT}


def test_probes_get_the_exporters_logits_over_the_wire(shared, probes):
    texts = [(p["text"], p["text_pair"]) if p["text_pair"] is not None else p["text"] for p in probes]
    results = shared.stub().Classify(texts_request(texts)).results
    assert len(results) == len(probes)
    for probe, result in zip(probes, results):
        assert largest_difference(result.logits, probe["logits"]) <= TOLERANCE, probe["text"]
        assert result.tokens == len(probe["ids"])


def check_against_reference(shared, reference, texts, side):
    results = shared.stub().Classify(texts_request(texts, truncation=SIDES[side])).results
    assert len(results) == len(texts)
    for text, result in zip(texts, results):
        expected = reference.logits(text, side)
        assert largest_difference(result.logits, expected) <= TOLERANCE, text
        margin = sorted(expected)[-1] - sorted(expected)[-2]
        assert margin <= TOLERANCE or result.scores[0].label == best_label(reference.labels, expected), text
        assert result.tokens == len(reference.encode(text, side).ids), text
        assert result.truncated == (reference.full_length(text) > reference.max_length), text


@pytest.mark.parametrize("side", SIDES)
def test_fresh_texts_get_the_networks_logits(shared, reference, side):
    check_against_reference(shared, reference, LINES + short_texts(20, seed=1), side)


@pytest.mark.parametrize("side", SIDES)
def test_texts_beyond_the_limit_are_cut_like_the_reference(shared, reference, side):
    rng = random.Random(2)
    texts = [long_text(rng, reference.max_length * n // 8) for n in range(2, 17)]
    lengths = [reference.full_length(t) for t in texts]
    assert min(lengths) < reference.max_length < max(lengths)  # or the test would not cross the limit
    check_against_reference(shared, reference, texts, side)


@pytest.mark.parametrize("side", SIDES)
def test_pairs_get_the_networks_logits(shared, reference, side):
    texts = pairs(30, seed=3, longest=reference.max_length)
    assert any(reference.full_length(t) > reference.max_length for t in texts)
    check_against_reference(shared, reference, texts, side)


def test_left_and_right_truncation_differ(shared, reference):
    text = "wonderful " * reference.max_length + "terrible " * reference.max_length
    right, left = (
        shared.stub().Classify(texts_request([text], truncation=policy)).results[0].logits for policy in SIDES.values()
    )
    assert largest_difference(left, right) > 100 * TOLERANCE


def test_scores_are_the_softmax_of_the_logits_best_first(shared, reference):
    import torch

    for result in shared.stub().Classify(texts_request(LINES[:8])).results:
        expected = torch.tensor(result.logits).softmax(0).tolist()
        assert [s.score for s in result.scores] == sorted((s.score for s in result.scores), reverse=True)
        assert {s.label for s in result.scores} == set(reference.labels)
        for s in result.scores:
            assert s.score == pytest.approx(expected[s.index], abs=1e-6)
            assert s.label == reference.labels[s.index]


def test_top_k_threshold_and_logits_are_obeyed(shared, reference):
    stub, inputs = shared.stub(), [pb.TextInput(text="What a lovely day")]

    def ask(**options):
        return stub.Classify(pb.ClassifyRequest(inputs=inputs, options=pb.ClassifyOptions(**options))).results[0]

    everything = ask()
    assert len(everything.scores) == len(reference.labels) and not everything.logits
    assert ask(top_k=1).scores[:] == everything.scores[:1]
    between = (everything.scores[0].score + everything.scores[1].score) / 2
    assert ask(threshold=between).scores[:] == everything.scores[:1]
    assert not ask(threshold=1.0).scores
    assert len(ask(raw_logits=True).logits) == len(reference.labels)


def test_the_answer_says_who_computed_it_and_where_the_time_went(shared, package, reference):
    answer = shared.stub().Classify(texts_request(["one", "two words", "three words here"]))
    assert (answer.model.name, answer.model.version) == (package.parent.name, int(package.name))
    assert (answer.model.engine, answer.model.device, answer.model.dtype) == ("fused", "cpu", "fp32")
    for result in answer.results:
        timing = result.timing
        assert timing.compute_us > 0
        assert timing.total_us >= timing.queue_us + timing.compute_us
        assert result.batch.padded_tokens >= result.batch.tokens >= result.tokens
        assert result.batch.size >= 1


def test_list_models_describes_the_package(shared, package, probes):
    manifest = json.loads((package / "bertha.json").read_text())
    models = {(m.model.name, m.model.version): m for m in shared.stub().ListModels(pb.ListModelsRequest()).models}
    model = models[package.parent.name, int(package.name)]
    assert model.state == pb.ModelStatus.STATE_SERVING and not model.reason
    assert (model.family, model.task) == (manifest["family"], manifest["task"])
    assert (list(model.labels), model.max_length) == (manifest["labels"], manifest["max_length"])
    assert model.probe_count == len(probes)
    assert 0 <= model.probe_max_abs_diff <= TOLERANCE
    assert sum(m.is_default for m in models.values()) == (1 if len({n for n, _ in models}) == 1 else 0)
