"""When the Python clients try again, and when not."""

import math
import time

import grpc
import pytest

from bertha import DeadlineExceeded, Overloaded, Retry, Unavailable
from bertha.errors import make_error, read_pushback
from bertha.retry import Attempts, RetryBudget
from fake_server import Failure

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
QUICK = Retry(initial_backoff=0.001, max_backoff=0.01)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def attempts_of(clock, policy=Retry(), *, budget=None, timeout=100.0, jitter=1.0, **options):
    return Attempts(policy, budget, timeout, clock=clock, jitter=lambda: jitter, **options)


def failed(code=UNAVAILABLE, retry_after=None):
    return make_error(code, "x", retry_after=retry_after)


# --- the decision ---


def test_the_backoff_doubles_up_to_its_limit_and_the_attempts_end(clock):
    attempts = attempts_of(clock, Retry(attempts=5, initial_backoff=0.1, max_backoff=0.35))
    assert [attempts.delay_after(failed()) for _ in range(5)] == [
        pytest.approx(x) if x else x for x in (0.1, 0.2, 0.35, 0.35, None)
    ]
    assert attempts.made == 5


def test_the_jitter_is_full(clock):
    assert attempts_of(clock, jitter=0.0).delay_after(failed()) == 0
    assert attempts_of(clock, jitter=0.5).delay_after(failed()) == pytest.approx(0.025)


def test_a_pushback_is_the_least_that_is_waited(clock):
    assert attempts_of(clock, jitter=0.0).delay_after(failed(EXHAUSTED, 2.5)) == 2.5
    assert attempts_of(clock, jitter=1.0).delay_after(failed(EXHAUSTED, 2.5)) == pytest.approx(2.55)


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c not in (UNAVAILABLE, EXHAUSTED)])
def test_other_codes_are_final(clock, code):
    assert attempts_of(clock).delay_after(failed(code, 0.1)) is None


def test_exhausted_without_pushback_is_final_since_it_means_too_large(clock):
    assert attempts_of(clock).delay_after(failed(EXHAUSTED)) is None
    assert attempts_of(clock).delay_after(failed(EXHAUSTED, 0.0)) is not None


def test_what_must_not_happen_twice_is_tried_again_only_on_the_servers_word(clock):
    assert attempts_of(clock, idempotent=False).delay_after(failed()) is None
    assert attempts_of(clock, idempotent=False).delay_after(failed(UNAVAILABLE, 0.1)) is not None


def test_no_attempt_begins_after_the_deadline(clock):
    attempts = attempts_of(clock, timeout=1.0)
    assert attempts.remaining() == pytest.approx(1.0)
    assert attempts.delay_after(failed(EXHAUSTED, 0.999)) is None
    clock.now += 0.9
    assert attempts.remaining() == pytest.approx(0.1)
    assert attempts.delay_after(failed()) == pytest.approx(0.05)
    clock.now += 0.2
    assert attempts.delay_after(failed()) is None
    assert attempts.remaining() > 0


@pytest.mark.parametrize(
    "value, seconds",
    [("150", 0.15), ("0", 0.0), (None, None), ("-1", math.inf), ("soon", math.inf), ("", math.inf)],
)
def test_the_pushback_is_read_as_grfc_a6_says(clock, value, seconds):
    assert read_pushback(value) == seconds
    if seconds == float("inf"):
        assert attempts_of(clock).delay_after(failed(UNAVAILABLE, seconds)) is None


def test_the_budget_allows_a_burst_then_a_tenth_of_the_calls_then_a_few_a_second(clock):
    policy = Retry(budget_ratio=0.1, budget_per_second=2, budget_burst=5)
    budget = RetryBudget(policy, clock)

    def spent():
        count = 0
        while budget.try_spend():
            count += 1
        return count

    assert spent() == 5
    for _ in range(45):
        budget.note_call()
    assert spent() == 4
    clock.now += 1.5
    assert spent() == 3
    clock.now += 1000
    assert spent() == 5


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"initial_backoff": -1}, {"budget_ratio": float("nan")}])
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retry(**wrong)


# --- on the wire, with both clients ---


@pytest.mark.parametrize("failure", [Failure(UNAVAILABLE, "starting"), Failure(EXHAUSTED, "full", pushback_ms=1)])
def test_what_passes_is_tried_again(ask, server, failure):
    server.bertha.failures = [failure, failure]
    assert ask(lambda c: c.classify("a"), retry=QUICK).model == "fake"
    assert len(server.bertha.calls) == 3


