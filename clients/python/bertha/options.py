"""What the methods take: the types of their options, for callers and their type checkers. Methods documents them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, Union

if TYPE_CHECKING:
    from bertha.errors import BerthaError

Priority = Literal["high", "normal", "batch"]
Truncation = Literal["right", "left", "error", "window"]
Aggregation = Literal["none", "simple", "first", "average", "max"]
Pooling = Literal["mean", "cls", "max", "cls+mean", "last"]
Version = Union[int, str]
Texts = Union[str, Iterable[str]]


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


class StreamOptions(ClassifyOptions, total=False):
    in_flight: int
    on_error: Callable[[int, BerthaError], object] | None


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
