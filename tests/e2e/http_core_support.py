"""What the tests of the HTTP server's transport share: the probe server, raw connections, and what comes back."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time

from e2e_support import PATIENCE, wait_until

# Short enough to wait for, long enough for a busy machine.
QUICK_TIMES = {"header_timeout": 500, "idle_timeout": 1500, "rate_window": 500, "stream_timeout": 1500}


class Probe:
    """A http_probe_server of its own; what it prints is gathered."""

    def __init__(self, binary, options, preexec=None):
        command = [str(binary), *(f"{name}={value}" for name, value in options.items())]
        self.tls = "certificate" in options
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, preexec_fn=preexec)
        self.lines, self.log = [], []
        for pipe, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.log)):
            threading.Thread(target=self._gather, args=(pipe, lines), daemon=True).start()
        self.port = int(wait_until(lambda: self.seen("port"), "the server listens")[0].split()[1])

    @staticmethod
    def _gather(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    def seen(self, word):
        """The lines that begin with `word`."""
        assert self.process.poll() is None or self.lines, self.log
        return [line for line in list(self.lines) if line.split()[:1] == [word]]

    def wait_seen(self, word, count=1):
        return wait_until(lambda: len(self.seen(word)) >= count and self.seen(word), f"{count} times {word!r}")

    def logged(self, text):
        return sum(text in line for line in self.log + self.lines)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def stats(self):
        before = len(self.seen("stats"))
        self.tell("stats")
        values = self.wait_seen("stats", before + 1)[before].split()[1:]
        names = ("open", "accepted", "refused", "requests", "malformed", "timed_out")
        return dict(zip(names, map(int, values)))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self, **options):
        return Raw(self.port, **options)

    def ask(self, data, **options):
        """The only answer to `data` on a connection of its own."""
        with self.connect(**options) as raw:
            raw.send(data)
            return raw.answer()

    def alive(self):
        assert self.ask(get("/")).status == 200
        assert self.process.poll() is None

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            if self.process.poll() is None:
                self.process.kill()
        return self.process.wait()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Raw:
    """A connection whose bytes the test decides."""

    def __init__(self, port, context=None, timeout=PATIENCE, source=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._read = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(65536)
        self._read += data
        return data

    def _until(self, end):
        while end not in self._read:
            assert self._more(), f"the connection ended before {end!r}: {self._read!r}"
        part, self._read = self._read.split(end, 1)
        return part

    def _take(self, size):
        while len(self._read) < size:
            assert self._more(), f"the connection ended after {len(self._read)} of {size} bytes"
        part = bytes(self._read[:size])
        del self._read[:size]
        return part

    def head(self):
        lines = self._until(b"\r\n\r\n").decode("latin1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers or name == "Vary", f"{name} is there twice"
            headers[name.lower()] = value
        return int(status), headers

    def chunk(self):
        """b"" at the end."""
        data = self._take(int(self._until(b"\r\n"), 16))
        assert self._take(2) == b"\r\n"
        return data

    def answer(self, head_only=False):
        status, headers = self.head()
        body = b""
        if head_only or status in (100, 204, 304):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            while piece := self.chunk():
                body += piece
        elif "content-length" in headers:
            body = self._take(int(headers["content-length"]))
        else:
            while self._more():
                pass
            body, self._read = bytes(self._read), bytearray()
        return Answer(status, headers, body)

    def ended(self):
        """Waits until the server has closed; true if it sent nothing before."""
        try:
            return not self._read and not self._more()
        except (ConnectionResetError, ssl.SSLError):
            return True


def request(method, path, headers=(), body=None, version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin1") + (body or b"")


def get(path, *headers, **more):
    return request("GET", path, headers, **more)


def post(path, body, *headers, **more):
    return request("POST", path, headers, body=body, **more)


def seconds(call):
    began = time.monotonic()
    value = call()
    return value, time.monotonic() - began


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    error = json.loads(answer.body)["error"]
    assert error["code"] == answer.status and error["message"] and error["status"]
    return error


def curl(probe, path, *arguments, data=None):
    command = ["curl", "-sS", "--max-time", "60", *arguments, f"http://127.0.0.1:{probe.port}{path}"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def cpu_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
