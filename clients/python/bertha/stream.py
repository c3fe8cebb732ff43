"""The state of a StreamClassify call as its client sees it. Does nothing by itself: the clients move the messages.

An item is taken from the caller's texts, sent, perhaps sent again, answered, and handed out. Between taken and handed
out it counts as in flight, so that neither the server nor the results that wait for their turn can pile up.

A stream that breaks is opened again, and what was not answered is sent again. Not thread-safe: see the clients.
"""

from __future__ import annotations

import collections
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import grpc

from bertha.errors import BerthaError, amend, error_from_wire, make_error
from bertha.inputs import text_inputs
from bertha.plan import Envelope, Part
from bertha.replies import read_result
from bertha.results import Result
from bertha.retry import Attempts, Clock
from bertha.v1 import bertha_pb2

Item = Union[str, "tuple[str, str]"]

_GRACE = 5.0  # seconds that a reply may be late before the stream counts as dead


@dataclass(slots=True)
class _InFlight:
    request: Any
    attempts: Attempts
    sent_at: float | None = None


class StreamCore:
    def __init__(
        self,
        prototype: bertha_pb2.ClassifyRequest,
        envelope: Envelope,
        *,
        in_flight: int,
        ordered: bool,
        on_error: Callable[[int, BerthaError], object] | None,
        new_attempts: Callable[[], Attempts],
        timeout: float,
        clock: Clock,
    ) -> None:
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, not {in_flight}")
        self.envelope = envelope
        self._prototype = prototype
        self._limit = in_flight
        self._ordered = ordered
        self._on_error = on_error
        self._new_attempts = new_attempts
        self._timeout = timeout
        self._clock = clock

        self._taken = 0
        self._handed_out = 0
        self._ended = False  # the texts
        self._items: dict[int, _InFlight] = {}  # not answered
        self._to_send: collections.deque[int] = collections.deque()
        self._delayed: list[tuple[float, int]] = []  # heap: when to send again
        self._answers: dict[int, Result | BerthaError] = {}  # not handed out
        self._stream_attempts: Attempts | None = None  # since the last progress
        self._reading_since: float | None = None

    # --- texts in ---

    def can_take(self) -> bool:
        return self._taken - self._handed_out < self._limit

    def take(self, item: Item) -> None:
        if isinstance(item, str):
            inputs: Sequence[Any] = text_inputs(item, None)
        elif isinstance(item, tuple) and len(item) == 2:
            inputs = text_inputs(*item)
        else:
            raise TypeError(f"text {self._taken} must be a str or a pair of them, not {item!r:.60}")
        request = type(self._prototype)()
        request.CopyFrom(self._prototype)
        request.inputs.append(inputs[0])
        self._items[self._taken] = _InFlight(request, self._new_attempts())
        self._to_send.append(self._taken)
        self._taken += 1

    def end(self) -> None:
        """There are no more texts."""
        self._ended = True

    @property
    def idle(self) -> bool:
        """Nothing to send or to wait for now."""
        return not self._items

    @property
    def done(self) -> bool:
        return self._ended and not self._items

    # --- requests out ---

    def next_request(self) -> bertha_pb2.StreamClassifyRequest | None:
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            self._to_send.append(heapq.heappop(self._delayed)[1])
        if not self._to_send:
            return None
        index = self._to_send.popleft()
        item = self._items[index]
        item.sent_at = now
        timeout_ms = max(1, min(round(item.attempts.remaining() * 1000), 2**32 - 1))
        return bertha_pb2.StreamClassifyRequest(id=index, request=item.request, timeout_ms=timeout_ms)

    def patience(self) -> float | None:
        """Seconds after which next_request or overdue may say something new; None: not by time."""
        times = [self._delayed[0][0]] if self._delayed else []
        if (oldest := self._oldest()) is not None:
            times.append(oldest + self._timeout + _GRACE)
        return max(0.0, min(times) - self._clock()) if times else None

    def overdue(self) -> bool:
        """A reply should have come long ago: the server answers every item in its time, if only with an error."""
        oldest = self._oldest()
        return oldest is not None and self._clock() >= oldest + self._timeout + _GRACE

    def _oldest(self) -> float | None:
        """Since when the reply to an item is waited for. Nobody waits while the caller does something else."""
        sent = [item.sent_at for item in self._items.values() if item.sent_at is not None]
        return max(min(sent), self._reading_since) if sent and self._reading_since is not None else None

    # --- replies in ---

    def begin_reading(self) -> None:
        self._reading_since = self._clock()

    def on_reply(self, reply: bertha_pb2.StreamClassifyResponse, request_id: str) -> None:
        self._reading_since = None
        item = self._items.get(reply.id)
        if item is None:
            return
        self._stream_attempts = None
        if reply.HasField("response"):
            response = reply.response
            self._answer(reply.id, read_result(response.results[0], response.model, request_id))
            return
        error = error_from_wire(
            reply.error.code, reply.error.message, reply.error.retry_after_ms, request_id=request_id
        )
        delay = item.attempts.delay_after(error)
        if delay is None:
            self._answer(reply.id, _locate(reply.id, error, item.attempts.made))
        else:
            item.sent_at = None
            heapq.heappush(self._delayed, (self._clock() + delay, reply.id))

    def _answer(self, index: int, answer: Result | BerthaError) -> None:
        del self._items[index]
        self._answers[index] = answer

    def on_broken(self, error: BerthaError | None) -> float:
        """The stream ended with items unanswered. Seconds until the next may be opened, or raises the error."""
        self._reading_since = None
        if error is None:
            error = make_error(grpc.StatusCode.UNAVAILABLE, "the server ended the stream before all was answered")
        if self._stream_attempts is None:
            self._stream_attempts = self._new_attempts()
        delay = self._stream_attempts.delay_after(error)
        if delay is None:
            raise amend(error, attempts=self._stream_attempts.made)
        waiting = {index for _, index in self._delayed}
        self._to_send = collections.deque(sorted(set(self._items) - waiting))
        for item in self._items.values():
            item.sent_at = None
        return delay

    def stuck(self) -> BerthaError:
        return make_error(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"no reply on the stream within {self._timeout + _GRACE:g} s"
        )

    # --- results out ---

    def pop(self) -> tuple[int, Result] | None:
        """The next result for the caller, with its index. Raises the error of an item that has none."""
        while self._answers:
            index = self._handed_out if self._ordered else next(iter(self._answers))
            if index not in self._answers:
                return None
            answer = self._answers.pop(index)
            self._handed_out += 1
            if isinstance(answer, Result):
                return index, answer
            if self._on_error is None:
                raise answer
            self._on_error(index, answer)
        return None

    def shape(self, index: int, result: Result) -> Any:
        return result if self._ordered else (index, result)


def _locate(index: int, error: BerthaError, attempts: int) -> BerthaError:
    return amend(Part(None, first=index).locate(error), index=index, attempts=attempts)
