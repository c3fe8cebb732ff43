"""The texts of a call: checked at once, made into messages one by one as they are sent, and split into as many calls as
they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from bertha.options import Texts
from bertha.plan import Part
from bertha.v1 import bertha_pb2

MAX_INPUTS = 256  # of one call: the server's default limit
MAX_BYTES = 1 << 20  # of one call with several texts: well below gRPC's message limit


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


def text_inputs(texts: Texts, pairs: Texts | None) -> Inputs:
    if isinstance(texts, str):
        if pairs is not None and not isinstance(pairs, str):
            raise TypeError("pairs must be a str when there is one text")
        return Inputs(1, lambda _: text_input(0, texts, pairs), single=True)
    first = _str_list("texts", texts)
    if pairs is None:
        return Inputs(len(first), lambda i: text_input(i, first[i], None), single=False)
    second = [] if isinstance(pairs, str) else _str_list("pairs", pairs)
    if isinstance(pairs, str) or len(second) != len(first):
        raise ValueError(f"pairs must be a list of {len(first)}, one for each text")
    return Inputs(len(first), lambda i: text_input(i, first[i], second[i]), single=False)


def question_inputs(questions: Texts, context: Texts) -> Inputs:
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


def text_input(index: int, text: str, pair: str | None) -> bertha_pb2.TextInput:
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
