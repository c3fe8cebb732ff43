"""SIGTERM and SIGINT: what was accepted is finished, and nothing is left in doubt."""

import collections
import contextlib
import re
import signal
import socket
import threading
import time

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2

from e2e_support import NOT_SERVING, PATIENCE, SERVING, Stream, failure, texts_request, wait_until
from e2e_texts import short_texts

CODE = grpc.StatusCode
CALLERS = 64


class Load:
    """Callers that classify until they are refused."""

    def __init__(self, daemon, texts_per_call):
        self._texts, self._per_call = short_texts(100, seed=30), texts_per_call
        self._lock = threading.Lock()
        self.codes, self.details = collections.Counter(), {}
        self.answers = []  # (when, texts) of each OK
        stubs = [daemon.stub() for _ in range(8)]
        self._threads = [
            threading.Thread(target=self._call, args=(stubs[n % 8], n), daemon=True) for n in range(CALLERS)
        ]
        for thread in self._threads:
            thread.start()

    def _call(self, stub, n):
        texts = [self._texts[(n + i) % len(self._texts)] for i in range(self._per_call)]
        while True:
            try:
                answer = stub.Classify(texts_request(texts), timeout=PATIENCE)
                assert len(answer.results) == len(texts)
                code, details = CODE.OK, ""
            except grpc.RpcError as error:
                code, details = error.code(), error.details()
            with self._lock:
                self.codes[code] += 1
                self.details[code] = details
                if code is CODE.OK:
                    self.answers.append((time.monotonic(), len(texts)))
            if code is not CODE.OK:
                return

    def texts_answered_since(self, moment):
        return sum(texts for when, texts in self.answers if when > moment)

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a call never ended"


