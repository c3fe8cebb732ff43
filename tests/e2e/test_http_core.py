"""The HTTP server's transport, asked by raw sockets and curl: limits, time-outs, malformed requests, streams, drain."""

import contextlib
import gzip
import json
import random
import resource
import socket
import subprocess
import time

import pytest

from e2e_support import wait_until
from http_core_support import Probe, Raw, get, post, request, seconds

# Short enough to wait for, long enough for a busy machine.
QUICK_TIMES = {"header_timeout": 500, "idle_timeout": 1500, "rate_window": 500, "stream_timeout": 1500}


@pytest.fixture
def probe(program):
    """probe(OPTION=VALUE...) starts a server; it must end well."""
    started = []

    def start(preexec=None, **options):
        started.append(Probe(program("http_probe_server"), options, preexec))
        return started[-1]

    yield start
    for server in started:
        assert server.close() == 0, server.log


@pytest.fixture(scope="module")
def common(program):
    server = Probe(program("http_probe_server"), {})
    yield server
    assert server.close() == 0, server.log


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status and error["message"] and error["status"]
    return error


def curl(probe, path, *arguments, data=None):
    command = ["curl", "-sS", "--max-time", "60", *arguments, f"http://127.0.0.1:{probe.port}{path}"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


# --- what HTTP/1.1 asks for ---


def test_handlers_see_the_request(common):
    text = curl(common, "/items/a%2Fb:describe?x=1&y=%C3%BC+z", "-H", "X-Me: you").decode()
    for line in ("GET /items/a%2Fb:describe", "parameter item=a/b", "query x=1", "query y=ü z", "header X-Me=you",
                 "peer 127.0.0.1 port 1 tls 0 subject ", "body 0"):
        assert line in text.splitlines()


def test_connections_are_kept_and_pipelined_requests_answered_in_order(common):
    with common.connect() as raw:
        raw.send(b"".join(post("/echo", b"%d" % i) if i % 3 else get("/later?ms=20") for i in range(100)))
        answers = [raw.answer() for _ in range(100)]
    assert [a.body for a in answers] == [b"%d" % i if i % 3 else b"late\n" for i in range(100)]
    assert all("connection" not in a.headers for a in answers)


def test_chunked_bodies_arrive_whole(common):
    body = random.Random(1).randbytes(300_000)
    assert curl(common, "/echo", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-", data=body) == body


def test_http_1_0_closes_unless_asked_not_to(common):
    with common.connect() as raw:
        raw.send(b"GET /describe HTTP/1.0\r\n\r\n")
        assert raw.answer().headers["connection"] == "close"
        assert raw.ended()
    with common.connect() as raw:
        for _ in range(2):
            raw.send(b"GET /describe HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert raw.answer().headers["connection"] == "keep-alive"


def test_head_has_the_length_but_not_the_body(common):
    with common.connect() as raw:
        raw.send(request("HEAD", "/") + get("/"))
        head = raw.answer(head_only=True)
        body = raw.answer().body
    assert int(head.headers["content-length"]) == len(body) > 0


def test_100_continue_is_said_before_the_body(common):
    with common.connect() as raw:
        raw.send(request("POST", "/echo", ["Expect: 100-continue", "Content-Length: 5"]))
        assert raw.answer().status == 100
        raw.send(b"hello")
        assert raw.answer().body == b"hello"
        raw.send(request("POST", "/echo", ["Expect: 100-continue", "Content-Length: 999999999"]))
        assert raw.answer().status == 413


def test_errors_have_a_body_and_name_what_would_work(common):
    assert error_of(common.ask(get("/nothing")))["status"] == "NOT_FOUND"
    wrong = common.ask(get("/echo"))
    assert (wrong.status, wrong.headers["allow"]) == (405, "OPTIONS, POST")
    busy = common.ask(get("/busy"))
    assert (busy.status, busy.headers["retry-after"]) == (429, "2")
    assert error_of(busy)["details"][0]["retryDelay"] == "1.250s"
    assert error_of(common.ask(get("/drop")))["code"] == 500


def test_the_server_says_little_of_itself(common):
    answer = common.ask(get("/describe"))
    assert answer.headers["server"] == "bertha"
    assert answer.headers["cache-control"] == "no-store"


def test_embedded_files_come_gzipped_and_only_once(common):
    plain = common.ask(get("/"))
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in plain.headers["content-security-policy"]
    assert common.ask(get("/index.html", f"If-None-Match: {plain.headers['etag']}")).status == 304
    packed = common.ask(get("/", "Accept-Encoding: gzip"))
    if packed.headers.get("content-encoding") == "gzip":
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["etag"] != plain.headers["etag"]
    assert common.ask(get("/../server/main.cc")).status == common.ask(get("/%2e%2e/x")).status == 404


def test_cors_is_for_listed_origins(probe, common):
    assert "access-control-allow-origin" not in common.ask(get("/", "Origin: https://a.example")).headers
    server = probe(cors="https://a.example")
    answer = server.ask(get("/", "Origin: https://a.example"))
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    preflight = server.ask(request("OPTIONS", "/echo", ["Origin: https://a.example", "Access-Control-Request-Method: POST"]))
    assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (204, "OPTIONS, POST")


# --- limits ---


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


def test_slow_headers_get_408(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\n")

        def drip():
            with contextlib.suppress(ConnectionError):
                while not raw.socket.recv(1, socket.MSG_PEEK):
                    pass
            return raw.answer()

        answer, took = seconds(drip)
        assert answer.status == 408 and answer.headers["connection"] == "close" and took < 10
        assert raw.ended()
    assert server.stats()["timed_out"] == 1


def test_dripping_headers_do_not_buy_time(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        began = time.monotonic()
        raw.send(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                raw.send(b"X: y\r\n")
                time.sleep(0.05)
                raw.socket.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    if raw._more():
                        break
        assert b" 408 " in raw._read


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_slow_bodies_get_408(probe, framing):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/echo", [framing]) + (b"186a0\r\n" if "chunked" in framing else b""))
        began = time.monotonic()
        raw.socket.settimeout(0.05)
        while not raw._read and time.monotonic() - began < 10:
            raw.send(b"x")  # 20 bytes a second
            with contextlib.suppress(TimeoutError):
                raw._more()
        assert b" 408 " in raw._read


def test_a_steady_body_may_take_longer_than_any_window(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/echo", ["Content-Length: 20000"]))
        for _ in range(20):
            raw.send(b"x" * 1000)
            time.sleep(0.08)
        assert raw.answer().body == b"x" * 20_000


def test_idle_connections_are_closed(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as fresh, server.connect() as used:
        used.send(get("/describe"))
        used.answer()
        for raw in (fresh, used):
            assert seconds(raw.ended) == (True, pytest.approx(1.5, abs=8))
    assert server.stats()["open"] == 0


def test_clients_that_do_not_read_are_dropped(probe):
    server = probe(**QUICK_TIMES)
    with server.connect(receive_buffer=4096) as raw:
        raw.send(get("/big"))
        wait_until(lambda: server.stats()["timed_out"] == 1, "the server gives up")
        assert server.stats()["open"] == 0
    assert len(curl(server, "/big")) == 32 << 20


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


def cpu_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# --- clients that go, and servers that do ---


def test_a_client_that_goes_is_noticed_while_its_request_is_computed(probe):
    server = probe()
    for number, pipelined in enumerate((b"", get("/describe"))):
        with server.connect() as raw:
            raw.send(get("/later?ms=600000") + pipelined)
            wait_until(lambda: server.stats()["requests"] == number + 1, "the request is computed")
            assert len(server.seen("abandoned")) == number
        server.wait_seen("abandoned", number + 1)
    wait_until(lambda: server.stats()["open"] == 0, "nothing is left")


def test_a_client_that_only_stops_sending_still_gets_its_answer(common):
    with common.connect() as raw:
        raw.send(get("/describe"))
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.answer().status == 200


def test_a_handler_can_answer_at_a_deadline(probe):
    server = probe()
    with server.connect() as raw:
        began = time.monotonic()
        raw.send(get("/later?ms=600000&deadline=100") + get("/later?ms=10&deadline=600000") + get("/describe"))
        assert raw.answer().status == 504
        assert 0.1 <= time.monotonic() - began < 60
        assert raw.answer().body == b"late\n"
        assert raw.answer().status == 200
    with server.connect() as raw:
        raw.send(get("/later?ms=600000&deadline=600000"))
        wait_until(lambda: server.stats()["requests"] == 4, "it is computed")
        server.tell("stop 0")  # a timer that has not run out does not hold it up
        assert raw.ended()
    assert server.process.wait(60) == 0


def test_draining_closes_after_each_answer_and_stop_waits_for_what_runs(probe):
    server = probe()
    with server.connect() as idle, server.connect() as busy, server.connect() as kept:
        kept.send(get("/describe"))
        assert "connection" not in kept.answer().headers
        server.tell("drain")
        busy.send(get("/later?ms=1500"))
        wait_until(lambda: server.stats()["requests"] == 2, "it is computed")
        kept.send(get("/describe"))
        assert kept.answer().headers["connection"] == "close"
        assert kept.ended()
        server.alive()  # still serves
        server.tell("stop 60000")
        assert idle.ended()
        answer = busy.answer()
        assert (answer.body, answer.headers["connection"]) == (b"late\n", "close")
    assert server.process.wait(60) == 0
    with pytest.raises(ConnectionRefusedError):
        Raw(server.port)


def test_stop_cuts_off_what_does_not_end(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(get("/later?ms=600000"))
        wait_until(lambda: server.stats()["requests"] == 1, "it is computed")
        server.tell("stop 200")
        assert raw.ended()
    assert server.process.wait(60) == 0
    assert server.seen("abandoned")


# --- streams ---


def test_both_directions_stream_at_once(common):
    with common.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]))
        status, headers = raw.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        for i in range(50):
            line = b'{"id":%d}\n' % i
            raw.send(b"%x\r\n%s\r\n" % (len(line), line))
            assert raw.chunk() == line  # before the next one is sent
        raw.send(b"0\r\n\r\n")
        assert raw.chunk() == b""
        raw.send(get("/describe"))
        assert raw.answer().status == 200  # the connection is kept


def test_curl_streams(common):
    lines = b"".join(b"%d\n" % i for i in range(200_000))
    assert curl(common, "/stream", "-N", "-H", "Expect:", "-T", "-", "-X", "POST", data=lines) == lines
    assert curl(common, "/stream", "-H", "Expect: 100-continue", "--data-binary", "@-", data=lines) == lines
    assert curl(common, "/stream", "-0", "--data-binary", "@-", data=lines) == lines


def test_a_writer_is_held_up_by_a_client_that_does_not_read(probe):
    server = probe()
    with server.connect(receive_buffer=4096) as raw:
        raw.send(get("/flood"))
        raw.head()

        def taken():
            return int((server.seen("flood") or ["flood 0"])[-1].split()[1])

        def settled():
            before = taken()
            time.sleep(0.5)
            return before and taken() == before

        wait_until(settled, "no more is taken")
        assert taken() < 16 << 20
        assert server.resident_bytes() < 200 << 20
    server.wait_seen("flood-ended")


def test_a_client_is_held_up_by_a_reader_that_does_not_read(probe):
    server = probe()
    with server.connect(timeout=1) as raw:
        raw.send(request("POST", "/stream?pause=600000", ["Transfer-Encoding: chunked"]))
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 << 20:
                raw.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        assert server.resident_bytes() < 128 << 20
    wait_until(lambda: server.stats()["open"] == 1 or server.stats()["open"] == 0, "it lives")
    server.alive()


def test_a_stream_whose_client_goes_is_abandoned(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]) + b"1\r\nx\r\n")
        raw.head()
        assert raw.chunk() == b"x"
    server.wait_seen("stream-abandoned")
    server.wait_seen("echo-failed")


def test_a_stream_that_breaks_the_rules_fails(probe):
    server = probe()
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]) + b"1\r\nx\r\nzz\r\n")
        answer = raw.answer()
        assert answer.body == b"x"
        assert raw.ended()
    assert "rules of HTTP" in server.wait_seen("echo-failed")[0]


def test_a_stream_that_is_dropped_is_seen_not_to_be_whole(common):
    with common.connect() as raw:
        raw.send(post("/broken", b"x"))
        raw.head()
        assert raw.chunk() == b"half"
        assert raw.ended()


def test_a_stream_that_does_not_read_its_body_closes(common):
    with common.connect() as raw:
        raw.send(request("POST", "/unread", ["Content-Length: 100000"]) + b"x" * 1000)
        assert raw.answer().status == 200
        assert raw.ended()


def test_silent_streams_end(probe):
    server = probe(**QUICK_TIMES)
    with server.connect() as raw:
        raw.send(request("POST", "/stream", ["Transfer-Encoding: chunked"]))
        raw.head()
        assert raw.ended()
    assert server.stats()["timed_out"] == 1


# --- malformed ---


def malformed(chance):
    """A request that is wrong somewhere, or cut off."""
    body = chance.randbytes(chance.randrange(0, 300))
    data = bytearray(chance.choice([
        get("/describe?a=b", "Accept: */*", "X-Y: z"),
        post("/echo", body),
        post("/stream", body),
        request("POST", "/echo", ["Transfer-Encoding: chunked"]) + b"5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
        request("POST", "/stream", ["Transfer-Encoding: chunked", "Expect: 100-continue"]) + b"5\r\nhello\r\n0\r\n\r\n",
        request("HEAD", "/", ["If-None-Match: *"]),
    ]))
    tokens = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", b"%00",
              b"ffffffffffffffff", b"-1", b"\xff\xfe", b"HTTP/9.9", b"\r\n\r\n", b"Host: b\r\n", b"\t", b"Connection: close\r\n"]
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data[at:at] = chance.choice(tokens)
        elif kind == 1:
            data[at : at + 1] = chance.randbytes(1)
        elif kind == 2:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 3:
            data[at:at] = data[max(0, at - 30) : at] * chance.randrange(1, 4)
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.slow
def test_10000_malformed_requests_leave_nothing_behind(probe):
    server = probe(**QUICK_TIMES)
    server.alive()
    wait_until(lambda: server.stats()["open"] == 0, "that connection is closed")
    descriptors = server.descriptors()
    chance, statuses = random.Random(20261123), {}
    for _ in range(10_000):
        with server.connect(timeout=30) as raw:
            with contextlib.suppress(ConnectionError):
                raw.send(malformed(chance))
                raw.socket.shutdown(socket.SHUT_WR)
                while raw._more():
                    pass
        if raw._read:
            assert raw._read.startswith(b"HTTP/1.1 "), raw._read[:100]
            status = int(raw._read[9:12])
            statuses[status] = statuses.get(status, 0) + 1
    assert not [s for s in statuses if s >= 500 and s not in (501, 505)], statuses
    assert statuses[400] > 1000 and statuses[200] > 100
    wait_until(lambda: server.stats()["open"] == 0, "all connections are closed")
    server.alive()
    wait_until(lambda: server.descriptors() == descriptors, "all descriptors are back")


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
