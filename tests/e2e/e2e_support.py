"""What the end-to-end tests share: a running berthad, calls, packages, and the reference in Python."""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bertha.v1 import bertha_pb2 as pb
from bertha.v1 import bertha_pb2_grpc, model_control_pb2_grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4  # largest |logit difference| in fp32
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# No proxy, no retries, and no connection that other channels share.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
PATIENCE = 300  # seconds; longer than anything here takes on a busy machine, short enough to see a hang
# Skips what is measured at load, and leaves nothing of what it learns to the next daemon. One worker: what waits, waits.
# Nobody needs time to look elsewhere.
QUICK = {"--cpu-workers": "1", "--cpu-threads": "1", "--costs-directory": "", "--drain-lame-duck-ms": "0"}


def with_quick(flags):
    """`flags`, and those of QUICK that they do not set."""
    quick = [word for flag, value in QUICK.items() if flag not in flags for word in (flag, value)]
    return [*quick, *flags]


def wait_until(condition, what, seconds=PATIENCE):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.01)


_given_out = set()


def free_port():
    """Not one of those that the kernel gives to whoever asks for any (from 32768 on), which may get it meanwhile, and none
    twice: a daemon has several."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            if port not in _given_out:
                _given_out.add(port)
                return port


@contextlib.contextmanager
def dead_address():
    """An address where connections are refused: the port is taken, but nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{s.getsockname()[1]}"