def texts_in_hand(daemon):
    """What the log says was waiting when the drain began."""
    return int(re.search(r"draining, (\d+) texts wait", daemon.log()).group(1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_accepted_is_lost_under_load(daemon, number):
    d = daemon()
    load = Load(d, texts_per_call=4)
    wait_until(lambda: load.codes[CODE.OK] > 200, "the load runs")
    moment = time.monotonic()
    d.signal(number)
    assert d.wait() == 0, d.log()
    load.join()
    assert set(load.codes) == {CODE.OK, CODE.UNAVAILABLE}, (load.codes, load.details)
    assert load.codes[CODE.UNAVAILABLE] == CALLERS
    assert load.texts_answered_since(moment) >= texts_in_hand(d)


def test_waiting_calls_are_answered_after_sigterm(daemon, slow_models):
    queue = ("--queue-max-requests", "30", "--limits-max-inputs-per-call", "30")
    d = daemon("--batch-max-requests", "1", *queue, models=slow_models)
    stub = d.stub()
    futures = [stub.Classify.future(texts_request([f"text {i}"]), timeout=PATIENCE) for i in range(40)]
    wait_until(
        lambda: {CODE.OK, CODE.RESOURCE_EXHAUSTED} <= {f.code() for f in futures if f.done()},
        "one is answered, and the queue was full",
    )
    d.signal()
    assert d.wait() == 0, d.log()
    codes = collections.Counter(f.code() for f in futures)
    waiting = texts_in_hand(d)
    assert waiting > 5, "the daemon had nothing to drain"
    assert codes[CODE.OK] > waiting
    assert set(codes) <= {CODE.OK, CODE.UNAVAILABLE, CODE.RESOURCE_EXHAUSTED}, codes


def test_a_stream_gets_all_its_answers_after_sigterm(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", models=slow_models)
    stream = Stream(d.stub())
    for i in range(1, 26):
        stream.send(i, texts_request([f"text {i}"]))
    stream.wait_read(1000)
    assert len(stream.replies) < 20, "nothing is left to be drained"
    d.signal()
    assert stream.wait_end() is CODE.UNAVAILABLE, stream.details
    assert sorted(stream.ids()) == [*range(1, 26), 1000]
    assert all(r.HasField("response") for r in stream.replies if r.id != 1000)
    assert d.wait() == 0


def test_a_finished_stream_ends_well_in_a_drain(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", models=slow_models)
    stream = Stream(d.stub())
    for i in range(10):
        stream.send(i, texts_request([f"text {i}"]))
    stream.half_close()
    stream.wait_reply(0)
    d.signal()
    # The end of the requests may not have been read when the drain began.
    assert stream.wait_end() in (CODE.OK, CODE.UNAVAILABLE), stream.details
    assert d.wait() == 0
    assert len(set(stream.ids())) == len(stream.ids())
    if stream.code is CODE.OK:
        assert sorted(stream.ids()) == list(range(10))


def test_watchers_see_not_serving_then_the_end(daemon):
    d = daemon()
    watch = d.health().Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert next(watch).status == SERVING
    d.signal()
    assert next(watch).status == NOT_SERVING
    assert failure(next, watch).code() is CODE.UNAVAILABLE
    assert d.wait() == 0


def test_an_http_client_is_answered_and_sent_elsewhere_in_the_lame_duck_time(daemon):
    d = daemon("--drain-lame-duck-ms", "1500")
    with requests.Session() as session:
        def ask():
            return session.post(f"http://{d.http_address}/v1/classify", json={"inputs": [{"text": "hello"}]}, timeout=PATIENCE)

        assert "connection" not in ask().headers
        d.signal()
        wait_until(lambda: d.log_lines("health says NOT_SERVING"), "the end begins")
        answer = ask()
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert d.wait() == 0


def connects(address):
    host, _, port = address.partition(":")
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, int(port)), timeout=PATIENCE):
        return True
    return False


@pytest.mark.parametrize("age, refuses", [("300", True), ("0", False)])
def test_nobody_connects_in_the_last_part_of_the_lame_duck_time_in_which_connections_grow_old(daemon, age, refuses):
    d = daemon("--drain-lame-duck-ms", "1500", "--limits-max-connection-age-ms", age)
    stub = d.stub()
    assert stub.Classify(texts_request(["hello"]), timeout=PATIENCE).results
    began = time.monotonic()
    d.signal()
    wait_until(lambda: d.log_lines("health says NOT_SERVING"), "the end begins")
    assert connects(d.address)
    if refuses:
        wait_until(lambda: not connects(d.address), "nobody connects any more")
        assert time.monotonic() - began < 1.5, "too late: it drains"
    else:
        time.sleep(1.2 - (time.monotonic() - began))
        assert connects(d.address)
    assert d.wait() == 0


def test_idle_connections_do_not_hold_the_drain_up(daemon):
    d = daemon()
    stream = Stream(d.stub())
    stream.send(1, texts_request(["one"]))
    stream.wait_reply(1)
    d.health().Check(health_pb2.HealthCheckRequest())
    moment = time.monotonic()
    d.signal()
    assert d.wait() == 0
    assert time.monotonic() - moment < 10
    assert stream.wait_end() is CODE.UNAVAILABLE


def test_a_second_signal_exits_at_once(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", models=slow_models, exit_code=None)
    stream = Stream(d.stub())
    for i in range(200):  # 8 s of work
        stream.send(i, texts_request([f"text {i}"]))
    stream.wait_read(1000)
    d.signal(signal.SIGINT)
    wait_until(lambda: d.log_lines("draining"), "the drain begins")
    with contextlib.suppress(grpc.RpcError):
        d.stub().Classify(texts_request(["late"]), timeout=1)
    assert d.process.poll() is None
    d.signal(signal.SIGINT)
    assert d.wait(5) not in (0, None)
    assert d.log_lines("second signal")
    assert stream.wait_end() is not CODE.OK


def test_the_drain_is_bounded_by_its_time(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", "--drain-timeout-ms", "300", models=slow_models, exit_code=None)
    stream = Stream(d.stub())
    for i in range(200):  # 8 s of work
        stream.send(i, texts_request([f"text {i}"]))
    stream.wait_read(1000)
    d.signal()
    assert d.wait(5) == 1
    assert d.log_lines("longer than drain.timeout_ms")
    assert stream.wait_end() is not CODE.OK


def test_a_forward_pass_that_never_returns_does_not_keep_the_process(daemon, slow_models):
    d = daemon("--drain-timeout-ms", "1000", models=slow_models, exit_code=None)
    stream = Stream(d.stub())
    stream.send(1, texts_request(["[MASK]"]))
    stream.wait_read(2)  # from here on the idle worker takes it, long before the drain's time is over
    begin = time.monotonic()
    d.signal()
    assert d.wait() == 1, d.log()
    assert 1 < time.monotonic() - begin < 20
    assert d.log_lines("longer than drain.timeout_ms")
    assert stream.wait_end() is not CODE.OK
    assert stream.ids() == [2]
