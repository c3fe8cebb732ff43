"""The Python client against a fake server."""
import math
import os
import pathlib
import subprocess
import sys
import time

import grpc
import pytest

from bertha import BerthaError, Client, Result
from bertha.v1 import bertha_pb2
from fake_server import Failure, score_of, vector_of

CLIENT_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"


@pytest.fixture
def client(server):
    with Client(server.address) as c:
        yield c


def test_one_text_gives_one_result(client):
    result = client.classify("I love it", raw_logits=True)
    label, score = score_of("I love it")
    assert isinstance(result, Result)
    assert (result.label, result.score) == (label, pytest.approx(score))
    assert result.scores[0].label == label and len(result.scores) == 3
    assert result.logits == (1.5, -0.25, 0.125)
    assert (result.timing.tokenize_us, result.timing.total_us) == (11, 1750)
    assert (result.tokens, result.truncated, result.batch_size) == (5, False, 1)
    assert (result.model, result.version, result.engine) == ("fake", 3, "rule")


def test_many_texts_give_a_list_in_order_over_several_calls(client, server):
    texts = [f"text {i}" for i in range(600)]
    assert [r.label for r in client.classify(texts)] == [score_of(t)[0] for t in texts]
    assert sorted(len(c.inputs) for c in server.bertha.calls) == [88, 256, 256]


def test_large_texts_do_not_share_a_call(client, server):
    client.classify(["x" * 700_000, "y" * 700_000, "z"])
    assert sorted(len(c.inputs) for c in server.bertha.calls) == [1, 2]


def test_no_texts_give_no_results_and_no_call(client, server):
    assert client.classify([]) == []
    assert server.bertha.calls == []


def test_options_and_pairs_reach_the_server(client, server):
    client.classify("a", pairs="b", model="fake", version=3, top_k=2, threshold=0.25, truncation="left")
    client.classify(["c", "d"], pairs=["e", ""])
    one, two = server.bertha.calls
    assert (one.model, one.version) == ("fake", 3)
    assert one.options == bertha_pb2.ClassifyOptions(
        top_k=2, threshold=0.25, truncation=bertha_pb2.TRUNCATION_POLICY_LEFT
    )
    assert [(i.text, i.text_pair) for i in [*one.inputs, *two.inputs]] == [("a", "b"), ("c", "e"), ("d", "")]
    assert two.inputs[1].HasField("text_pair")


def test_a_threshold_that_leaves_no_label(client):
    result = client.classify("x", threshold=0.9999)
    assert result.label is None and result.scores == ()
    assert "no label" in str(result)


def test_a_label_names_a_version_and_windows_are_counted(client, server):
    result = client.classify("word " * 30, version="stable", truncation="window", stride=4)
    assert (result.windows, result.tokens, result.truncated) == (2, 32, False)
    (request,) = server.bertha.calls
    assert (request.version, request.version_label) == (0, "stable")
    assert request.options == bertha_pb2.ClassifyOptions(truncation=bertha_pb2.TRUNCATION_POLICY_WINDOW, stride=4)


def test_tag_gives_entities_with_their_places(client, server):
    text = "é Ada"
    tagged = client.tag(text, aggregation="none", threshold=0.25)
    (entity,) = tagged.entities
    assert (entity.label, entity.text, entity.score) == ("B-NAME", "Ada", pytest.approx(score_of("Ada")[1]))
    assert text[entity.start : entity.end] == "Ada" and text.encode()[slice(*entity.bytes)] == b"Ada"
    assert (tagged.model, tagged.windows, tagged.timing.total_us) == ("fake", 1, 1750)
    assert str(tagged).startswith("B-NAME 'Ada' 0.")
    assert server.bertha.calls[0].options == bertha_pb2.TagTokensOptions(
        aggregation=bertha_pb2.AGGREGATION_NONE, threshold=0.25, truncation=bertha_pb2.TRUNCATION_POLICY_RIGHT
    )
    names = [f"Name{i}" for i in range(300)]
    assert [t.entities[0].text for t in client.tag(names)] == names


def test_answer_takes_one_context_or_one_for_each_question(client, server):
    answered = client.answer("Who?", "é Ada", top_k=2)
    assert (answered.text, answered.score) == ("Ada", pytest.approx(score_of("Ada")[1]))
    assert [(a.text, a.start, a.end) for a in answered.answers] == [("Ada", 2, 5), ("é", 0, 1)]
    assert answered.no_answer_score == 0.25
    assert [a.text for a in client.answer(["A?", "B?"], "same")] == ["same", "same"]
    assert [a.text for a in client.answer(["A?", "B?"], ["x", "y"])] == ["x", "y"]
    with pytest.raises(ValueError, match="list of 2, one for each question"):
        client.answer(["A?", "B?"], ["x"])
    assert server.bertha.calls[0].options == bertha_pb2.AnswerOptions(top_k=2, max_answer_tokens=15)