class Daemon:
    """A berthad of its own on free ports, its log in a file."""

    def __init__(self, binary, models, log, *flags):
        self.address, self.http_address, self.admin_address, self.admin_http_address, self.probe_address = (
            f"127.0.0.1:{free_port()}" for _ in range(5)
        )
        self.log_path = log
        self.began = time.monotonic()
        addresses = {
            "--grpc-address": self.address,
            "--http-address": self.http_address,
            "--admin-address": self.admin_address,
            "--admin-http-address": self.admin_http_address,
            "--probe-address": self.probe_address,
        }
        words = [word for flag, address in addresses.items() if flag not in flags for word in (flag, address)]
        command = [binary, *words, "--models", models, *flags]
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen([str(c) for c in command], stdout=stderr, stderr=stderr)
        self._channels = []

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_lines(self, pattern):
        whole, _, _ = self.log().rpartition("\n")  # the last line may be half written
        return [line for line in whole.splitlines() if re.search(pattern, line)]

    def cpu_seconds(self):
        """What it has computed so far; unlike the time on the clock, this does not depend on what else runs here."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime of proc(5)

    def channel(self, address=None):
        channel = grpc.insecure_channel(address or self.address, options=CHANNEL_OPTIONS)
        self._channels.append(channel)
        return channel

    def stub(self):
        return bertha_pb2_grpc.BerthaStub(self.channel())

    def control(self):
        return model_control_pb2_grpc.ModelControlStub(self.channel(self.admin_address))

    def health(self, address=None):
        return health_pb2_grpc.HealthStub(self.channel(address))

    def wait_serving(self):
        stub = self.health()

        def serves():
            assert self.process.poll() is None, f"berthad exited with {self.process.returncode}:\n{self.log()}"
            with contextlib.suppress(grpc.RpcError):
                return stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING
            return False

        wait_until(serves, "berthad serves")
        return self

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """The exit code."""
        return self.process.wait(seconds)

    def disconnect(self):
        for channel in self._channels:
            channel.close()
        self._channels.clear()

    def close(self):
        self.disconnect()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def serving(*arguments):
    """Daemon(ARGUMENTS...) once it serves; in the end it must drain and exit with 0."""
    d = Daemon(*arguments)
    try:
        yield d.wait_serving()
        d.signal()
        assert d.wait() == 0, d.log()
    finally:
        d.close()


# --- calls ---


def texts_request(texts, model="", truncation=pb.TRUNCATION_POLICY_UNSPECIFIED, **fields):
    """A request for raw logits; an item of `texts` is a text, or a pair of them."""
    inputs = [pb.TextInput(text=t) if isinstance(t, str) else pb.TextInput(text=t[0], text_pair=t[1]) for t in texts]
    options = pb.ClassifyOptions(raw_logits=True, truncation=truncation)
    return pb.ClassifyRequest(model=model, inputs=inputs, options=options, **fields)


def failure(call, *arguments, **keywords):
    """The grpc.RpcError that the call must end with."""
    try:
        answer = call(*arguments, **keywords)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"expected an error, got {answer}")


def largest_difference(left, right):
    assert len(left) == len(right) > 0
    return max(abs(a - b) for a, b in zip(left, right))


class Stream:
    """A StreamClassify call: send() and half_close() from here, replies gathered by a thread as they come."""

    def __init__(self, stub, timeout=PATIENCE):
        self._outgoing, self._changed = [], threading.Condition()
        self.replies, self.code, self.details = [], None, None
        self.call = stub.StreamClassify(self._requests(), timeout=timeout)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _requests(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._outgoing)
                item = self._outgoing.pop(0)
            if item is None:
                return
            yield item

    def _read(self):
        with contextlib.suppress(grpc.RpcError):
            for reply in self.call:
                self.replies.append(reply)
        self.code, self.details = self.call.code(), self.call.details()
        self.half_close()  # lets the sending thread end

    def send(self, id, request, timeout_ms=0):
        with self._changed:
            self._outgoing.append(pb.StreamClassifyRequest(id=id, request=request, timeout_ms=timeout_ms))
            self._changed.notify()

    def half_close(self):
        with self._changed:
            self._outgoing.append(None)
            self._changed.notify()

    def wait_reply(self, id):
        def find():
            assert self.code is None or id in self.ids(), f"the stream ended with {self.code}: {self.details}"
            return next((r for r in self.replies if r.id == id), None)

        return wait_until(find, f"reply {id} comes")

    def wait_read(self, id):
        """Returns when the server has read all that was sent so far: it reads in order, and refuses this at once. The
        replies to other refused requests may still come after it."""
        self.send(id, texts_request(["x"], model="no-such-model"))
        assert self.wait_reply(id).error.code == grpc.StatusCode.NOT_FOUND.value[0]

    def ids(self):
        return [r.id for r in self.replies]

    def wait_end(self):
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "the stream does not end"
        return self.code


# --- packages ---


def copy_package(source, target):
    shutil.copytree(source, target)
    return target


def flip_bit(path, position=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * position)] ^= 1
    path.write_bytes(data)


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def seal(folder):
    """What `bertha package seal` writes, for tests that seal many; one test compares the two."""
    files = sorted(f for f in folder.iterdir() if f.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


# --- the reference ---


class Reference:
    """The package's own network and tokenizer, run by torch and Hugging Face tokenizers."""

    def __init__(self, package):
        import tokenizers
        import torch

        self._torch = torch
        self.manifest = json.loads((package / "bertha.json").read_text())
        self.labels, self.max_length = self.manifest["labels"], self.manifest["max_length"]
        self.module = torch.jit.load(str(package / "model.pt"), map_location="cpu").eval()
        self._tokenizers = {}
        for side in ("right", "left"):
            tokenizer = tokenizers.Tokenizer.from_file(str(package / "tokenizer.json"))
            tokenizer.no_padding()
            tokenizer.enable_truncation(self.max_length, direction=side)
            self._tokenizers[side] = tokenizer
        self._whole = tokenizers.Tokenizer.from_file(str(package / "tokenizer.json"))
        self._whole.no_padding()
        self._whole.no_truncation()

    def full_length(self, text):
        return len((self._whole.encode(text) if isinstance(text, str) else self._whole.encode(*text)).ids)

    def encode(self, text, side="right"):
        tokenizer = self._tokenizers[side]
        return tokenizer.encode(text) if isinstance(text, str) else tokenizer.encode(*text)

    def logits(self, text, side="right"):
        encoding = self.encode(text, side)
        columns = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask}
        columns["token_type_ids"] = encoding.type_ids
        with self._torch.inference_mode():
            output = self.module(*(self._torch.tensor([columns[name]]) for name in self.manifest["inputs"]))
        return (output[0] if isinstance(output, tuple) else output)[0].tolist()


def best_label(labels, logits):
    return labels[max(range(len(logits)), key=logits.__getitem__)]


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python"), **more}
