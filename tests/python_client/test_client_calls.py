"""What both Python clients ask and make of the answers, against a fake server."""

import asyncio
import pickle
import threading

import grpc
import pytest

from bertha import (
    AsyncClient,
    BerthaError,
    Client,
    InvalidRequest,
    NotAllowed,
    NotFound,
    Unavailable,
)
from bertha.errors import make_error
from bertha.v1 import bertha_pb2
from client_fake import wait_until
from fake_server import Failure, score_of

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def test_both_clients_have_the_same_methods():
    def names(kind):
        return {n for n in dir(kind) if not n.startswith("_")}

    assert names(Client) == names(AsyncClient)


def test_every_method_of_the_service_is_there():
    plural = {"ListModels": "models", "StreamClassify": "classify_stream"}
    for method in bertha_pb2.DESCRIPTOR.services_by_name["Bertha"].methods:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in method.name).strip("_")
        assert callable(getattr(Client, plural.get(method.name, snake))), method.name


def test_one_text_gives_one_answer_and_several_give_a_list(ask):
    one, several, none = ask(lambda c: c.classify("a"), lambda c: c.classify(["a", "b"]), lambda c: c.classify([]))
    assert (one.label, [r.label for r in several], none) == (score_of("a")[0], [score_of(t)[0] for t in "ab"], [])


def test_tag_answer_and_embed(ask):
    tagged, answered, embedding = ask(
        lambda c: c.tag_tokens("Ada"), lambda c: c.answer("Who?", "Ada"), lambda c: c.embed("Ada")
    )
    assert (tagged.entities[0].text, answered.text, len(embedding.vector)) == ("Ada", "Ada", 3)


def test_tokenize_shows_what_is_cut_off(ask, server):
    one, several = ask(
        lambda c: c.tokenize("é a b c", truncation="left"), lambda c: c.tokenize(["a", "b c"], pairs=["x", ""])
    )
    assert [(t.text, t.cut, t.start, t.end, t.bytes) for t in one.tokens][::3] == [
        ("é", False, 0, 1, (0, 2)),
        ("c", True, 6, 7, (7, 8)),
    ]
    assert (one.ids, one.computed, one.max_length, one.model, one.version) == ((0, 1, 2), 3, 3, "fake", 3)
    assert str(one) == "é a b (1 cut off) [fake v3]"
    assert [len(t.tokens) for t in several] == [1, 2]
    assert server.bertha.calls[0].truncation == bertha_pb2.TRUNCATION_POLICY_LEFT


def test_compare_gives_results_and_errors_side_by_side(ask, server):
    fake, other = ask(lambda c: c.compare("a b", models=["fake:7", "gone:stable"], tokens=True, top_k=1))
    assert (fake.model, fake.version, fake.result.label, len(fake.result.scores)) == ("fake", 7, score_of("a b")[0], 1)
    assert fake.error is None and [t.text for t in fake.tokens.tokens] == ["a", "b"]
    assert other.result is None and isinstance(other.error, NotFound)
    assert str(other) == 'gone: NOT_FOUND: no model "gone"'
    (request,) = server.bertha.calls
    assert [(m.name, m.version, m.version_label) for m in request.models] == [("fake", 7, ""), ("gone", 0, "stable")]
    assert [c.model for c in ask(lambda c: c.compare("a"))] == ["fake"]
    with pytest.raises(TypeError, match="list of names"):
        ask(lambda c: c.compare("a", models="fake"))


def test_a_vote_says_what_was_judged(ask, server):
    result = ask(lambda c: c.classify("a"))
    assert ask(lambda c: c.record_feedback("a", result, right=True)) == 1
    assert ask(lambda c: c.record_feedback("a", result, right=False, correct_label="neutral", pair="p")) == 2
    up, down = server.bertha.votes
    assert (up.input.text, up.model, up.version, up.label) == ("a", "fake", 3, result.label)
    assert up.score == pytest.approx(result.score) and up.verdict == bertha_pb2.VERDICT_RIGHT
    assert (down.verdict, down.correct_label, down.input.text_pair) == (bertha_pb2.VERDICT_WRONG, "neutral", "p")
    with pytest.raises(ValueError, match="right=False"):
        ask(lambda c: c.record_feedback("a", result, right=True, correct_label="neutral"))


def test_health_of_the_server_and_of_a_model(ask, server):
    server.health.statuses = ["SERVING", "NOT_SERVING", "NOT_FOUND"]
    assert ask(lambda c: c.health(), lambda c: c.health("fake")) == ["SERVING", "NOT_SERVING"]
    assert server.health.asked == ["", "fake"]
    with pytest.raises(NotFound):
        ask(lambda c: c.health("gone"))


def test_wait_ready_waits(ask, server):
    server.health.statuses = ["NOT_FOUND", "NOT_SERVING", "UNKNOWN", "SERVING"]
    assert ask(lambda c: c.wait_ready("fake", timeout=30)) is None
    assert server.health.asked == ["fake"] * 4
    server.health.statuses = ["NOT_SERVING"]
    with pytest.raises(Unavailable, match='model "fake" is NOT_SERVING'):
        ask(lambda c: c.wait_ready("fake", timeout=0.4))


