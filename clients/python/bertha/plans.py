"""What each method of the clients asks and how the reply is read: pure functions, shared by Client and AsyncClient.

A Plan is the parts of a call, each a request on the wire, and what becomes of their responses. The clients only send.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypedDict, TypeVar, Union

import grpc

from bertha import replies
from bertha.connection import HEALTH, RPCS, Rpc
from bertha.errors import BerthaError, make_error
from bertha.results import Answered, Compared, Embedding, ModelStatus, Result, Tagged, Tokenized
from bertha.retry import RETRIED, Retry
from bertha.v1 import bertha_pb2

if TYPE_CHECKING:
    from typing_extensions import Unpack

MAX_INPUTS = 256  # of one call: the server's default limit
MAX_BYTES = 1 << 20  # of one call with several texts: well below gRPC's message limit

Priority = Literal["high", "normal", "batch"]
Truncation = Literal["right", "left", "error", "window"]
Aggregation = Literal["none", "simple", "first", "average", "max"]
Pooling = Literal["mean", "cls", "max", "cls+mean", "last"]
Version = Union[int, str]
Texts = Union[str, Iterable[str]]
R = TypeVar("R")

PRIORITIES = {
    "high": bertha_pb2.PRIORITY_HIGH,
    "normal": bertha_pb2.PRIORITY_NORMAL,
    "batch": bertha_pb2.PRIORITY_BATCH,
}
TRUNCATIONS = {
    "right": bertha_pb2.TRUNCATION_POLICY_RIGHT,
    "left": bertha_pb2.TRUNCATION_POLICY_LEFT,
    "error": bertha_pb2.TRUNCATION_POLICY_ERROR,
    "window": bertha_pb2.TRUNCATION_POLICY_WINDOW,
}
AGGREGATIONS = {
    None: bertha_pb2.AGGREGATION_UNSPECIFIED,
    "none": bertha_pb2.AGGREGATION_NONE,
    "simple": bertha_pb2.AGGREGATION_SIMPLE,
    "first": bertha_pb2.AGGREGATION_FIRST,
    "average": bertha_pb2.AGGREGATION_AVERAGE,
    "max": bertha_pb2.AGGREGATION_MAX,
}
POOLINGS = {
    None: bertha_pb2.POOLING_UNSPECIFIED,
    "mean": bertha_pb2.POOLING_MEAN,
    "cls": bertha_pb2.POOLING_CLS,
    "max": bertha_pb2.POOLING_MAX,
    "cls+mean": bertha_pb2.POOLING_CLS_MEAN,
    "last": bertha_pb2.POOLING_LAST,
}

# Options of the methods; Methods documents them.


class CallOptions(TypedDict, total=False):
    timeout: float | None
    request_id: str
    traceparent: str


class ModelOptions(CallOptions, total=False):
    model: str
    version: Version
    priority: Priority


class ClassifyOptions(ModelOptions, total=False):
    top_k: int
    threshold: float
    raw_logits: bool
    truncation: Truncation
    stride: int | None


class TagOptions(ModelOptions, total=False):
    aggregation: Aggregation | None
    threshold: float
    truncation: Truncation
    stride: int | None


class AnswerOptions(ModelOptions, total=False):
    top_k: int
    max_answer_tokens: int
    allow_no_answer: bool
    stride: int | None


class EmbedOptions(ModelOptions, total=False):
    pooling: Pooling | None
    normalize: bool | None
    tokens: bool
    truncation: Truncation
    stride: int | None


class TokenizeOptions(CallOptions, total=False):
    model: str
    version: Version
    truncation: Truncation


class CompareOptions(CallOptions, total=False):
    models: Sequence[str] | None
    tokens: bool
    priority: Priority
    top_k: int
    threshold: float
    raw_logits: bool
    truncation: Truncation
    stride: int | None


class Judged(Protocol):
    """An answer that a person judged; a Result is one."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def label(self) -> str | None: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a call has besides its request. `timeout` None: the client's."""

    timeout: float | None = None
    request_id: str = ""
    traceparent: str = ""

    def __post_init__(self) -> None:
        if self.timeout is not None:
            check_timeout(self.timeout)
        for name in ("request_id", "traceparent"):
            value = getattr(self, name)
            if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]*", value):
                raise ValueError(f"{name} must be a str of visible ASCII characters, not {value!r}")


