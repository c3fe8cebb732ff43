"""The HTTP server's transport, asked by raw sockets and curl: what HTTP/1.1 asks for."""

import gzip
import random

from http_core_support import curl, error_of, get, post, request


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
    asked = ["Origin: https://a.example", "Access-Control-Request-Method: POST"]
    preflight = server.ask(request("OPTIONS", "/echo", asked))
    assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (204, "OPTIONS, POST")
