"""The synchronous client. Thread-safe: threads may share a Client, as they may share a gRPC channel."""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, overload

import grpc

from bertha.results import LabelScore, ModelStatus, Result, Timing
from bertha.v1 import bertha_pb2, bertha_pb2_grpc

_MAX_INPUTS = 256  # of one call: the server's default limit
_MAX_BYTES = 1 << 20  # of one call with several texts: well below gRPC's message limit

_TRUNCATION = {
    "right": bertha_pb2.TRUNCATION_POLICY_RIGHT,
    "left": bertha_pb2.TRUNCATION_POLICY_LEFT,
    "error": bertha_pb2.TRUNCATION_POLICY_ERROR,
}

# gRPC itself tries again, no later than the deadline, and waits as `grpc-retry-pushback-ms` of the server says.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "bertha.v1.Bertha"}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ]
    }
)
_OPTIONS = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.enable_http_proxy", 0),  # a proxy for the web must not stand between here and localhost
    ("grpc.max_receive_message_length", -1),
]

_NO_CONNECTION = ("failed to connect", "dns resolution failed")  # how gRPC's own messages begin


class BerthaError(grpc.RpcError):
    """A call that failed. As with every grpc.RpcError, code() and details() say why; str() is one line."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class Client:
    """Talks to a berthad.

    >>> with Client() as client:
    ...     print(client.classify("I love it").label)
    """

    def __init__(self, address: str = "localhost:8001") -> None:
        """The connection is made by the first call."""
        self.address = address
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = bertha_pb2_grpc.BerthaStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    @overload
    def classify(self, text_or_texts: str, *, pairs: str | None = None, **options: Any) -> Result: ...
    @overload
    def classify(
        self, text_or_texts: Sequence[str], *, pairs: Sequence[str] | None = None, **options: Any
    ) -> list[Result]: ...

    def classify(
        self,
        text_or_texts: str | Sequence[str],
        *,
        model: str = "",
        version: int = 0,
        pairs: str | Sequence[str] | None = None,
        top_k: int = 0,
        threshold: float = 0.0,
        raw_logits: bool = False,
        truncation: str = "right",
        timeout: float = 10.0,
    ) -> Result | list[Result]:
        """One Result for a text, a list of them, in order, for several.

        model, version: which model; by default the server's default one, in its newest version.
        pairs: the second text (or one for each text), for models that judge pairs.
        top_k: only the k best labels; 0: all. threshold: only labels that score at least this.
        raw_logits: also fill Result.logits.
        truncation: of a text longer than the model takes, "right" cuts the end, "left" the beginning, "error" fails.
        timeout: seconds for one call with its retries; many texts are sent in several calls, one after another.

        Raises BerthaError (a grpc.RpcError) if a call fails: then no results are returned.
        """
        single = isinstance(text_or_texts, str)
        inputs = _make_inputs(text_or_texts, pairs)
        if truncation not in _TRUNCATION:
            raise ValueError(f"truncation must be one of {', '.join(_TRUNCATION)}, not {truncation!r}")
        options = bertha_pb2.ClassifyOptions(
            top_k=top_k, threshold=threshold, raw_logits=raw_logits, truncation=_TRUNCATION[truncation]
        )
        results: list[Result] = []
        for chunk in _chunks(inputs):
            request = bertha_pb2.ClassifyRequest(model=model, version=version, inputs=chunk, options=options)
            results.extend(_results(self._call(self._stub.Classify, request, timeout)))
        return results[0] if single else results

    def models(self, *, timeout: float = 10.0) -> list[ModelStatus]:
        """Every package that the server found, the refused ones with the reason."""
        response = self._call(self._stub.ListModels, bertha_pb2.ListModelsRequest(), timeout)
        return [_model_status(m) for m in response.models]

    def _call(self, method: Any, request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
        # Outside the handler: the original repeats all of it in ten lines, and would be printed first.
        if code is grpc.StatusCode.UNAVAILABLE and details.lower().startswith(_NO_CONNECTION):
            why = details.rsplit(": ", 1)[-1]
            details = f"cannot reach berthad at {self.address}: {why}; start it with scripts/serve or pass address="
        raise BerthaError(code, details)


def _make_inputs(texts: str | Sequence[str], pairs: str | Sequence[str] | None) -> list[bertha_pb2.TextInput]:
    if isinstance(texts, str):
        if pairs is not None and not isinstance(pairs, str):
            raise TypeError("pairs must be a str when there is one text")
        return [bertha_pb2.TextInput(text=texts, text_pair=pairs)]
    if pairs is None:
        return [bertha_pb2.TextInput(text=t) for t in texts]
    if isinstance(pairs, str) or len(pairs) != len(texts):
        raise ValueError(f"pairs must be a list of {len(texts)}, one for each text")
    return [bertha_pb2.TextInput(text=t, text_pair=p) for t, p in zip(texts, pairs)]


def _chunks(inputs: list[bertha_pb2.TextInput]) -> Iterator[list[bertha_pb2.TextInput]]:
    chunk: list[bertha_pb2.TextInput] = []
    size = 0
    for item in inputs:
        item_size = item.ByteSize()
        if chunk and (len(chunk) == _MAX_INPUTS or size + item_size > _MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += item_size
    if chunk:
        yield chunk


def _results(response: bertha_pb2.ClassifyResponse) -> Iterator[Result]:
    model = response.model
    for r in response.results:
        scores = tuple(LabelScore(s.label, s.score) for s in r.scores)
        yield Result(
            label=scores[0].label if scores else None,
            score=scores[0].score if scores else float("nan"),
            scores=scores,
            logits=tuple(r.logits),
            timing=Timing(r.timing.tokenize_us, r.timing.queue_us, r.timing.compute_us, r.timing.total_us),
            tokens=r.tokens,
            truncated=r.truncated,
            batch_size=r.batch.size,
            model=model.name,
            version=model.version,
            engine=model.engine,
        )


def _model_status(m: bertha_pb2.ModelStatus) -> ModelStatus:
    return ModelStatus(
        name=m.model.name,
        version=m.model.version,
        state=bertha_pb2.ModelStatus.State.Name(m.state).removeprefix("STATE_"),
        reason=m.reason,
        engine=m.model.engine,
        device=m.model.device,
        dtype=m.model.dtype,
        family=m.family,
        task=m.task,
        labels=tuple(m.labels),
        max_length=m.max_length,
        accepts_pairs=m.accepts_pairs,
        probe_max_abs_diff=m.probe_max_abs_diff,
        probe_count=m.probe_count,
        is_default=m.is_default,
    )