@dataclass(frozen=True, slots=True)
class Part:
    """One request on the wire: for the inputs from `first` on, `count` of `total`."""

    request: Any
    first: int = 0
    count: int = 1
    total: int = 1

    def locate(self, error: BerthaError) -> BerthaError:
        """The error with the index of the text in the whole list, where the message has one of this request."""
        details, index = error.details(), None
        if found := re.match(r"inputs\[(\d+)\]", details):
            index = self.first + int(found[1])
            details = f"inputs[{index}]{details[found.end() :]}"
        elif self.count < self.total:
            details += f" (of the call with texts {self.first} to {self.first + self.count - 1} of {self.total})"
        return make_error(error.code(), details, **{**error.account(), "index": index})


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """`read`: the results in one response; may raise a BerthaError, which is then the call's. `finish`: makes what the caller
    gets of all results. `policy`: how to try again, instead of the client's and without a budget."""

    rpc: Rpc
    parts: Callable[[], Iterator[Part]]
    read: Callable[[Any, str], list[Any]]
    finish: Callable[[list[Any]], R]
    envelope: Envelope
    idempotent: bool = True
    policy: Retry | None = None
    retried: frozenset[grpc.StatusCode] = RETRIED


# --- the methods ---


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
        options=_classify_options(**options), **_addressee(model, version), **_priority(priority)
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
        aggregation=_choose("aggregation", aggregation, AGGREGATIONS),
        threshold=threshold,
        truncation=_choose("truncation", truncation, TRUNCATIONS),
        stride=stride,
    )
    request = bertha_pb2.TagTokensRequest(options=options, **_addressee(model, version), **_priority(priority))
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
    request = bertha_pb2.AnswerRequest(options=options, **_addressee(model, version), **_priority(priority))
    inputs = _question_inputs(questions, context)
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
        pooling=bertha_pb2.POOLING_NONE if tokens else _choose("pooling", pooling, POOLINGS),
        truncation=_choose("truncation", truncation, TRUNCATIONS),
        **maybe,
    )
    request = bertha_pb2.EmbedRequest(options=options, **_addressee(model, version), **_priority(priority))
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
        truncation=_choose("truncation", truncation, TRUNCATIONS), **_addressee(model, version)
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
        input=_text_input(0, text, pair),
        models=[_model_ref(m) for m in models or ()],
        options=_classify_options(**options),
        tokens=tokens,
        **_priority(priority),
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
        input=_text_input(0, text, pair),
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


# --- what they share ---


class Inputs(Sequence[Any]):
    """Inputs of a request, made one by one as they are sent. `single`: the caller gave one, not a list."""

    def __init__(self, count: int, make: Callable[[int], Any], single: bool) -> None:
        self._count, self._make, self.single = count, make, single

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._make(index)


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


def _single(rpc: Rpc, request: Any, read: Callable[[Any, str], list[Any]], envelope: Envelope, **more: Any) -> Plan[Any]:
    return Plan(rpc, lambda: iter([Part(request)]), read, _first, envelope, **more)


def _first(results: list[Any]) -> Any:
    return results[0]


def _all(results: list[Any]) -> Any:
    return results


def split(prototype: Any, inputs: Sequence[Any]) -> Iterator[Part]:
    """Requests like `prototype` with all inputs, in order: each as many as one call may have."""
    request = _copy(prototype)
    size, first = 0, 0
    for index, item in enumerate(inputs):
        item_size = item.ByteSize()
        if index > first and (index - first == MAX_INPUTS or size + item_size > MAX_BYTES):
            yield Part(request, first, index - first, len(inputs))
            request, size, first = _copy(prototype), 0, index
        request.inputs.append(item)
        size += item_size
    if len(inputs) > first:
        yield Part(request, first, len(inputs) - first, len(inputs))


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _choose(what: str, name: str | None, names: dict[Any, Any]) -> Any:
    if name not in names:
        raise ValueError(f"{what} must be one of {', '.join(str(n) for n in names)}, not {name!r}")
    return names[name]


