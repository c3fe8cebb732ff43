"""A berthad without a model: real gRPC, answers computed from the text by a rule, failures on demand."""
import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from bertha.v1 import bertha_pb2, bertha_pb2_grpc

LABELS = ("negative", "neutral", "positive")
MAX_TOKENS = 16


def score_of(text):
    """The fake's rule: the best label and its score follow from the bytes of the text."""
    data = text.encode()
    return LABELS[sum(data) % 3], 0.5 + (sum(data) % 499) / 1000


class Failure:
    """One refusal, given to the next call that comes."""

    def __init__(self, code, message, pushback_ms=None):
        self.code, self.message, self.pushback_ms = code, message, pushback_ms


class FakeBertha(bertha_pb2_grpc.BerthaServicer):
    def __init__(self):
        self.lock = threading.Lock()
        self.failures = []  # taken one a call, first first
        self.calls = []  # (arrival, request)
        self.models = []  # ModelStatus to list
        self.now_in_flight = 0
        self.most_in_flight = 0
        self.hold = None  # a Barrier at which calls meet

    def Classify(self, request, context):
        with self.lock:
            self.calls.append(request)
            failure = self.failures.pop(0) if self.failures else None
            hold = self.hold
            self.now_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.now_in_flight)
        try:
            if hold is not None:
                hold.wait(timeout=20)
            return self._answer(request, context, failure)
        finally:
            with self.lock:
                self.now_in_flight -= 1

    def _answer(self, request, context, failure):
        if failure is not None:
            if failure.pushback_ms is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", str(failure.pushback_ms)),))
            context.abort(failure.code, failure.message)
        if request.model not in ("", "fake"):
            context.abort(grpc.StatusCode.NOT_FOUND, f'no model "{request.model}"; loaded: fake')
        response = bertha_pb2.ClassifyResponse()
        response.model.name, response.model.version, response.model.engine = "fake", 3, "rule"
        response.model.device, response.model.dtype = "cpu", "fp32"
        strict = request.options.truncation == bertha_pb2.TRUNCATION_POLICY_ERROR
        for i, item in enumerate(request.inputs):
            tokens = len(item.text.split()) + 2
            if strict and tokens > MAX_TOKENS:
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT, f"inputs[{i}].text: {tokens} tokens; the limit is {MAX_TOKENS}"
                )
            result = response.results.add(tokens=min(tokens, MAX_TOKENS), truncated=tokens > MAX_TOKENS)
            self._fill(result, item, request)
        return response

    @staticmethod
    def _fill(result, item, request):
        best, score = score_of(item.text + item.text_pair)
        others = [label for label in LABELS if label != best]
        rest = 1 - score
        ranked = [(best, score), (others[0], rest * 0.75), (others[1], rest * 0.25)]
        for label, s in ranked[: request.options.top_k or None]:
            if s >= request.options.threshold:
                result.scores.add(label=label, score=s, index=LABELS.index(label))
        if request.options.raw_logits:
            result.logits.extend([1.5, -0.25, 0.125])
        t = result.timing
        t.tokenize_us, t.queue_us, t.compute_us, t.total_us = 11, 22, 1700, 1750
        result.batch.size = len(request.inputs)

    def ListModels(self, request, context):
        return bertha_pb2.ListModelsResponse(models=self.models)


class FakeHealth(health.HealthServicer):
    """Notes that somebody watches."""

    def __init__(self):
        super().__init__()
        self.watched = threading.Event()

    def Watch(self, request, context, send_response_callback=None):
        answers = super().Watch(request, context, send_response_callback)
        self.watched.set()
        return answers


class FakeServer:
    def __init__(self):
        self.bertha = FakeBertha()
        self.health = FakeHealth()
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        bertha_pb2_grpc.add_BerthaServicer_to_server(self.bertha, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self.address = f"localhost:{self._server.add_insecure_port('localhost:0')}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()
