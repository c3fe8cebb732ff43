"""classify_stream of both Python clients, against a fake server that answers in pairs, the later first."""

import asyncio
import contextlib
import itertools
import threading

import grpc
import pytest

from bertha import AsyncClient, BerthaError, Client, DeadlineExceeded, InvalidRequest, NotAllowed, Retry, Unavailable
from bertha.stream import StreamCore
from bertha.plan import Envelope
from bertha.retry import Attempts
from bertha.v1 import bertha_pb2
from client_fake import wait_until
from fake_server import score_of

TEXTS = [f"text {i}" for i in range(40)]
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
QUICK = Retry(initial_backoff=0.001, max_backoff=0.01)


def labels(texts):
    return [score_of(t)[0] for t in texts]


def test_results_come_in_the_order_of_the_texts(ask, server):
    results = ask(lambda c: c.classify_stream(TEXTS, top_k=1))
    assert [r.label for r in results] == labels(TEXTS)
    assert server.bertha.streams == 1 and server.bertha.calls[0].request.options.top_k == 1


def test_or_as_they_are_completed_with_their_index(ask):
    results = ask(lambda c: c.classify_stream(TEXTS, ordered=False))
    assert [i for i, _ in results] != list(range(40)) and sorted(i for i, _ in results) == list(range(40))
    assert [r.label for _, r in sorted(results, key=lambda item: item[0])] == labels(TEXTS)


def test_no_texts_open_no_stream(ask, server):
    assert ask(lambda c: c.classify_stream([])) == []
    assert server.bertha.streams == 0


def test_pairs_and_the_timeout_of_each_text_reach_the_server(ask, server):
    ask(lambda c: c.classify_stream([("a", "b"), ("c", "")], timeout=3))
    first, second = server.bertha.calls
    assert (first.request.inputs[0].text, first.request.inputs[0].text_pair) == ("a", "b")
    assert second.request.inputs[0].HasField("text_pair")
    assert 2500 < first.timeout_ms <= 3000


@pytest.mark.parametrize("ordered", [True, False])
def test_texts_are_taken_only_as_results_are_taken(server, ordered):
    taken = itertools.count()

    def endless():
        for i in itertools.count():
            next(taken)
            yield f"alone {i}"

    with Client(server.address) as client:
        results = client.classify_stream(endless(), in_flight=4, ordered=ordered)
        for _ in range(10):
            next(results)
        results.close()
        assert next(taken) <= 10 + 4 + 1


def test_asynchronous_texts_are_taken_only_as_results_are_taken(server):
    taken = itertools.count()

    async def endless():
        for i in itertools.count():
            next(taken)
            yield f"alone {i}"

    async def go():
        async with AsyncClient(server.address) as client:
            async with contextlib.aclosing(client.classify_stream(endless(), in_flight=4)) as results:
                for _ in range(10):
                    await anext(results)

    asyncio.run(go())
    assert next(taken) <= 10 + 4 + 1


def test_a_slow_source_gets_its_results_at_once(server):
    """A text that waits for its retry does not wait for the next text."""
    server.bertha.item_failures["alone 0"] = [bertha_pb2.Error(code=EXHAUSTED, message="full", retry_after_ms=5)]
    more = threading.Event()

    def texts():
        yield "alone 0"
        assert more.wait(60)
        yield "alone 1"

    with Client(server.address) as client:
        results = client.classify_stream(texts())
        assert next(results).label == labels(["alone 0"])[0]
        more.set()
        assert [r.label for r in results] == labels(["alone 1"])


def test_what_finds_the_queue_full_is_sent_again(ask, server):
    full = bertha_pb2.Error(code=EXHAUSTED, message="full", retry_after_ms=2)
    texts = [f"alone {i}" for i in range(40)]
    server.bertha.item_failures = {"alone 3": [full, full], "alone 39": [full]}
    assert [r.label for r in ask(lambda c: c.classify_stream(texts), retry=QUICK)] == labels(texts)
    assert len(server.bertha.calls) == 43


def test_the_error_of_a_text_is_raised_in_its_turn(ask, server):
    server.bertha.item_failures["text 3"] = [bertha_pb2.Error(code=INVALID, message="inputs[0].text: no")]
    with pytest.raises(InvalidRequest, match=r"inputs\[3\].text: no") as caught:
        ask(lambda c: c.classify_stream(TEXTS))
    assert caught.value.index == 3


def test_or_given_to_a_function_and_the_others_go_on(ask, server):
    server.bertha.item_failures["text 3"] = [bertha_pb2.Error(code=INVALID, message="inputs[0].text: no")]
    errors = {}
    results = ask(lambda c: c.classify_stream(TEXTS, on_error=errors.__setitem__))
    assert [r.label for r in results] == labels(t for t in TEXTS if t != "text 3")
    assert list(errors) == [3] and isinstance(errors[3], InvalidRequest)


