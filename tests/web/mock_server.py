"""A server for the web page's tests: the files of server/web/ with the daemon's security headers, and an interface that
a test scripts. Run as a program it serves until Ctrl-C, for working on the page: python tests/web/mock_server.py [PORT]
"""

import http.server
import json
import pathlib
import sys
import threading
import urllib.parse
import zlib

from mock_traffic import Traffic

PATIENCE = 20  # seconds
WEB = pathlib.Path(__file__).resolve().parents[2] / "server" / "web"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
                               "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
         ".webmanifest": "application/manifest+json"}
CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
         503: "UNAVAILABLE"}
SENTIMENT = ["negative", "neutral", "positive"]
WORDS = {"earns": 3, "generous": 2, "loved": 3, "good": 2, "great": 3, "weight": 0.6, "died": -3, "nobody": -1.5,
         "bad": -2, "slow": -1, "slower": -1.5, "letdown": -2, "down": -1.5, "not": -0.3, "awful": -3, "though": -0.4}


def classifier(name, labels=SENTIMENT, version=1, **fields):
    """A ModelStatus as the daemon's JSON has it."""
    check = {"max_abs_diff": 2.4e-6, "mean_abs_diff": 5.1e-7, "decisions": 64, "tolerance": 1e-4}
    status = {
        "model": {"name": name, "version": str(version), "engine": "fused", "device": "cpu", "dtype": "fp32"},
        "state": "STATE_SERVING", "family": "bert", "task": "sequence-classification", "labels": list(labels),
        "max_length": 128, "self_check": check, "weight_bytes": "17563648",
    }
    return {**status, **fields}


