"""The HTTP server's limits: sizes of requests and numbers of connections."""

import contextlib
import resource
import time

import pytest

from e2e_support import wait_until
from http_core_support import cpu_seconds, error_of, get, request, seconds


@pytest.mark.parametrize("data, status", [
    (get("/", "X: " + "x" * 20_000), 431),
    (get("/", *["X: x"] * 200), 431),
    (get("/" + "x" * 10_000), 414),
    (b"GET /" + b"x" * 10_000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    (request("POST", "/echo", ["Content-Length: 8388609"]), 413),
    (request("POST", "/echo", ["Transfer-Encoding: chunked"]) + b"800001\r\n", 413),
    (request("POST", "/echo", ["Content-Length: 5", "Transfer-Encoding: chunked"]) + b"0\r\n\r\n", 400),
    (request("POST", "/echo", ["Content-Length: 5", "Content-Length: 6"]) + b"hello!", 400),
    (request("POST", "/echo", ["Transfer-Encoding: chunked"]) + b"zz\r\n", 400),
    (get("/", "X: a\r\n folded"), 400),
    (b"\x16\x03\x01\x00\xa5\x01", 400),
    (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
])
def test_what_breaks_a_limit_is_told_so_and_closed(common, data, status):
    with common.connect() as raw:
        raw.send(data + get("/describe"))  # must not be taken for the next request
        answer = raw.answer()
        assert answer.status == status, answer.body
        assert answer.headers["connection"] == "close"
        error_of(answer)
        assert raw.ended()


def test_a_chunked_body_is_measured_while_it_comes(probe):
    server = probe(body_bytes=100_000)
    with server.connect() as raw:
        raw.send(request("POST", "/echo", ["Transfer-Encoding: chunked"]))
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                raw.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        assert raw.answer().status == 413


def test_too_many_connections_are_refused(probe):
    server = probe(connections=5)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(server.connect()).send(b"GET")
        wait_until(lambda: server.stats()["open"] == 5, "they are open")
        assert error_of(server.ask(b""))["code"] == 503
    wait_until(lambda: server.stats()["open"] == 0, "they are closed")
    server.alive()


def test_one_client_cannot_take_all_connections(probe):
    server = probe(per_client=3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.connect(source="127.0.0.2"))
        wait_until(lambda: server.stats()["open"] == 3, "they are open")
        assert error_of(server.ask(b"", source="127.0.0.2"))["code"] == 429
        assert server.ask(get("/"), source="127.0.0.3").status == 200


def test_trusted_proxies_may_have_many_connections(probe):
    server = probe(per_client=3, trusted="127.0.0.2/32")
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            raw = stack.enter_context(server.connect(source="127.0.0.2"))
            raw.send(get("/"))
            assert raw.answer().status == 200


def test_the_last_request_of_a_connection_says_so(probe):
    server = probe(requests=3)
    with server.connect() as raw:
        raw.send(get("/") * 4)
        answers = [raw.answer() for _ in range(3)]
        assert [a.headers.get("connection") for a in answers] == [None, None, "close"]
        assert raw.ended()


def test_running_out_of_descriptors_stops_nothing(probe):
    server = probe(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (50, 200)), spare_descriptors=5)
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(server.connect()) for _ in range(20)]
        for raw in raws:
            raw.send(get("/"))
        answered = [raws[i].answer().status for i in range(3)]
        assert answered == [200] * 3
        wait_until(lambda: server.logged("cannot accept"), "it says so")
        before = cpu_seconds(server)
        time.sleep(1)
        assert cpu_seconds(server) - before < 0.3  # it does not spin
        assert server.logged("cannot accept") == 1
        for raw in raws[:10]:
            raw.close()
        assert raws[10].answer().status == 200


def test_the_soft_limit_of_descriptors_is_raised(probe):
    server = probe(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (50, 400)))
    limits = open(f"/proc/{server.process.pid}/limits").read()
    assert [line.split()[3] for line in limits.splitlines() if "open files" in line] == ["400"]
    assert server.logged("300 connections at most") == 1


@pytest.mark.slow
def test_idle_connections_cost_little(probe):
    server = probe(per_client=0)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(10_000, hard // 4 * 3 - 100)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with contextlib.ExitStack() as stack:
            server.alive()
            before = server.resident_bytes()
            for _ in range(count):
                raw = stack.enter_context(server.connect())
                raw.send(get("/describe"))
                raw.answer()
            wait_until(lambda: server.stats()["open"] == count, "all are open")
            each = (server.resident_bytes() - before) / count
            print(f"{count} idle connections cost {each:.0f} bytes each")
            assert each < 4096
            _, took = seconds(server.alive)
            assert took < 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
