"""The command line's fake server, with what only the Python clients ask: all methods, metadata, streams, TLS,
faults."""

import contextlib
import threading
import time
from concurrent import futures

import fake_server
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bertha.v1 import bertha_pb2, bertha_pb2_grpc

PATIENCE = 60  # seconds


class FakeBertha(fake_server.FakeBertha):
    def __init__(self):
        super().__init__()
        self.metadata = []  # a dict for each call
        self.remaining = []  # seconds, for each call
        self.broken = None  # a Failure for every call
        self.fails_on = {}  # text -> Failure, for calls that have it
        self.block = None  # an Event for which every call waits
        self.blocks_on = set()  # texts; calls that have one wait until they are cancelled
        self.cancelled = threading.Semaphore(0)  # released for each call that was cancelled while it waited
        self.votes = []
        self.item_failures = {}  # text -> bertha_pb2.Error list, taken one by one, on streams
        self.stream_ends_after = []  # taken one a stream: after so many replies it ends with UNAVAILABLE
        self.refuses_streams = False  # before anything is read
        self.streams = 0

    def _serve(self, request, context, response_type, fill):
        self._note(context)
        texts = [i.context if isinstance(i, bertha_pb2.QuestionInput) else i.text for i in request.inputs]
        failure = next((self.fails_on[t] for t in texts if t in self.fails_on), self.broken)
        if failure is not None:
            self.calls.append(request)
            self._fail(failure, context)
        if self.blocks_on.intersection(texts):
            self._wait(threading.Event(), context)
        return super()._serve(request, context, response_type, fill)

    def _note(self, context):
        with self.lock:
            self.metadata.append(dict(context.invocation_metadata()))
            self.remaining.append(context.time_remaining())
        context.set_trailing_metadata((("x-request-id", self.metadata[-1].get("x-request-id", "made-by-server")),))
        if self.block is not None:
            self._wait(self.block, context)

    def _wait(self, event, context):
        while not event.wait(0.01):
            if not context.is_active():
                self.cancelled.release()
                context.abort(grpc.StatusCode.CANCELLED, "cancelled")

    def _fail(self, failure, context):
        if failure.pushback_ms is not None:
            pushback = ("grpc-retry-pushback-ms", str(failure.pushback_ms))
            context.set_trailing_metadata((pushback, ("x-request-id", "r1")))
        context.abort(failure.code, failure.message)

    def Tokenize(self, request, context):
        self.calls.append(request)
        response = bertha_pb2.TokenizeResponse(model={"name": "fake", "version": 3})
        for item in request.inputs:
            self._tokens(item.text, response.results.add())
        return response

    @staticmethod
    def _tokens(text, result):
        """Words; the model takes three."""
        for n, (word, place) in enumerate(fake_server.words_of(text)):
            result.tokens.add(id=n, text=word, cut=n >= 3, **place)
        result.computed, result.max_length = min(3, len(result.tokens)), 3

    def Compare(self, request, context):
        self.calls.append(request)
        response = bertha_pb2.CompareResponse()
        for ref in request.models or [bertha_pb2.ModelRef(name="fake")]:
            result = response.results.add(model={"name": ref.name, "version": ref.version or 3})
            if ref.name == "fake":
                self._classify(result.result, request.input, request.options)
                if request.tokens:
                    self._tokens(request.input.text, result.tokens)
            else:
                result.error.code, result.error.message = 5, f'no model "{ref.name}"'
        return response

    def RecordFeedback(self, request, context):
        self.calls.append(request)
        if self.failures:
            self._fail(self.failures.pop(0), context)
        self.votes.append(request)
        return bertha_pb2.RecordFeedbackResponse(id=len(self.votes))

    def StreamClassify(self, requests, context):
        self._note(context)
        self.streams += 1
        if self.refuses_streams:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unknown token")
        left = self.stream_ends_after.pop(0) if self.stream_ends_after else None
        backlog = []  # answered in pairs, the later first
        for item in requests:
            self.calls.append(item)
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "connection is old")
            backlog.append(self._reply(item, context))
            if len(backlog) == 2:
                yield from reversed(backlog)
                backlog.clear()
            elif len(backlog) == 1 and item.request.inputs[0].text.startswith("alone"):
                yield backlog.pop()
            if left is not None:
                left -= 1
        yield from backlog

    def _reply(self, item, context):
        reply = bertha_pb2.StreamClassifyResponse(id=item.id)
        if errors := self.item_failures.get(item.request.inputs[0].text):
            reply.error.CopyFrom(errors.pop(0))
        else:
            self._respond(item.request, context, reply.response, self._classify)
        return reply


class FakeHealth(health_pb2_grpc.HealthServicer):
    """`statuses`: what Check says, one a call; the last goes on. `watched`: what Watch says, once."""

    def __init__(self):
        self.statuses = ["SERVING"]
        self.watched = "SERVING"
        self.asked = []

    def Check(self, request, context):
        self.asked.append(request.service)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == "NOT_FOUND":
            context.abort(grpc.StatusCode.NOT_FOUND, f'no model "{request.service}"')
        return health_pb2.HealthCheckResponse(status=status)

    def Watch(self, request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        yield health_pb2.HealthCheckResponse(status=self.watched)
        ended.wait()


class FakeServer:
    """On a free port; with `credentials` over TLS."""

    def __init__(self, credentials=None):
        self.bertha, self.health = FakeBertha(), FakeHealth()
        self._server = grpc.server(futures.ThreadPoolExecutor(64))
        bertha_pb2_grpc.add_BerthaServicer_to_server(self.bertha, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        add = self._server.add_insecure_port
        port = add("localhost:0") if credentials is None else self._server.add_secure_port("localhost:0", credentials)
        self.address = f"localhost:{port}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain until {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def serving(**options):
    fake = FakeServer(**options)
    try:
        yield fake
    finally:
        fake.stop()