def _priority(priority: str) -> dict[str, Any]:
    return {"priority": _choose("priority", priority, PRIORITIES)}


def _addressee(model: str, version: Version) -> dict[str, Any]:
    named = {"version_label": version} if isinstance(version, str) else {"version": version}
    return {"model": model, **named}


def _model_ref(name: str) -> bertha_pb2.ModelRef:
    """Of NAME, NAME:VERSION or NAME:LABEL, as the command line takes them."""
    model, _, version = name.partition(":")
    if version.isascii() and version.isdigit():
        return bertha_pb2.ModelRef(name=model, version=int(version))
    return bertha_pb2.ModelRef(name=model, version_label=version)


def _classify_options(
    *,
    top_k: int = 0,
    threshold: float = 0.0,
    raw_logits: bool = False,
    truncation: str = "right",
    stride: int | None = None,
) -> bertha_pb2.ClassifyOptions:
    return bertha_pb2.ClassifyOptions(
        top_k=top_k,
        threshold=threshold,
        raw_logits=raw_logits,
        truncation=_choose("truncation", truncation, TRUNCATIONS),
        stride=stride,
    )


def check_timeout(timeout: float) -> float:
    if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}: every call has a deadline")
    return timeout


def text_inputs(texts: Texts, pairs: Texts | None) -> Inputs:
    if isinstance(texts, str):
        if pairs is not None and not isinstance(pairs, str):
            raise TypeError("pairs must be a str when there is one text")
        return Inputs(1, lambda _: _text_input(0, texts, pairs), single=True)
    first = _str_list("texts", texts)
    if pairs is None:
        return Inputs(len(first), lambda i: _text_input(i, first[i], None), single=False)
    second = [] if isinstance(pairs, str) else _str_list("pairs", pairs)
    if isinstance(pairs, str) or len(second) != len(first):
        raise ValueError(f"pairs must be a list of {len(first)}, one for each text")
    return Inputs(len(first), lambda i: _text_input(i, first[i], second[i]), single=False)


def _question_inputs(questions: Texts, context: Texts) -> Inputs:
    if isinstance(questions, str):
        if not isinstance(context, str):
            raise TypeError("context must be a str when there is one question")
        return Inputs(1, lambda _: _question_input(0, questions, context), single=True)
    asked = _str_list("questions", questions)
    contexts = [context] * len(asked) if isinstance(context, str) else _str_list("context", context)
    if len(contexts) != len(asked):
        raise ValueError(f"context must be a str or a list of {len(asked)}, one for each question")
    return Inputs(len(asked), lambda i: _question_input(i, asked[i], contexts[i]), single=False)


def _str_list(what: str, texts: Iterable[Any]) -> list[str]:
    if isinstance(texts, (bytes, bytearray, dict)):
        raise TypeError(f"{what} must be a str or strs, not {type(texts).__name__}")
    items = list(texts)
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(f"{what}[{index}] must be a str, not {item!r:.60}")
    return items


def _text_input(index: int, text: str, pair: str | None) -> bertha_pb2.TextInput:
    if not isinstance(text, str):
        raise TypeError(f"a text must be a str, not {text!r:.60}")
    try:
        return bertha_pb2.TextInput(text=text, text_pair=pair)
    except ValueError as error:
        raise _not_unicode(index, error, text, pair) from None


def _question_input(index: int, question: str, context: str) -> bertha_pb2.QuestionInput:
    try:
        return bertha_pb2.QuestionInput(question=question, context=context)
    except ValueError as error:
        raise _not_unicode(index, error, question, context) from None


def _not_unicode(index: int, error: ValueError, *texts: str | None) -> ValueError:
    """Half of a surrogate pair is a str, but no text."""
    for text in filter(None, texts):
        try:
            text.encode()
        except UnicodeEncodeError as reason:
            return ValueError(f"text {index} is no valid Unicode: character {reason.start} is {text[reason.start]!a}")
    return error
