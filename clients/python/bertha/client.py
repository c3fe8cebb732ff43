"""The synchronous client. Thread-safe: threads may share a Client, as they may share a gRPC channel."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import grpc

from bertha.results import (
    Answered,
    Embedding,
    Entity,
    FoundAnswer,
    LabelScore,
    ModelStatus,
    Result,
    Tagged,
    Timing,
    TokenVector,
)
from bertha.v1 import bertha_pb2, bertha_pb2_grpc

_MAX_INPUTS = 256  # of one call: the server's default limit
_MAX_BYTES = 1 << 20  # of one call with several texts: well below gRPC's message limit

_PRIORITY = {
    "high": bertha_pb2.PRIORITY_HIGH,
    "normal": bertha_pb2.PRIORITY_NORMAL,
    "batch": bertha_pb2.PRIORITY_BATCH,
}
_TRUNCATION = {
    "right": bertha_pb2.TRUNCATION_POLICY_RIGHT,
    "left": bertha_pb2.TRUNCATION_POLICY_LEFT,
    "error": bertha_pb2.TRUNCATION_POLICY_ERROR,
    "window": bertha_pb2.TRUNCATION_POLICY_WINDOW,
}
_AGGREGATION = {
    None: bertha_pb2.AGGREGATION_UNSPECIFIED,
    "none": bertha_pb2.AGGREGATION_NONE,
    "simple": bertha_pb2.AGGREGATION_SIMPLE,
    "first": bertha_pb2.AGGREGATION_FIRST,
    "average": bertha_pb2.AGGREGATION_AVERAGE,
    "max": bertha_pb2.AGGREGATION_MAX,
}
_POOLING = {
    None: bertha_pb2.POOLING_UNSPECIFIED,
    "mean": bertha_pb2.POOLING_MEAN,
    "cls": bertha_pb2.POOLING_CLS,
    "max": bertha_pb2.POOLING_MAX,
    "cls+mean": bertha_pb2.POOLING_CLS_MEAN,
    "last": bertha_pb2.POOLING_LAST,
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
        version: int | str = 0,
        pairs: str | Sequence[str] | None = None,
        top_k: int = 0,
        threshold: float = 0.0,
        raw_logits: bool = False,
        truncation: str = "right",
        stride: int | None = None,
        priority: str = "normal",
        timeout: float = 10.0,
    ) -> Result | list[Result]:
        """One Result for a text, a list of them, in order, for several.

        model, version: which model; by default the server's default one, in its newest version. A str is a label of a
        version, such as "stable".
        pairs: the second text (or one for each text), for models that judge pairs.
        top_k: only the k best labels; 0: all. threshold: only labels that score at least this.
        raw_logits: also fill Result.logits.
        truncation: of a text longer than the model takes, "right" cuts the end, "left" the beginning, "error" fails,
        and "window" computes it in overlapping windows, which share `stride` tokens.
        priority: "high", "normal", or "batch" for bulk work that takes what others leave on a busy server.
        timeout: seconds for one call with its retries; many texts are sent in several calls, one after another.

        Raises BerthaError (a grpc.RpcError) if a call fails: then no results are returned.
        """
        options = bertha_pb2.ClassifyOptions(
            top_k=top_k,
            threshold=threshold,
            raw_logits=raw_logits,
            truncation=_choose("truncation", truncation, _TRUNCATION),
            stride=stride,
        )
        request = bertha_pb2.ClassifyRequest(model=model, options=options, **_version(version), **_priority(priority))
        inputs = _make_inputs(text_or_texts, pairs)
        results = self._results(self._stub.Classify, request, inputs, timeout, _result)
        return results[0] if isinstance(text_or_texts, str) else results

    @overload
    def tag(self, text_or_texts: str, **options: Any) -> Tagged: ...
    @overload
    def tag(self, text_or_texts: Sequence[str], **options: Any) -> list[Tagged]: ...

    def tag(
        self,
        text_or_texts: str | Sequence[str],
        *,
        model: str = "",
        version: int | str = 0,
        aggregation: str | None = None,
        threshold: float = 0.0,
        truncation: str = "right",
        stride: int | None = None,
        priority: str = "normal",
        timeout: float = 10.0,
    ) -> Tagged | list[Tagged]:
        """The entities of a text, or a list of such for several texts.

        aggregation: how tokens become entities, with the names of the Hugging Face pipeline: "none", "simple", "first",
        "average" or "max"; None: as the model's package says. threshold: only entities that score at least this.
        The others: as for `classify`.
        """
        options = bertha_pb2.TagTokensOptions(
            aggregation=_choose("aggregation", aggregation, _AGGREGATION),
            threshold=threshold,
            truncation=_choose("truncation", truncation, _TRUNCATION),
            stride=stride,
        )
        request = bertha_pb2.TagTokensRequest(model=model, options=options, **_version(version), **_priority(priority))
        results = self._results(self._stub.TagTokens, request, _make_inputs(text_or_texts, None), timeout, _tagged)
        return results[0] if isinstance(text_or_texts, str) else results

    @overload
    def answer(self, question_or_questions: str, context: str, **options: Any) -> Answered: ...
    @overload
    def answer(
        self, question_or_questions: Sequence[str], context: str | Sequence[str], **options: Any
    ) -> list[Answered]: ...

    def answer(
        self,
        question_or_questions: str | Sequence[str],
        context: str | Sequence[str],
        *,
        model: str = "",
        version: int | str = 0,
        top_k: int = 1,
        max_answer_tokens: int = 15,
        allow_no_answer: bool = False,
        stride: int | None = None,
        priority: str = "normal",
        timeout: float = 10.0,
    ) -> Answered | list[Answered]:
        """The answer to a question from its context, or a list of such for several questions.

        context: one for all questions, or one for each. A longer one than the model takes is searched in windows, which
        share `stride` tokens.
        top_k: the k best answers. max_answer_tokens: the longest answer.
        allow_no_answer: "there is none" may be an answer too; for models that were trained with such questions.
        The others: as for `classify`.
        """
        options = bertha_pb2.AnswerOptions(
            top_k=top_k, max_answer_tokens=max_answer_tokens, allow_no_answer=allow_no_answer, stride=stride
        )
        request = bertha_pb2.AnswerRequest(model=model, options=options, **_version(version), **_priority(priority))
        inputs = _make_questions(question_or_questions, context)
        results = self._results(self._stub.Answer, request, inputs, timeout, _answered)
        return results[0] if isinstance(question_or_questions, str) else results

    @overload
    def embed(self, text_or_texts: str, *, pairs: str | None = None, **options: Any) -> Embedding: ...
    @overload
    def embed(
        self, text_or_texts: Sequence[str], *, pairs: Sequence[str] | None = None, **options: Any
    ) -> list[Embedding]: ...

    def embed(
        self,
        text_or_texts: str | Sequence[str],
        *,
        model: str = "",
        version: int | str = 0,
        pairs: str | Sequence[str] | None = None,
        pooling: str | None = None,
        normalize: bool | None = None,
        tokens: bool = False,
        truncation: str = "right",
        stride: int | None = None,
        priority: str = "normal",
        timeout: float = 10.0,
    ) -> Embedding | list[Embedding]:
        """The vector of a text, or a list of such for several texts.

        pooling: how the vectors of tokens become that of the text: "mean", "cls", "max", "cls+mean" or "last"; None: as
        the model's package says. tokens: a vector for each token instead. normalize: scale to length 1; None: as the
        model's package says.
        The others: as for `classify`.
        """
        if tokens and pooling is not None:
            raise ValueError("tokens and pooling exclude each other")
        options = bertha_pb2.EmbedOptions(
            pooling=bertha_pb2.POOLING_NONE if tokens else _choose("pooling", pooling, _POOLING),
            normalize=normalize,
            truncation=_choose("truncation", truncation, _TRUNCATION),
            stride=stride,
        )
        request = bertha_pb2.EmbedRequest(model=model, options=options, **_version(version), **_priority(priority))
        inputs = _make_inputs(text_or_texts, pairs)
        results = self._results(self._stub.Embed, request, inputs, timeout, _embedding)
        return results[0] if isinstance(text_or_texts, str) else results

    def models(self, *, timeout: float = 10.0) -> list[ModelStatus]:
        """Every package that the server found, the refused ones with the reason."""
        response = self._call(self._stub.ListModels, bertha_pb2.ListModelsRequest(), timeout)
        return [_model_status(m) for m in response.models]

    def _results(
        self,
        method: Any,
        prototype: Any,
        inputs: list[Any],
        timeout: float,
        convert: Callable[[Any, dict[str, Any]], Any],
    ) -> list[Any]:
        """What `convert` makes of each result and its account; `prototype` is the request without its inputs."""
        results = []
        for chunk in _chunks(inputs):
            request = type(prototype)()
            request.CopyFrom(prototype)
            request.inputs.extend(chunk)
            response = self._call(method, request, timeout)
            results.extend(convert(r, _account(r, response.model)) for r in response.results)
        return results

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


def _choose(what: str, name: str | None, names: dict[Any, int]) -> int:
    if name not in names:
        raise ValueError(f"{what} must be one of {', '.join(str(n) for n in names)}, not {name!r}")
    return names[name]


def _priority(priority: str) -> dict[str, Any]:
    return {"priority": _choose("priority", priority, _PRIORITY)}


def _version(version: int | str) -> dict[str, Any]:
    return {"version_label": version} if isinstance(version, str) else {"version": version}


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


def _make_questions(questions: str | Sequence[str], context: str | Sequence[str]) -> list[bertha_pb2.QuestionInput]:
    if isinstance(questions, str):
        if not isinstance(context, str):
            raise TypeError("context must be a str when there is one question")
        return [bertha_pb2.QuestionInput(question=questions, context=context)]
    contexts = [context] * len(questions) if isinstance(context, str) else context
    if len(contexts) != len(questions):
        raise ValueError(f"context must be a str or a list of {len(questions)}, one for each question")
    return [bertha_pb2.QuestionInput(question=q, context=c) for q, c in zip(questions, contexts)]


def _chunks(inputs: list[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
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


def _account(r: Any, model: bertha_pb2.ModelInfo) -> dict[str, Any]:
    return {
        "timing": Timing(r.timing.tokenize_us, r.timing.queue_us, r.timing.compute_us, r.timing.total_us),
        "tokens": r.tokens,
        "truncated": getattr(r, "truncated", False),  # a context never is
        "windows": r.windows,
        "batch_size": r.batch.size,
        "model": model.name,
        "version": model.version,
        "engine": model.engine,
    }


def _result(r: bertha_pb2.ClassifyResult, account: dict[str, Any]) -> Result:
    scores = tuple(LabelScore(s.label, s.score) for s in r.scores)
    return Result(
        label=scores[0].label if scores else None,
        score=scores[0].score if scores else float("nan"),
        scores=scores,
        logits=tuple(r.logits),
        **account,
    )


def _tagged(r: bertha_pb2.TagTokensResult, account: dict[str, Any]) -> Tagged:
    return Tagged(
        entities=tuple(
            Entity(e.label, e.score, e.text, e.chars.begin, e.chars.end, (e.bytes.begin, e.bytes.end))
            for e in r.entities
        ),
        **account,
    )


def _answered(r: bertha_pb2.AnswerResult, account: dict[str, Any]) -> Answered:
    answers = tuple(
        FoundAnswer(a.text, a.score, a.chars.begin, a.chars.end, (a.bytes.begin, a.bytes.end), a.no_answer)
        for a in r.answers
    )
    return Answered(
        text=answers[0].text if answers and not answers[0].no_answer else None,
        score=answers[0].score if answers else float("nan"),
        answers=answers,
        no_answer_score=r.no_answer_score,
        **account,
    )


def _embedding(r: bertha_pb2.EmbedResult, account: dict[str, Any]) -> Embedding:
    return Embedding(
        vector=tuple(r.vector),
        token_vectors=tuple(TokenVector(t.token, t.chars.begin, t.chars.end, tuple(t.vector)) for t in r.token_vectors),
        **account,
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
        version_labels=tuple(m.version_labels),
        refused_update=m.refused_update,
        dimension=m.dimension,
        weight_bytes=m.weight_bytes,
    )
