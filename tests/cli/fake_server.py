"""A berthad without a model: real gRPC, answers computed from the text by a rule, failures on demand."""
import math
import re
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


def words_of(text):
    """Each word with where it stands: bytes and chars."""
    for match in re.finditer(r"\w+", text):
        in_bytes = [len(text[:at].encode()) for at in match.span()]
        yield match.group(), {
            "bytes": bertha_pb2.Range(begin=in_bytes[0], end=in_bytes[1]),
            "chars": bertha_pb2.Range(begin=match.start(), end=match.end()),
        }


def vector_of(text, scaled):
    """The fake's rule: three numbers follow from the bytes of the text."""
    data = text.encode()
    vector = [len(data) + 1.0, sum(data) % 7 - 3.0, sum(data[::2]) % 5 - 2.0]
    norm = math.hypot(*vector) if scaled else 1.0
    return [x / norm for x in vector]


class Failure:
    """One refusal, given to the next call that comes."""

    def __init__(self, code, message, pushback_ms=None):
        self.code, self.message, self.pushback_ms = code, message, pushback_ms


class FakeBertha(bertha_pb2_grpc.BerthaServicer):
    def __init__(self):
        self.lock = threading.Lock()
        self.failures = []  # taken one a call, first first; None: this call succeeds
        self.calls = []  # (arrival, request)
        self.models = []  # ModelStatus to list
        self.now_in_flight = 0
        self.most_in_flight = 0
        self.hold = None  # a Barrier at which calls meet

    def serve_classifiers(self, *names, labels=LABELS):
        """Lists models of these names, all of which answer by the same rule."""
        for name in names:
            model = bertha_pb2.ModelInfo(name=name, version=3, engine="rule", device="cpu", dtype="fp32")
            self.models.append(bertha_pb2.ModelStatus(
                model=model, state=bertha_pb2.ModelStatus.STATE_SERVING, task="sequence-classification", labels=labels,
                weight_bytes=2_000_000))

    def Classify(self, request, context):
        return self._serve(request, context, bertha_pb2.ClassifyResponse, self._classify)

    def TagTokens(self, request, context):
        return self._serve(request, context, bertha_pb2.TagTokensResponse, self._tag)

    def Answer(self, request, context):
        return self._serve(request, context, bertha_pb2.AnswerResponse, self._answer)

    def Embed(self, request, context):
        return self._serve(request, context, bertha_pb2.EmbedResponse, self._embed)

    def _serve(self, request, context, response_type, fill):
        with self.lock:
            self.calls.append(request)
            failure = self.failures.pop(0) if self.failures else None
            hold = self.hold
            self.now_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.now_in_flight)
        try:
            if hold is not None:
                hold.wait(timeout=20)
            if failure is not None:
                if failure.pushback_ms is not None:
                    context.set_trailing_metadata((("grpc-retry-pushback-ms", str(failure.pushback_ms)),))
                context.abort(failure.code, failure.message)
            if request.model not in ("", "fake", *(status.model.name for status in self.models)):
                context.abort(grpc.StatusCode.NOT_FOUND, f'no model "{request.model}"; loaded: fake')
            return self._respond(request, context, response_type(), fill)
        finally:
            with self.lock:
                self.now_in_flight -= 1

    def _respond(self, request, context, response, fill):
        response.model.name, response.model.version, response.model.engine = "fake", 3, "rule"
        response.model.device, response.model.dtype = "cpu", "fp32"
        for i, item in enumerate(request.inputs):
            result = response.results.add()
            self._account(result, i, item, request, context)
            fill(result, item, request.options)
        return response

    @staticmethod
    def _account(result, index, item, request, context):
        text = item.context if isinstance(item, bertha_pb2.QuestionInput) else item.text
        tokens = len(text.split()) + 2
        policy = getattr(request.options, "truncation", bertha_pb2.TRUNCATION_POLICY_WINDOW)
        if policy == bertha_pb2.TRUNCATION_POLICY_ERROR and tokens > MAX_TOKENS:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"inputs[{index}].text: {tokens} tokens; the limit is {MAX_TOKENS}"
            )
        if policy == bertha_pb2.TRUNCATION_POLICY_WINDOW:
            result.tokens, result.windows = tokens, -(-tokens // MAX_TOKENS)
        else:
            result.tokens, result.windows, result.truncated = min(tokens, MAX_TOKENS), 1, tokens > MAX_TOKENS
        t = result.timing
        t.tokenize_us, t.queue_us, t.compute_us, t.total_us = 11, 22, 1700, 1750
        result.batch.size = len(request.inputs)

    @staticmethod
    def _classify(result, item, options):
        best, score = score_of(item.text + item.text_pair)
        others = [label for label in LABELS if label != best]
        rest = 1 - score
        ranked = [(best, score), (others[0], rest * 0.75), (others[1], rest * 0.25)]
        for label, s in ranked[: options.top_k or None]:
            if s >= options.threshold:
                result.scores.add(label=label, score=s, index=LABELS.index(label))
        if options.raw_logits:
            result.logits.extend([1.5, -0.25, 0.125])

    @staticmethod
    def _tag(result, item, options):
        """A word is an entity if it begins with a capital letter."""
        for word, place in words_of(item.text):
            score = score_of(word)[1]
            if word[0].isupper() and score >= options.threshold:
                prefix = "B-" if options.aggregation == bertha_pb2.AGGREGATION_NONE else ""
                result.entities.add(label=f"{prefix}NAME", score=score, text=word, **place)

    @staticmethod
    def _answer(result, item, options):
        """The answers are the longest words of the context."""
        result.no_answer_score = 0.25
        if options.allow_no_answer and not item.context:
            result.answers.add(score=0.25, no_answer=True)
        words = sorted(words_of(item.context), key=lambda w: -len(w[0]))
        for word, place in words[: options.top_k or 1]:
            result.answers.add(text=word, score=score_of(word)[1], **place)

    @staticmethod
    def _embed(result, item, options):
        scaled = not options.HasField("normalize") or options.normalize
        if options.pooling != bertha_pb2.POOLING_NONE:
            result.vector.extend(vector_of(item.text, scaled))
            return
        for word, place in words_of(item.text):
            result.token_vectors.add(token=word, vector=vector_of(word, scaled), **place)

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