def test_a_stream_that_breaks_goes_on_where_it_was(ask, server):
    server.bertha.stream_ends_after = [0, 7, 12]
    texts = [f"alone {i}" for i in range(40)]
    assert [r.label for r in ask(lambda c: c.classify_stream(texts, in_flight=8), retry=QUICK)] == labels(texts)
    assert server.bertha.streams == 4


def test_a_stream_that_breaks_again_and_again_is_given_up(ask, server):
    server.bertha.stream_ends_after = [0] * 100
    with pytest.raises(Unavailable, match=r"\(after 5 attempts\)"):
        ask(lambda c: c.classify_stream(TEXTS), retry=QUICK)
    assert server.bertha.streams == 5


def test_a_stream_that_is_refused_says_why(ask, server):
    server.bertha.refuses_streams = True
    with pytest.raises(NotAllowed, match="unknown token"):
        ask(lambda c: c.classify_stream(TEXTS), retry=QUICK)


def test_no_server_says_what_to_do(ask):
    with pytest.raises(Unavailable, match="cannot reach berthad at localhost:1"):
        ask(lambda c: c.classify_stream(TEXTS), address="localhost:1", retry=QUICK)


def test_an_error_of_the_texts_comes_after_the_results_before_it(server):
    def texts():
        yield "alone 0"
        raise KeyError("my mistake")

    async def go():
        async with AsyncClient(server.address) as client:
            results = client.classify_stream(texts())
            assert (await anext(results)).label == labels(["alone 0"])[0]
            with pytest.raises(KeyError, match="my mistake"):
                await anext(results)

    asyncio.run(go())
    with Client(server.address) as client:
        results = client.classify_stream(texts())
        assert next(results).label == labels(["alone 0"])[0]
        with pytest.raises(KeyError, match="my mistake"):
            next(results)


@pytest.mark.parametrize("wrong, what", [(None, "text 1 must be a str"), (("a", "b", "c"), "pair of them")])
def test_wrong_texts_are_named(ask, wrong, what):
    with pytest.raises(TypeError, match=what):
        ask(lambda c: c.classify_stream(["alone", wrong]))


def test_wrong_options_are_refused_before_the_first_result(server):
    with Client(server.address) as client:
        for wrong in ({"in_flight": 0}, {"truncation": "middle"}, {"timeout": 0}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                client.classify_stream(TEXTS, **wrong)


def test_leaving_a_stream_cancels_it_on_the_server(server):
    server.bertha.block = threading.Event()

    async def go():
        async with AsyncClient(server.address) as client:
            task = asyncio.create_task(anext(client.classify_stream(TEXTS)))
            await asyncio.to_thread(wait_until, lambda: server.bertha.metadata, "the stream is there")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.bertha.cancelled.acquire, timeout=30)

    asyncio.run(go())


def test_a_stream_without_replies_ends_some_time(ask, server, monkeypatch):
    monkeypatch.setattr("bertha.stream._GRACE", 0.2)
    server.bertha.block = threading.Event()
    with pytest.raises(DeadlineExceeded, match="no reply on the stream within 0.3 s"):
        ask(lambda c: c.classify_stream(TEXTS, timeout=0.1))


# --- the state alone ---


def core_of(clock, **options):
    defaults = {"in_flight": 4, "ordered": True, "on_error": None, "timeout": 10.0}
    return StreamCore(
        bertha_pb2.ClassifyRequest(model="m"),
        Envelope(),
        new_attempts=lambda: Attempts(Retry(), None, 10.0, clock=clock, jitter=lambda: 1.0),
        clock=clock,
        **{**defaults, **options},
    )


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_time_in_which_nobody_reads_counts_against_no_reply():
    clock = Clock()
    core = core_of(clock)
    core.take("a")
    assert core.next_request().id == 0
    clock.now += 1000
    assert not core.overdue() and core.patience() is None
    core.begin_reading()
    assert core.patience() == pytest.approx(15)
    clock.now += 14.9
    assert not core.overdue()
    clock.now += 0.2
    assert core.overdue()


def test_a_text_waits_for_its_retry_and_is_not_sent_twice_when_the_stream_breaks():
    clock = Clock()
    core = core_of(clock)
    for text in "abc":
        core.take(text)
    assert [core.next_request().id for _ in range(3)] == [0, 1, 2]
    core.begin_reading()
    error = bertha_pb2.Error(code=EXHAUSTED, message="full", retry_after_ms=1000)
    core.on_reply(bertha_pb2.StreamClassifyResponse(id=1, error=error), "")
    assert core.next_request() is None
    assert core.on_broken(None) == pytest.approx(0.05)
    assert [core.next_request().id for _ in range(2)] == [0, 2]
    assert core.next_request() is None
    clock.now += 1.051
    assert core.next_request().id == 1
    with pytest.raises(BerthaError):
        for _ in range(5):
            core.on_broken(None)