def test_answer_may_be_that_there_is_none(client):
    none = client.answer("Who?", "", allow_no_answer=True)
    assert none.text is None and none.score == 0.25 and none.answers[0].no_answer
    nothing = client.answer("Who?", "")
    assert nothing.text is None and nothing.answers == () and math.isnan(nothing.score)


def test_embed_gives_vectors_of_texts_or_of_tokens(client, server):
    assert client.embed("a b").vector == pytest.approx(vector_of("a b", scaled=True))
    both = client.embed(["a", "b"], pooling="cls+mean", normalize=False)
    assert [e.vector for e in both] == [tuple(vector_of("a", scaled=False)), tuple(vector_of("b", scaled=False))]
    tokens = client.embed("a b", tokens=True)
    assert tokens.vector == ()
    assert [(t.token, t.start, t.end) for t in tokens.token_vectors] == [("a", 0, 1), ("b", 2, 3)]
    first, second, third = (call.options for call in server.bertha.calls)
    assert not first.HasField("normalize") and first.pooling == bertha_pb2.POOLING_UNSPECIFIED
    assert second.HasField("normalize") and second.pooling == bertha_pb2.POOLING_CLS_MEAN
    assert third.pooling == bertha_pb2.POOLING_NONE


@pytest.mark.parametrize(
    "call, complaint",
    [
        (lambda c: c.tag("a", aggregation="most"), "aggregation must be one of None, none, simple"),
        (lambda c: c.embed("a", pooling="sum"), "pooling must be one of None, mean, cls"),
        (lambda c: c.embed("a", pooling="cls", tokens=True), "exclude each other"),
    ],
)
def test_unknown_options_name_the_known_ones(client, server, call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(client)
    assert server.bertha.calls == []


@pytest.mark.parametrize("pairs", ["one", ["one"]])
def test_pairs_must_match_the_texts(client, server, pairs):
    with pytest.raises(ValueError, match="2, one for each text"):
        client.classify(["a", "b"], pairs=pairs)
    assert server.bertha.calls == []


def test_an_unknown_truncation_names_the_known_ones(client):
    with pytest.raises(ValueError, match="right, left, error, window"):
        client.classify("a", truncation="middle")


def test_errors_are_grpc_errors_with_one_clear_line(client):
    with pytest.raises(grpc.RpcError) as caught:
        client.classify("a", model="nope")
    assert isinstance(caught.value, BerthaError)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert str(caught.value) == 'NOT_FOUND: no model "nope"; loaded: fake'


def test_no_server_says_what_to_do():
    with Client("localhost:1") as client, pytest.raises(BerthaError) as caught:
        client.classify("a")
    assert str(caught.value).startswith("UNAVAILABLE: cannot reach berthad at localhost:1: ")
    assert "scripts/serve" in str(caught.value)


def test_a_full_queue_is_retried_no_sooner_than_the_server_asks(client, server):
    client.classify("connect first")
    server.bertha.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", pushback_ms=150)]
    started = time.monotonic()
    assert client.classify("a").label == score_of("a")[0]
    assert time.monotonic() - started >= 0.15
    assert len(server.bertha.calls) == 3


def test_models(client, server):
    server.bertha.models = [
        bertha_pb2.ModelStatus(
            model={"name": "torn", "version": 4},
            state=bertha_pb2.ModelStatus.STATE_FAILED,
            reason="model.pt: checksum differs",
        )
    ]
    (model,) = client.models()
    assert (model.name, model.version, model.state, model.reason) == ("torn", 4, "FAILED", "model.pt: checksum differs")


def python(code, *arguments):
    env = {**os.environ, "PYTHONPATH": str(CLIENT_FOLDER)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], env=env, capture_output=True, text=True, timeout=300
    )


def test_the_one_liner_prints_something_readable(server):
    code = "import sys; from bertha import Client; print(Client(sys.argv[1]).classify('I love it'))"
    done = python(code, server.address)
    assert done.returncode == 0, done.stderr
    label, score = score_of("I love it")
    assert done.stdout.startswith(f"{label} {score:.4f} (")
    assert "1750 µs: tokenize 11, queue 22, compute 1700; fake v3, rule" in done.stdout


def test_importing_the_package_loads_no_grpc():
    done = python("import sys, bertha; print('grpc' in sys.modules, 'google.protobuf' in sys.modules)")
    assert done.stdout == "False False\n"


def test_every_exported_name_is_there():
    done = python("import bertha; print([getattr(bertha, name).__name__ for name in bertha.__all__] == bertha.__all__)")
    assert done.stdout == "True\n", done.stderr
