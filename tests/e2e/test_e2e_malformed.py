"""Ten thousand broken requests over each protocol: every one is answered, none harms the daemon."""

import collections
import http.client
import json
import os
import random

import grpc
import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, texts_request, wait_until

COUNT = 10_000
IN_FLIGHT = 64
BLAMELESS = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE"}
NASTY = [b"\x00", b"\xff", b"\x80", b"\xed\xa0\x80", b"\x7f" * 9, b"\xff" * 10, b"[" * 200, b"1e999", b'{"a":']


def broken(rng, good):
    """A copy with a few bytes changed, cut out, doubled or put in, or cut off."""
    data = bytearray(good)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randrange(1, 9)]
            case 2:
                data[at:at] = rng.choice(NASTY)
            case 3:
                data[at:at] = data[max(0, at - 8) : at]
            case _:
                del data[at:]
        if not data:
            data = bytearray(b"\x00")
    return bytes(data)


def files_of(d):
    return len(os.listdir(f"/proc/{d.process.pid}/fd"))


@pytest.fixture
def unharmed(shared):
    """The shared daemon; afterwards it answers as before and has no more files open."""
    before = files_of(shared)
    yield shared
    assert shared.stub().Classify(texts_request(["still here"])).results
    wait_until(lambda: files_of(shared) <= before + 8, "its files are closed again", seconds=30)


def outcomes(d, path, messages):
    """How often each code came."""
    call = d.channel().unary_unary(path)
    codes = collections.Counter()
    futures = collections.deque()
    for message in messages:
        futures.append(call.future(message, timeout=PATIENCE))
        if len(futures) == IN_FLIGHT:
            codes[futures.popleft().code().name] += 1
    codes.update(future.code().name for future in futures)
    return codes


def check(codes):
    assert sum(codes.values()) == COUNT
    assert set(codes) <= BLAMELESS, codes
    assert codes["INVALID_ARGUMENT"] > COUNT // 4, codes


def test_grpc(unharmed):
    request = texts_request(["I love it", ("a", "b")], model="sentiment-bert", version=1)
    request.options.top_k = 1
    rng = random.Random(1)
    good = request.SerializeToString()
    check(outcomes(unharmed, "/bertha.v1.Bertha/Classify", (broken(rng, good) for _ in range(COUNT))))


def test_inference_protocol(unharmed, package):
    import numpy as np
    import tritonclient.grpc as triton

    tensor = triton.InferInput("text", [2, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[b"I love it"], [b"naive"]], dtype=object))
    request = triton._utils._get_inference_request(
        model_name=package.parent.name, inputs=[tensor], model_version="1", request_id="7", outputs=None,
        sequence_id=0, sequence_start=False, sequence_end=False, priority=0, timeout=0, parameters=None)
    request.ClearField("parameters")  # a timeout of some microseconds would be no mistake
    good = request.SerializeToString()
    assert outcomes(unharmed, "/inference.GRPCInferenceService/ModelInfer", [good]) == {"OK": 1}
    rng = random.Random(2)
    check(outcomes(unharmed, "/inference.GRPCInferenceService/ModelInfer", (broken(rng, good) for _ in range(COUNT))))


def http_outcomes(d, path, bodies):
    """The statuses, and that each reply is JSON."""
    connection = http.client.HTTPConnection(d.http_address, timeout=PATIENCE)
    statuses = collections.Counter()
    for body in bodies:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        content = json.loads(reply.read())
        statuses[reply.status] += 1
        assert ("error" in content) == (reply.status != 200)
    return statuses


def check_http(statuses):
    assert sum(statuses.values()) == COUNT
    assert set(statuses) <= {200, 400, 404}, statuses
    assert statuses[400] > COUNT // 4, statuses


def test_http(unharmed):
    good = json.dumps({"model": "sentiment-bert", "version": "1", "inputs": [{"text": "I love it \u00e9"}],
                       "options": {"top_k": 1, "threshold": 0.5}, "priority": "PRIORITY_HIGH"}).encode()
    rng = random.Random(3)
    check_http(http_outcomes(unharmed, "/v1/classify", (broken(rng, good) for _ in range(COUNT))))


def test_inference_protocol_over_http(unharmed, package):
    path = f"/v2/models/{package.parent.name}/infer"
    good = json.dumps({"id": "7", "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}],
                       "outputs": [{"name": "label"}, {"name": "logits"}]}).encode()
    assert http_outcomes(unharmed, path, [good]) == {200: 1}
    rng = random.Random(4)
    check_http(http_outcomes(unharmed, path, (broken(rng, good) for _ in range(COUNT))))


def test_streams(unharmed):
    """On one stream: each message is answered, those that are none too."""
    rng = random.Random(5)
    good = pb.StreamClassifyRequest(id=7, request=texts_request(["I love it"])).SerializeToString()
    call = unharmed.channel().stream_stream("/bertha.v1.Bertha/StreamClassify")
    replies = list(call((broken(rng, good) for _ in range(COUNT)), timeout=PATIENCE))
    assert len(replies) == COUNT
    codes = collections.Counter(pb.StreamClassifyResponse.FromString(reply).error.code for reply in replies)
    blameless = {grpc.StatusCode[name].value[0] for name in BLAMELESS}
    late = {4, 8}  # a byte too many can be a timeout of a millisecond
    assert set(codes) <= blameless | late, codes
    assert codes[grpc.StatusCode.INVALID_ARGUMENT.value[0]] > COUNT // 4
