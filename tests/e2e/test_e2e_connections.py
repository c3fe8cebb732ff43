"""The life of a gRPC connection: how old it becomes, how idle, how often it may ping, and what it costs while it is quiet."""

import contextlib
import pathlib
import threading
import time

import grpc
import pytest

import http2_frames as h2
from bertha.v1 import bertha_pb2_grpc
from e2e_support import PATIENCE, Stream, texts_request, wait_until

CODE = grpc.StatusCode


def age(milliseconds, grace):
    return ("--limits-max-connection-age-ms", str(milliseconds), "--limits-connection-age-grace-ms", str(grace))


@contextlib.contextmanager
def raw(daemon):
    """A connection that asks for nothing, and when it was opened."""
    began = time.monotonic()
    with contextlib.closing(h2.Connection(daemon.address, timeout=60)) as connection:
        yield connection, began


# --- age ---


def test_an_old_connection_is_told_to_go_away(daemon):
    d = daemon(*age(500, grace=60_000))
    with raw(d) as (connection, began):
        goodbyes = connection.goodbyes()
        assert 0.45 <= time.monotonic() - began < 30
    assert goodbyes and {code for code, _ in goodbyes} == {h2.NO_ERROR}, goodbyes


class Caller:
    """Calls over one channel, made as clients make theirs, until it has been connected `times` times."""

    def __init__(self, daemon, times, policy):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.lb_policy_name", policy)]
        self.failures, self.connections, self._times = [], 0, times
        self._channel = grpc.insecure_channel(daemon.address, options=options)
        self._channel.subscribe(self._on_state)
        self.thread = threading.Thread(target=self._call, daemon=True)
        self.thread.start()

    def _on_state(self, state):
        self.connections += state is grpc.ChannelConnectivity.READY

    def _call(self):
        stub = bertha_pb2_grpc.BerthaStub(self._channel)
        until = time.monotonic() + PATIENCE
        while self.connections < self._times and time.monotonic() < until:
            try:
                stub.Classify(texts_request(["hello"]), timeout=PATIENCE)
            except grpc.RpcError as error:
                self.failures.append((error.code(), error.details()))

    def join(self):
        self.thread.join(PATIENCE)
        self._channel.close()


@pytest.mark.parametrize("policy", ["pick_first", "round_robin"])
def test_no_call_is_lost_when_connections_grow_old(daemon, policy):
    d = daemon(*age(200, grace=60_000))
    callers = [Caller(d, 4, policy) for _ in range(4)]
    for caller in callers:
        caller.join()
    assert [caller.failures for caller in callers] == [[]] * 4
    assert all(caller.connections >= 4 for caller in callers)


def test_calls_have_the_grace_to_end_and_no_longer(daemon):
    d = daemon(*age(200, grace=800))
    stream, began, answered = Stream(d.stub()), time.monotonic(), []
    number = 0
    while stream.code is None:
        number += 1
        stream.send(number, texts_request(["hello"]))
        wait_until(lambda: stream.code or number in stream.ids(), "it is answered, or the stream ends")
        if number in stream.ids():
            answered.append(time.monotonic() - began)
    assert stream.code is CODE.UNAVAILABLE, stream.details
    assert 0.9 * 0.2 + 0.8 <= time.monotonic() - began < 30
    assert max(answered) > 0.5, "nothing was answered in the grace"


def test_connections_do_not_age_unless_they_are_told_to(daemon):
    d = daemon()
    with raw(d) as (connection, _):
        assert not connection.closed_within(1)


# --- idleness ---


def test_an_idle_connection_is_closed_and_one_with_a_call_is_not(daemon):
    d = daemon("--limits-max-connection-idle-ms", "400")
    stream = Stream(d.stub())
    stream.send(1, texts_request(["hello"]))
    stream.wait_reply(1)
    with raw(d) as (connection, began):
        goodbyes = connection.goodbyes()
        assert 0.4 <= time.monotonic() - began < 30
    assert [words for _, words in goodbyes] == ["enter idle"]
    stream.send(2, texts_request(["hello again"]))
    stream.wait_reply(2)
    stream.half_close()
    assert stream.wait_end() is CODE.OK


# --- pings ---


def ping(connection):
    connection.socket.sendall(h2.frame(h2.PING, 0, 0, b"12345678"))


def answers(connection):
    """Whether a ping is answered."""
    ping(connection)
    return any(kind == h2.PING for kind, _ in connection.frames())


def test_who_pings_too_often_is_told_so(daemon):
    d = daemon("--limits-min-ping-interval-ms", "60000")
    with raw(d) as (connection, _):
        for _ in range(3):  # the first one is welcome, two that come too soon are forgiven
            assert answers(connection)
        assert not connection.closed_within(0.3)
        connection.socket.settimeout(20)
        ping(connection)
        for kind, payload in connection.frames():
            if kind == h2.GOAWAY:
                break
            if kind == h2.PING:  # whatever gRPC itself sends meanwhile forgives some more
                ping(connection)
        assert kind == h2.GOAWAY
        assert (int.from_bytes(payload[4:8], "big"), payload[8:]) == (h2.ENHANCE_YOUR_CALM, b"too_many_pings")


@pytest.mark.parametrize(("interval", "pause"), [("0", 0), ("20", 0.04)])
def test_pings_in_the_interval_are_answered_without_a_call(daemon, interval, pause):
    d = daemon("--limits-min-ping-interval-ms", interval)
    with raw(d) as (connection, _):
        for _ in range(10):
            assert answers(connection)
            time.sleep(pause)


# --- quiet ---


def wakes(daemon):
    """How often the threads that accept have gone to sleep so far."""
    total = 0
    for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "grpc-accept":
            status = (task / "status").read_text()
            total += int(next(line for line in status.splitlines() if line.startswith("voluntary")).split()[1])
    assert total > 0, "there is no such thread"
    return total


def wakes_in(daemon, seconds):
    before = wakes(daemon)
    time.sleep(seconds)
    return wakes(daemon) - before


def test_who_accepts_sleeps_while_there_are_no_connections(daemon):
    d = daemon()
    assert d.stub().Classify(texts_request(["hello"]), timeout=PATIENCE).results
    d.disconnect()
    wait_until(lambda: wakes_in(d, 0.3) == 0, "it does not wake", 20)
    assert d.stub().Classify(texts_request(["hello"]), timeout=PATIENCE).results


def test_who_accepts_seldom_wakes_for_quiet_connections(daemon):
    d = daemon()
    with raw(d):
        wait_until(lambda: wakes_in(d, 1) <= 4, "it wakes every half second", 20)
        assert wakes_in(d, 1) >= 1