# --- long lists ---


def test_a_long_list_is_sent_in_several_calls_at_a_time_and_comes_back_in_order(ask, server):
    server.bertha.hold = threading.Barrier(3)  # opens only if three calls meet
    texts = [f"text {i}" for i in range(256 * 6)]
    results = ask(lambda c: c.classify(texts), max_in_flight=3)
    assert [r.label for r in results] == [score_of(t)[0] for t in texts]
    assert [len(c.inputs) for c in server.bertha.calls] == [256] * 6
    assert server.bertha.most_in_flight == 3


def test_calls_are_bounded_by_bytes_too(ask, server):
    ask(lambda c: c.classify(["é" * 400_000, "y" * 700_000, "z", "w" * 2_000_000]))
    assert sorted(len(c.inputs) for c in server.bertha.calls) == [1, 1, 2]


def test_texts_may_come_from_any_iterable(ask):
    assert len(ask(lambda c: c.classify(t for t in ("a", "b")))) == 2


@pytest.mark.parametrize("at", [0, 300, 599])
def test_an_error_names_the_text_in_the_whole_list(ask, server, at):
    server.bertha.fails_on[f"text {at}"] = Failure(INVALID, f"inputs[{at % 256}].text: is too long")
    with pytest.raises(InvalidRequest) as caught:
        ask(lambda c: c.classify([f"text {i}" for i in range(600)]))
    assert str(caught.value) == f"INVALID_ARGUMENT: inputs[{at}].text: is too long"
    assert caught.value.index == at


def test_another_error_names_the_texts_of_its_call(ask, server):
    server.bertha.fails_on["text 300"] = Failure(grpc.StatusCode.INTERNAL, "the engine failed")
    with pytest.raises(BerthaError, match=r"the engine failed \(of the call with texts 256 to 511 of 600\)"):
        ask(lambda c: c.classify([f"text {i}" for i in range(600)]))


def test_an_error_cancels_the_calls_beside_it(ask, server):
    server.bertha.fails_on["text 0"] = Failure(INVALID, "inputs[0].text: no")
    server.bertha.blocks_on = {"text 300"}
    waits = server.bertha._wait
    reached = threading.Event()

    def wait(event, context):
        reached.set()
        waits(event, context)

    def fail(failure, context):
        assert reached.wait(30)
        context.abort(failure.code, failure.message)

    server.bertha._wait, server.bertha._fail = wait, fail
    with pytest.raises(InvalidRequest):
        ask(lambda c: c.classify([f"text {i}" for i in range(512)], timeout=60))
    assert server.bertha.cancelled.acquire(timeout=30)


@pytest.mark.parametrize(
    "call, complaint",
    [
        (lambda c: c.classify(["a", None]), r"texts\[1\] must be a str, not None"),
        (lambda c: c.classify(["a", float("nan")]), r"texts\[1\] must be a str, not nan"),
        (lambda c: c.classify(b"a"), "not bytes"),
        (lambda c: c.classify(None), "not iterable"),
        (lambda c: c.classify("a", pairs=["b"]), "must be a str when there is one text"),
        (lambda c: c.classify("a", topk=1), "topk"),
    ],
)
def test_wrong_types_are_refused_before_anything_is_sent(ask, server, call, complaint):
    with pytest.raises(TypeError, match=complaint):
        ask(call)
    assert server.bertha.calls == []


def test_half_a_surrogate_pair_is_refused_with_its_place(ask, server):
    with pytest.raises(ValueError, match=r"text 1 is no valid Unicode: character 2 is '\\ud83d'"):
        ask(lambda c: c.classify(["a", "ab\ud83d"]))
    assert server.bertha.calls == []


# --- metadata, tokens, request ids ---


def test_request_id_and_traceparent_go_out_and_the_id_comes_back(ask, server):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    result = ask(lambda c: c.classify("a", request_id="order-7", traceparent=trace))
    assert result.request_id == "order-7"
    sent = server.bertha.metadata[0]
    assert (sent["x-request-id"], sent["traceparent"]) == ("order-7", trace)
    assert ask(lambda c: c.classify("a")).request_id == "made-by-server"
    assert "traceparent" not in server.bertha.metadata[1]
    with pytest.raises(ValueError, match="request_id must be"):
        ask(lambda c: c.classify("a", request_id="two\nlines"))


def test_the_metadata_hook_is_asked_for_each_attempt(ask, server):
    asked = []

    def hook(method):
        asked.append(method)
        return [("x-attempt", str(len(asked)))]

    server.bertha.failures = [Failure(grpc.StatusCode.UNAVAILABLE, "starting")]
    ask(lambda c: c.classify("a"), lambda c: c.embed("b"), metadata=hook)
    assert asked == ["Classify", "Classify", "Embed"]
    assert [m["x-attempt"] for m in server.bertha.metadata] == ["1", "2", "3"]


