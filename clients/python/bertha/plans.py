"""What each method of the clients asks and how the reply is read: pure functions, shared by Client and AsyncClient."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from bertha import replies
from bertha.connection import HEALTH, RPCS, Rpc
from bertha.errors import make_error
from bertha.inputs import Inputs, question_inputs, split, text_input, text_inputs
from bertha.options import Judged, Texts, Version
from bertha.plan import Envelope, Part, Plan
from bertha.results import Compared, ModelStatus, Result
from bertha.retry import RETRIED, Retry
from bertha.v1 import bertha_pb2
from bertha.wire_options import (
    AGGREGATIONS,
    POOLINGS,
    TRUNCATIONS,
    addressee,
    choose,
    classify_options,
    model_ref,
    priority_field,
)


def classify(
    texts: Texts, *, pairs: Texts | None = None, finish: Callable[[list[Result]], Any] | None = None, **options: Any
) -> Plan[Any]:
    prototype, envelope = classify_request(**options)
    inputs = text_inputs(texts, pairs)
    return _plan(RPCS["Classify"], prototype, inputs, replies.read_result, envelope, finish)


def classify_request(
    *,
    model: str = "",
    version: Version = 0,
    priority: str = "normal",
    timeout: float | None = None,
    request_id: str = "",
    traceparent: str = "",
    **options: Any,
) -> tuple[bertha_pb2.ClassifyRequest, Envelope]:
    """A request without inputs."""
    request = bertha_pb2.ClassifyRequest(
        options=classify_options(**options), **addressee(model, version), **priority_field(priority)
    )
    return request, Envelope(timeout, request_id, traceparent)


def tag(
    texts: Texts,
    *,
    model: str = "",
    version: Version = 0,
    aggregation: str | None = None,
    threshold: float = 0.0,
    truncation: str = "right",
    stride: int | None = None,
    priority: str = "normal",
    **envelope: Any,
) -> Plan[Any]:
    options = bertha_pb2.TagTokensOptions(
        aggregation=choose("aggregation", aggregation, AGGREGATIONS),
        threshold=threshold,
        truncation=choose("truncation", truncation, TRUNCATIONS),
        stride=stride,
    )
    request = bertha_pb2.TagTokensRequest(options=options, **addressee(model, version), **priority_field(priority))
    return _plan(RPCS["TagTokens"], request, text_inputs(texts, None), replies.read_tagged, Envelope(**envelope))


def answer(
    questions: Texts,
    context: Texts,
    *,
    model: str = "",
    version: Version = 0,
    top_k: int = 1,
    max_answer_tokens: int = 15,
    allow_no_answer: bool = False,
    stride: int | None = None,
    priority: str = "normal",
    **envelope: Any,
) -> Plan[Any]:
    options = bertha_pb2.AnswerOptions(
        top_k=top_k, max_answer_tokens=max_answer_tokens, allow_no_answer=allow_no_answer, stride=stride
    )
    request = bertha_pb2.AnswerRequest(options=options, **addressee(model, version), **priority_field(priority))
    inputs = question_inputs(questions, context)
    return _plan(RPCS["Answer"], request, inputs, replies.read_answered, Envelope(**envelope))


def embed(
    texts: Texts,
    *,
    pairs: Texts | None = None,
    model: str = "",
    version: Version = 0,
    pooling: str | None = None,
    normalize: bool | None = None,
    tokens: bool = False,
    truncation: str = "right",
    stride: int | None = None,
    priority: str = "normal",
    **envelope: Any,
) -> Plan[Any]:
    if tokens and pooling is not None:
        raise ValueError("tokens and pooling exclude each other")
    maybe: dict[str, Any] = {"normalize": normalize, "stride": stride}  # None: not set
    options = bertha_pb2.EmbedOptions(
        pooling=bertha_pb2.POOLING_NONE if tokens else choose("pooling", pooling, POOLINGS),
        truncation=choose("truncation", truncation, TRUNCATIONS),
        **maybe,
    )
    request = bertha_pb2.EmbedRequest(options=options, **addressee(model, version), **priority_field(priority))
    return _plan(RPCS["Embed"], request, text_inputs(texts, pairs), replies.read_embedding, Envelope(**envelope))


def tokenize(
    texts: Texts,
    *,
    pairs: Texts | None = None,
    model: str = "",
    version: Version = 0,
    truncation: str = "right",
    **envelope: Any,
) -> Plan[Any]:
    request = bertha_pb2.TokenizeRequest(
        truncation=choose("truncation", truncation, TRUNCATIONS), **addressee(model, version)
    )
    return _plan(RPCS["Tokenize"], request, text_inputs(texts, pairs), replies.read_tokenized, Envelope(**envelope))


def compare(
    text: str,
    *,
    pair: str | None = None,
    models: Sequence[str] | None = None,
    tokens: bool = False,
    priority: str = "normal",
    timeout: float | None = None,
    request_id: str = "",
    traceparent: str = "",
    **options: Any,
) -> Plan[list[Compared]]:
    if isinstance(models, str):
        raise TypeError(f"models must be a list of names, such as [{models!r}]")
    request = bertha_pb2.CompareRequest(
        input=text_input(0, text, pair),
        models=[model_ref(m) for m in models or ()],
        options=classify_options(**options),
        tokens=tokens,
        **priority_field(priority),
    )

    def read(response: Any, request_id: str) -> list[Any]:
        return [[replies.read_compared(c, request_id) for c in response.results]]

    return _single(RPCS["Compare"], request, read, Envelope(timeout, request_id, traceparent))


def record_feedback(
    text: str, judged: Judged, *, right: bool, correct_label: str = "", pair: str | None = None, **envelope: Any
) -> Plan[int]:
    if right and correct_label:
        raise ValueError("correct_label is for answers that are wrong: right=False")
    if judged.label is None:
        raise ValueError("there is no label to judge: the threshold left none")
    request = bertha_pb2.RecordFeedbackRequest(
        input=text_input(0, text, pair),
        model=judged.model,
        version=judged.version,
        label=judged.label,
        score=judged.score,
        verdict=bertha_pb2.VERDICT_RIGHT if right else bertha_pb2.VERDICT_WRONG,
        correct_label=correct_label,
    )
    # A vote whose reply was lost would be stored twice.
    return _single(RPCS["RecordFeedback"], request, lambda r, _: [r.id], Envelope(**envelope), idempotent=False)


def models(**envelope: Any) -> Plan[list[ModelStatus]]:
    request = bertha_pb2.ListModelsRequest()
    return _single(
        RPCS["ListModels"], request, lambda r, _: [[replies.read_model(m) for m in r.models]], Envelope(**envelope)
    )


def health(model: str, **envelope: Any) -> Plan[str]:
    return _single(HEALTH, model, lambda status, _: [status], Envelope(**envelope))


def wait_ready(model: str, **envelope: Any) -> Plan[None]:
    def read(status: str, request_id: str) -> list[Any]:
        if status != "SERVING":
            what = f'model "{model}"' if model else "the server"
            raise make_error(grpc.StatusCode.UNAVAILABLE, f"{what} is {status}", request_id=request_id)
        return [None]

    patient = Retry(attempts=sys.maxsize, initial_backoff=0.1, max_backoff=0.5)
    retried = RETRIED | {grpc.StatusCode.NOT_FOUND}  # a model that is not there yet
    return _single(HEALTH, model, read, Envelope(**envelope), policy=patient, retried=retried)


def _plan(
    rpc: Rpc,
    prototype: Any,
    inputs: Inputs,
    read: Callable[[Any, bertha_pb2.ModelInfo, str], Any],
    envelope: Envelope,
    finish: Callable[[list[Any]], Any] | None = None,
) -> Plan[Any]:
    def read_all(response: Any, request_id: str) -> list[Any]:
        return [read(r, response.model, request_id) for r in response.results]

    if finish is None:
        finish = _first if inputs.single else _all
    return Plan(rpc, functools.partial(split, prototype, inputs), read_all, finish, envelope)


def _single(
    rpc: Rpc, request: Any, read: Callable[[Any, str], list[Any]], envelope: Envelope, **more: Any
) -> Plan[Any]:
    return Plan(rpc, lambda: iter([Part(request)]), read, _first, envelope, **more)


def _first(results: list[Any]) -> Any:
    return results[0]


def _all(results: list[Any]) -> Any:
    return results
