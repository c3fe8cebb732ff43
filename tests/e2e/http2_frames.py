"""HTTP/2 frames made by hand, for connections that do what no client library would (RFC 9113, RFC 7541)."""

import contextlib
import os
import select
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
CANCEL = struct.pack("!I", 8)
NO_ERROR, ENHANCE_YOUR_CALM = 0, 11


def frame(kind, stream=0, flags=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _text(text):
    assert len(text) < 127
    return bytes([len(text)]) + text.encode()


def headers(path, authority="localhost", extra=()):
    """A gRPC call's header block that enters its fields into the table: for the first HEADERS of a connection."""
    fields = [(":path", path), (":authority", authority), ("content-type", "application/grpc"), ("te", "trailers")]
    return b"\x83\x86" + b"".join(b"\x40" + _text(name) + _text(value) for name, value in [*fields, *extra])


# The same fields from the table, which begins at 62 with the youngest: te, content-type, :authority, :path.
HEADERS_AGAIN = b"\x83\x86" + bytes(0x80 | index for index in (65, 64, 63, 62))


def message(payload):
    """A gRPC message, not compressed."""
    return struct.pack("!BI", 0, len(payload)) + payload


def calls(count, path, after):
    """`count` calls, each HEADERS and then the frames `after(stream)`."""
    frames = bytearray()
    for i in range(count):
        stream = 2 * i + 1
        frames += frame(HEADERS, stream, END_HEADERS, HEADERS_AGAIN if i else headers(path))
        frames += after(stream)
    return bytes(frames)


class Connection:
    """A raw connection that has said hello. It reads only when told to."""

    def __init__(self, address, hello=PREFACE + frame(SETTINGS), timeout=20):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.sendall(hello)

    def flood(self, data, seconds):
        """Sends `data` as fast as the peer takes it, and throws away what comes back. How many bytes went, and whether
        the peer hung up."""
        self.socket.setblocking(False)
        sent, deadline = 0, time.monotonic() + seconds
        try:
            while sent < len(data) and (left := deadline - time.monotonic()) > 0:
                readable, writable, _ = select.select([self.socket], [self.socket], [], left)
                if writable:
                    sent += self.socket.send(memoryview(data)[sent : sent + (1 << 18)])
                if readable and not self.socket.recv(1 << 18):
                    return sent, True
        except ConnectionError:
            return sent, True
        return sent, False

    def _take(self, size):
        """None: the peer has hung up."""
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionError:
                return None
            if not part:
                return None
            data += part
        return data

    def frames(self):
        """(kind, payload) of what comes, until the peer hangs up; pings are answered."""
        while header := self._take(9):
            kind, flags = header[3], header[4]
            payload = self._take(int.from_bytes(header[:3], "big"))
            if kind == PING and not flags & ACK:
                with contextlib.suppress(ConnectionError):
                    self.socket.sendall(frame(PING, 0, ACK, payload))
            yield kind, payload

    def goodbyes(self):
        """(error code, words) of each GOAWAY until the peer hangs up."""
        return [
            (int.from_bytes(payload[4:8], "big"), payload[8:].decode()) for kind, payload in self.frames() if kind == GOAWAY
        ]

    def closed_within(self, seconds):
        """Whether the peer hangs up in time, while this side only reads."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 18):
                pass
            return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def close(self):
        self.socket.close()


def open_sockets(pid):
    """How many sockets the process has open."""
    folder = f"/proc/{pid}/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count