def test_the_pushback_of_the_server_is_waited_for(ask, server):
    server.bertha.failures = [Failure(EXHAUSTED, "full", pushback_ms=150)]
    started = time.monotonic()
    ask(lambda c: c.classify("a"), retry=QUICK)
    assert time.monotonic() - started >= 0.15


def test_a_message_that_is_too_large_is_sent_once(ask, server):
    server.bertha.failures = [Failure(EXHAUSTED, "larger than max")]
    with pytest.raises(Overloaded, match="larger than max") as caught:
        ask(lambda c: c.classify("a"), retry=QUICK)
    assert len(server.bertha.calls) == 1
    assert (caught.value.retry_after, caught.value.attempts) == (None, 1)


def test_the_last_error_says_how_often_it_was_tried(ask, server):
    server.bertha.broken = Failure(EXHAUSTED, "full", pushback_ms=2)
    with pytest.raises(Overloaded) as caught:
        ask(lambda c: c.classify("a"), retry=QUICK)
    assert str(caught.value) == "RESOURCE_EXHAUSTED: full (after 5 attempts)"
    assert (caught.value.retry_after, caught.value.request_id, caught.value.attempts) == (0.002, "r1", 5)
    assert len(server.bertha.calls) == 5


def test_a_broken_server_is_not_hammered(ask, server):
    server.bertha.broken = Failure(UNAVAILABLE, "broken")
    policy = Retry(initial_backoff=0.0, budget_ratio=0.1, budget_per_second=0, budget_burst=10)

    def call(client):
        return client.classify("a")

    errors = ask(*[guarded(call) for _ in range(100)], retry=policy)
    assert all(isinstance(e, Unavailable) for e in errors)
    assert 100 + 10 <= len(server.bertha.calls) <= 100 + 10 + 100 * 0.1


def guarded(call):
    """The error instead of the answer."""

    def function(client):
        from bertha import Client

        if isinstance(client, Client):
            return caught(lambda: call(client))
        return caught_later(call(client))

    return function


def caught(call):
    try:
        return call()
    except grpc.RpcError as error:
        return error


async def caught_later(answer):
    try:
        return await answer
    except grpc.RpcError as error:
        return error


def test_no_attempts_but_the_first_if_so_wished(ask, server):
    server.bertha.broken = Failure(UNAVAILABLE, "broken")
    with pytest.raises(Unavailable):
        ask(lambda c: c.classify("a"), retry=Retry(attempts=1))
    assert len(server.bertha.calls) == 1


def test_the_timeout_covers_all_attempts(ask, server):
    server.bertha.failures = [Failure(EXHAUSTED, "full", pushback_ms=1000)]
    ask(lambda c: c.classify("a", timeout=5))
    first, second = server.bertha.remaining
    assert 4.5 < first and second < 4.5  # gRPC rounds on the wire, up to a few hundredths


def test_a_wait_that_would_pass_the_deadline_is_not_begun(ask, server):
    server.bertha.broken = Failure(EXHAUSTED, "full", pushback_ms=60_000)
    started = time.monotonic()
    with pytest.raises(Overloaded, match="full") as caught:
        ask(lambda c: c.classify("a", timeout=30))
    assert time.monotonic() - started < 25 and caught.value.retry_after == 60


def test_a_deadline_that_passes_is_its_own_error(ask, server):
    import threading

    server.bertha.block = threading.Event()
    with pytest.raises(DeadlineExceeded):
        ask(lambda c: c.classify("a", timeout=0.1))


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), "3"])
def test_there_is_always_a_deadline(ask, server, timeout):
    with pytest.raises(ValueError, match="timeout must be a number of seconds above 0"):
        ask(lambda c: c.classify("a", timeout=timeout))
    with pytest.raises(ValueError, match="timeout"):
        ask(lambda c: c.classify("a"), timeout=timeout)
    assert server.bertha.calls == []


def test_without_a_timeout_the_clients_holds(ask, server):
    ask(lambda c: c.classify("a"), timeout=7)
    ask(lambda c: c.classify("a", timeout=None), timeout=7)
    assert all(6 < seconds < 8 for seconds in server.bertha.remaining)  # gRPC rounds on the wire


def test_a_vote_is_sent_again_only_if_the_server_did_not_take_it(ask, server):
    result = ask(lambda c: c.classify("a"))
    server.bertha.failures = [Failure(UNAVAILABLE, "the database does not answer", pushback_ms=1)]
    assert ask(lambda c: c.record_feedback("a", result, right=True), retry=QUICK) == 1
    server.bertha.failures = [Failure(UNAVAILABLE, "connection lost")]
    with pytest.raises(Unavailable):
        ask(lambda c: c.record_feedback("a", result, right=True), retry=QUICK)
    assert len(server.bertha.votes) == 1