def error(http, message, retry=None, status=None):
    """(HTTP status, body) of a failure; `retry`: its RetryInfo, e.g. "0.020s"."""
    body = {"code": http, "message": message, "status": status or CODES[http]}
    if retry:
        body["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry}]
    return http, {"error": body}


def tokens_of(text, limit):
    """A TokenizeResult: words, the long ones in two pieces, as BERT would have them."""
    tokens, at = [{"id": 101, "text": "[CLS]", "special": True}], 0
    for word in text.split():
        at = text.index(word, at)
        pieces = [word.lower()] if len(word) < 8 else [word[:5].lower(), word[5:].lower()]
        begin = at
        for i, piece in enumerate(pieces):
            span = {"begin": begin, "end": begin + len(piece)}
            token = {"id": 1000 + zlib.crc32(piece.encode()) % 29000, "text": "##" * (i > 0) + piece, "chars": span}
            tokens.append({k: v for k, v in token.items() if v})
            begin += len(piece)
        at += len(word)
    tokens.append({"id": 102, "text": "[SEP]", "special": True})
    cut = max(0, len(tokens) - limit)
    for token in tokens[len(tokens) - 1 - cut : -1]:
        token["cut"] = True
    return {"tokens": tokens, "computed": len(tokens) - cut, "max_length": limit}


def scores_of(status, text):
    """LabelScores, best first: made up, but always the same for the same text and model."""
    labels, name = status["labels"], status["model"]["name"]
    mood = sum(WORDS.get(word.strip(".,;!?").lower(), 0.0) for word in text.split())
    mood = mood / (1 + abs(mood) / 4) + (zlib.crc32(f"{name}{text}".encode()) % 100 - 50) / 110
    middle = (len(labels) - 1) / 2
    places = [i - middle for i in range(len(labels))]
    weights = [2.718 ** (mood * place / max(middle, 0.5) + (0.5 - abs(place) * 0.4)) for place in places]
    shares = [weight / sum(weights) for weight in weights]
    scores = [{"label": label, "score": share, "index": i} for i, (label, share) in enumerate(zip(labels, shares))]
    ranked = sorted(scores, key=lambda one: -one["score"])
    return [{k: v for k, v in one.items() if v} for one in ranked]  # the JSON mapping leaves out what is zero


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # browsers drop connections as they like
            super().handle_error(request, client_address)


class MockServer:
    """Listens on a free port of 127.0.0.1. A test may change every member at any time."""

    def __init__(self, port=0):
        self.models = [classifier("sentiment-bert", is_default=True), classifier("sentiment-xlnet")]
        self.held = {}         # text -> Event for which its comparison waits
        self.failures = []     # (HTTP status, body) of the next comparisons
        self.feedback = None   # (HTTP status, body) instead of storing; None: stores
        self.outcomes = {}     # model name -> function of the text that makes its CompareResult
        self.token = None      # the only good access token; None: none needed
        self.pages = None      # function that gives the next page of metrics; None: made-up traffic
        self.requests = []     # (method, path, body, headers)
        self._traffic = Traffic(lambda: [m for m in self.models if m["state"] == "STATE_SERVING"])
        self._http = Listener(("127.0.0.1", port), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self):
        for event in self.held.values():
            event.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def bodies(self, path):
        """Bodies of the calls of `path` so far, in order."""
        return [body for _, called, body, _ in list(self.requests) if called == path]

    def votes(self):
        return self.bodies("/v1/record-feedback")

    def hold(self, text):
        """The Event that lets the comparison of `text` be answered."""
        return self.held.setdefault(text, threading.Event())

    # Each returns (HTTP status, body).

    def _compare(self, request):
        text = request["input"].get("text", "")
        if text in self.held:
            self.held[text].wait(PATIENCE)
        if self.failures:
            return self.failures.pop(0)
        return 200, {"results": [self._outcome(ref, text) for ref in request["models"]]}

    def _outcome(self, ref, text):
        status = next((m for m in self.models if m["model"]["name"] == ref["name"]), None)
        if status is None:
            return {"model": ref, "error": {"code": 5, "message": f"no model {ref['name']} is loaded"}}
        if ref["name"] in self.outcomes:
            return {"model": status["model"], **self.outcomes[ref["name"]](text)}
        seen = tokens_of(text, status["max_length"])
        pace = 40 + zlib.crc32(ref["name"].encode()) % 60
        timing = {"tokenize_us": 20 + len(text) // 3, "queue_us": 60 + pace,
                  "compute_us": 300 + pace * seen["computed"] // 2}
        timing["total_us"] = sum(timing.values()) + 25
        batch = {"size": 1 + pace % 3, "tokens": seen["computed"] * (1 + pace % 3)}
        result = {"scores": scores_of(status, text), "tokens": seen["computed"], "timing": timing, "batch": batch,
                  "windows": 1}
        return {"model": status["model"], "result": result, "tokens": seen}

    def _vote(self, _):
        return self.feedback or (200, {"id": str(len(self.votes()))})

    def answer(self, method, path, body, headers):
        """(HTTP status, body); the body is text for metrics."""
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return error(401, "a bearer token is needed")
        if path == "/metrics":
            return 200, (self.pages or self._traffic.page)()
        calls = {("GET", "/v1/models"): lambda _: (200, {"models": self.models} if self.models else {}),
                 ("POST", "/v1/compare"): self._compare, ("POST", "/v1/record-feedback"): self._vote}
        call = calls.get((method, path))
        return call(body) if call else error(404, f"no such call: {method} {path}")

    def _handler(self):
        mock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: a second one would wait for the first one's acknowledgement
            disable_nagle_algorithm = True

            def do_GET(self):
                path = urllib.parse.urlsplit(self.path).path
                file = WEB / (path.lstrip("/") or "index.html")
                if file.parent == WEB and file.is_file():
                    return self._send(200, TYPES[file.suffix], file.read_bytes())
                return self._call("GET", path, None)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._call("POST", self.path, json.loads(body))

            def _call(self, method, path, body):
                mock.requests.append((method, path, body, dict(self.headers)))
                status, answer = mock.answer(method, path, body, self.headers)
                plain = isinstance(answer, str)
                kind = "text/plain; version=0.0.4; charset=utf-8" if plain else "application/json"
                self._send(status, kind, (answer if plain else json.dumps(answer)).encode())

            def _send(self, status, kind, content):
                self.send_response(status)
                for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler


if __name__ == "__main__":
    server = MockServer(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(server.url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.close()
