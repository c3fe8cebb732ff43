"""Compressed messages are refused before they are inflated: a small one may hold a thousand times its size."""

import pathlib
import struct
import zlib

import grpc
import pytest

import http2_frames as h2
from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, failure, texts_request

CODE = grpc.StatusCode
REQUEST = texts_request(["I love it"])
MIB = 1 << 20
CONNECTIONS = 8  # 480 MiB together
MOST_GROWTH_MB = 32


def peak_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def bomb(size):
    """`size` zero bytes as a gzipped gRPC message."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    return struct.pack("!BI", 1, len(packed)) + packed


def gzipped_call(path, body):
    """All of a call in one burst: `body` fits into the windows of a new connection."""
    assert len(body) < 65_535
    parts = [body[i : i + 16_384] for i in range(0, len(body), 16_384)]
    data = b"".join(h2.frame(h2.DATA, 1, 0, part) for part in parts) + h2.frame(h2.DATA, 1, h2.END_STREAM)
    return h2.frame(h2.HEADERS, 1, h2.END_HEADERS, h2.headers(path, extra=[("grpc-encoding", "gzip")])) + data


@pytest.mark.parametrize("address", ["address", "admin_address", "probe_address"])
def test_a_compressed_message_is_not_inflated_on_any_listener(shared, address):
    path = {
        "address": "/bertha.v1.Bertha/Classify",
        "admin_address": "/bertha.v1.ModelControl/Load",
        "probe_address": "/grpc.health.v1.Health/Check",
    }[address]
    shared.stub().Classify(REQUEST)
    call = gzipped_call(path, bomb(60 * MIB))
    before = peak_mb(shared.process.pid)
    connections = [h2.Connection(getattr(shared, address)) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.socket.sendall(call)
    for connection in connections:
        assert any(kind == h2.HEADERS for kind, _ in connection.frames())  # the refusal
        connection.close()
    assert peak_mb(shared.process.pid) - before < MOST_GROWTH_MB


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_client_that_compresses_is_told_that_it_must_not(shared, compression):
    stub = shared.stub()
    refused = failure(stub.Classify, texts_request(["I love it " * 100]), compression=compression)
    assert refused.code() is CODE.UNIMPLEMENTED and "ompression" in refused.details(), refused
    message = iter([pb.StreamClassifyRequest(id=1, request=texts_request(["I love it " * 100]))])
    stream = stub.StreamClassify(message, compression=compression, timeout=PATIENCE)
    assert failure(list, stream).code() is CODE.UNIMPLEMENTED
    assert stub.Classify(REQUEST).results
