"""A call as the clients send it. A Plan is the parts of a call, each a request on the wire, and what becomes of their
responses; it knows no transport."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from bertha.connection import Rpc
from bertha.errors import BerthaError, amend
from bertha.retry import RETRIED, Retry

R = TypeVar("R")


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
        return amend(error, details=details, index=index)


@dataclass(frozen=True, slots=True)
class Plan(Generic[R]):
    """`read`: the results in one response; may raise a BerthaError, which is then the call's. `finish`: makes what the
    caller gets of all results. `policy`: how to try again, instead of the client's and without a budget."""

    rpc: Rpc
    parts: Callable[[], Iterator[Part]]
    read: Callable[[Any, str], list[Any]]
    finish: Callable[[list[Any]], R]
    envelope: Envelope
    idempotent: bool = True
    policy: Retry | None = None
    retried: frozenset[grpc.StatusCode] = RETRIED


def check_timeout(timeout: float) -> float:
    if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}: every call has a deadline")
    return timeout
