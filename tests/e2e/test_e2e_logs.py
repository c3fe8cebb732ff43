"""What is logged, and what never is."""

import json
import re
import socket

import grpc
import requests

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, Stream, copy_package, failure, flip_bit, texts_request

CANARY = "xyzzycanary"


def send_canaries(d, reference):
    stub = d.stub()
    raw = d.channel().unary_unary("/bertha.v1.Bertha/Classify")
    stub.Classify(texts_request([CANARY, (CANARY, CANARY)]))
    long = f"{CANARY} " * reference.max_length
    stub.Classify(texts_request([long]))
    failure(stub.Classify, texts_request([long], truncation=pb.TRUNCATION_POLICY_ERROR))
    failure(stub.Classify, texts_request([CANARY * 200_000]))
    failure(raw, texts_request([CANARY + "QQ"]).SerializeToString().replace(b"QQ", b"\xff\xfe"))
    failure(raw, b"\x1a\xff" + CANARY.encode())
    failure(raw, CANARY.encode() * 1_000_000)  # more than a message may have
    failure(stub.Classify, texts_request([CANARY], model="nobody"))
    failure(stub.Classify, texts_request([CANARY], model=CANARY))
    failure(stub.Classify, texts_request([CANARY] * 200), timeout=0.001)
    future = stub.Classify.future(texts_request([CANARY] * 200))
    future.cancel()
    stream = Stream(d.stub())
    stream.send(1, texts_request([CANARY]))
    stream.wait_read(2)
    for i in range(3, 100):
        stream.send(i, texts_request([CANARY] * 10))
    stream.call.cancel()
    stream.wait_end()


def send_canaries_over_http(d):
    base = f"http://{d.http_address}"
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [CANARY]}
    for path, body in {
        "/v1/classify": {"inputs": [{"text": CANARY}]},
        "/v1/tokenize": {"inputs": [{"text": CANARY}]},
        "/v1/compare": {"input": {"text": CANARY}, "tokens": True, "models": [{}, {"name": CANARY}]},
        "/v1/tag-tokens": {"inputs": [{"text": CANARY}], CANARY: CANARY},
        "/v1/embed": {"inputs": CANARY},
        "/v1/answer": {"inputs": [{"question": CANARY, "context": CANARY}]},
        "/v1/record-feedback": {"input": {"text": CANARY}, "model": "good", "version": "1", "verdict": "VERDICT_RIGHT"},
        f"/v1/{CANARY}": {},
        f"/v1/classify?{CANARY}={CANARY}": {"inputs": [{"text": CANARY}]},
        "/v2/models/good/infer": {"inputs": [tensor]},
        f"/v2/models/{CANARY}/infer": {"inputs": [tensor]},
        "/v2/models/good/versions/1/infer": {"inputs": [{**tensor, "shape": [7]}], "id": CANARY},
    }.items():
        requests.post(base + path, json=body, headers={"x-canary": CANARY}, timeout=PATIENCE)
    for data in (CANARY, f'{{"model": "{CANARY}\\ud800"}}', f'{{"{CANARY}', b"\xff" + CANARY.encode()):
        for path in ("/v1/classify", "/v1/stream-classify", "/v2/models/good/infer"):
            requests.post(base + path, data=data, headers={"content-type": "application/json"}, timeout=PATIENCE)
    with socket.create_connection(d.http_address.split(":"), timeout=PATIENCE) as raw:
        raw.sendall(f"{CANARY} / {CANARY}\r\n{CANARY}\r\n\r\n".encode())
        raw.recv(1000)


def send_canaries_over_oip(d):
    raw = d.channel().unary_unary("/inference.GRPCInferenceService/ModelInfer")
    text = len(CANARY).to_bytes(4, "little") + CANARY.encode()
    field = lambda number, data: bytes([number << 3 | 2, len(data)]) + data  # noqa: E731
    tensor = field(1, b"text") + field(2, b"BYTES") + b"\x1a\x01\x01"
    raw(field(1, b"good") + field(5, tensor) + field(7, text))
    failure(raw, field(1, CANARY.encode()) + field(5, tensor) + field(7, text))
    failure(raw, field(1, b"good") + field(5, tensor) + field(7, text + CANARY.encode()))
    failure(raw, field(1, b"good") + field(5, field(1, CANARY.encode())) + field(7, text))
    failure(raw, CANARY.encode())


def test_every_line_is_json_and_no_text_is_in_the_log(daemon, package, reference, tmp_path):
    copy_package(package, tmp_path / "m" / "good" / "1")
    flip_bit(copy_package(package, tmp_path / "m" / "bad" / "1") / "model.pt")
    d = daemon("--log-format", "json", "--log-level", "debug", "--log-requests", "all", "--models-default", "good",
               models=tmp_path / "m")
    send_canaries(d, reference)
    send_canaries_over_http(d)
    send_canaries_over_oip(d)
    metrics = requests.get(f"http://{d.http_address}/metrics", timeout=PATIENCE).text
    assert 'method="ModelInfer",code="OK"} 1' in metrics and CANARY not in metrics
    d.signal()
    assert d.wait() == 0
    lines = [json.loads(line) for line in d.log().splitlines()]
    assert len(lines) >= 5
    for line in lines:
        assert set(line) == {"time", "level", "message"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:?\d\d", line["time"])
        assert line["level"] in {"debug", "info", "warning", "error"}
        assert CANARY not in line["message"]
    messages = "\n".join(line["message"] for line in lines)
    assert ": Classify over http from 127.0.0.1: OK" in messages
    for event in ("listening on", "good:1: serving", "bad:1: refused", "ready: 1 of 2", "draining", "stopped"):
        assert event in messages
    assert CANARY[:6] not in d.log() and CANARY.upper() not in d.log()


def test_text_lines_have_time_and_level(daemon):
    d = daemon()
    assert d.stub().Classify(texts_request(["hello"])).results
    d.signal()
    assert d.wait() == 0
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} (info|warning|error) ", line) for line in d.log().splitlines())
    assert len(d.log_lines("ready:")) == 1


def test_level_error_is_silent_when_all_is_well(daemon, package):
    d = daemon("--log-level", "error")
    assert failure(d.stub().Classify, texts_request(["x"], model="nobody")).code() is grpc.StatusCode.NOT_FOUND
    d.signal()
    assert d.wait() == 0
    assert d.log() == ""