def test_a_token_goes_with_every_attempt_and_may_change(ask, server):
    tokens = iter(["old", "new"])
    server.bertha.failures = [Failure(grpc.StatusCode.UNAVAILABLE, "starting")]
    ask(lambda c: c.classify("a"), token=lambda: next(tokens))
    ask(lambda c: c.classify("a"), token="fixed")
    assert [m["authorization"] for m in server.bertha.metadata] == ["Bearer old", "Bearer new", "Bearer fixed"]


def test_an_asynchronous_client_awaits_its_token(server):
    async def token():
        await asyncio.sleep(0)
        return "awaited"

    async def go():
        async with AsyncClient(server.address, token=token) as client:
            await client.classify("a")

    asyncio.run(go())
    assert server.bertha.metadata[0]["authorization"] == "Bearer awaited"


@pytest.mark.parametrize("token", ["", "two words", "line\n", "é"])
def test_a_token_that_no_header_takes_is_refused_and_not_shown(ask, server, token):
    for given in (token, lambda: token):
        with pytest.raises(ValueError, match="visible ASCII") as caught:
            ask(lambda c: c.classify("a"), token=given)
        assert not token or token not in str(caught.value)
    assert server.bertha.calls == []


FAR = ("example.org:8001", "10.0.0.1:8001", "dns:///example.org:8001", "[2001:db8::1]:80", "localhost.org:1")
NEAR = ("localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/tmp/s", "dns:///localhost:1", "ipv4:127.0.0.1:1")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_no_token_leaves_the_machine_in_plain_text(kind):
    for address in FAR:
        with pytest.raises(ValueError, match="unencrypted: pass tls=True"):
            kind(address, token="secret")
        kind(address, token="secret", allow_insecure=True)
        kind(address, token="secret", tls=True)
    for address in NEAR:
        kind(address, token="secret")


def test_a_wrong_token_is_an_error_of_its_own_and_final(ask, server):
    server.bertha.broken = Failure(grpc.StatusCode.UNAUTHENTICATED, "unknown token")
    with pytest.raises(NotAllowed):
        ask(lambda c: c.classify("a"), token="wrong")
    assert len(server.bertha.calls) == 1


# --- errors ---


def test_errors_are_grpc_errors_that_pickle():
    error = make_error(INVALID, "inputs[3].text: no", index=3, retry_after=0.5, request_id="r", attempts=2)
    assert isinstance(error, InvalidRequest) and isinstance(error, BerthaError) and isinstance(error, grpc.RpcError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is InvalidRequest and str(again) == str(error)
    assert (again.code(), again.details(), again.account()) == (INVALID, "inputs[3].text: no", error.account())


def test_results_pickle_and_compare_without_the_request_id(ask):
    one, other = ask(lambda c: c.classify("a", request_id="1"), lambda c: c.classify("a", request_id="2"))
    assert one == other == pickle.loads(pickle.dumps(one))
    with pytest.raises(AttributeError):
        one.label = "x"


# --- lifetime ---


def test_a_closed_client_says_so(ask, server):
    with Client(server.address) as client:
        pass
    with pytest.raises(ValueError, match="closed"):
        client.classify("a")

    async def go():
        async with AsyncClient(server.address) as late:
            pass
        await late.classify("a")

    with pytest.raises(ValueError, match="closed"):
        asyncio.run(go())


def test_threads_share_a_client(server):
    with Client(server.address) as client:
        texts = [f"text {i}" for i in range(40)]
        found = {}

        def work(text):
            found[text] = client.classify(text).label

        threads = [threading.Thread(target=work, args=(t,)) for t in texts]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert found == {t: score_of(t)[0] for t in texts}


def test_cancelling_a_task_cancels_the_call_on_the_server(server):
    server.bertha.block = threading.Event()

    async def go():
        async with AsyncClient(server.address) as client:
            one = asyncio.create_task(client.classify("a"))
            many = asyncio.create_task(client.classify(["a"] * 1024))
            await asyncio.to_thread(wait_until, lambda: len(server.bertha.metadata) == 5, "the calls are there")
            one.cancel()
            many.cancel()
            answers = await asyncio.gather(one, many, return_exceptions=True)
            assert all(isinstance(a, asyncio.CancelledError) for a in answers)
            for _ in range(5):
                assert await asyncio.to_thread(server.bertha.cancelled.acquire, timeout=30)

    asyncio.run(go())


def test_a_client_in_use_does_not_cross_into_another_loop_or_process(server, monkeypatch):
    client = AsyncClient(server.address)
    asyncio.run(client.classify("a"))
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(client.classify("a"))

    with Client(server.address) as blocking:
        blocking.classify("a")
        monkeypatch.setattr("os.getpid", lambda: -1)
        with pytest.raises(RuntimeError, match="os.fork"):
            blocking.classify("a")
        monkeypatch.undo()


def test_the_representation_shows_no_secrets(server):
    assert repr(Client("localhost:1", token="secret")) == "Client('localhost:1')"
    assert repr(AsyncClient("host:1", tls=True, token="secret")) == "AsyncClient('host:1', tls=True)"


