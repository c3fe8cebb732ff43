"""The synchronous client.

Thread-safe: threads may share a Client, as they may share a gRPC channel. Not fork-safe, as gRPC is not: make a Client
in each process; one that was made before os.fork() but not used yet is as good as new.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, overload

import grpc

from bertha.base import Blocking
from bertha.connection import RPCS, Rpc
from bertha.errors import REQUEST_ID, BerthaError, amend, error_from_grpc, metadata_of
from bertha.methods import Methods
from bertha.plan import Envelope, Part, Plan
from bertha.retry import Attempts
from bertha.stream import Item, StreamCore

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from bertha.options import ClassifyOptions, StreamOptions
    from bertha.results import Result

__all__ = ["BerthaError", "Client"]


class Client(Methods[Blocking]):
    """Talks to a berthad.

    >>> with Client() as client:
    ...     print(client.classify("I love it").label)
    """

    def _set_up(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._channel: grpc.Channel | None = None
        self._pid = 0  # of the process that connected

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what is in flight. The client cannot be used afterwards."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()

    @overload
    def classify_stream(
        self, texts: Iterable[Item], *, ordered: Literal[True] = True, **options: Unpack[StreamOptions]
    ) -> Generator[Result, None, None]: ...
    @overload
    def classify_stream(
        self, texts: Iterable[Item], *, ordered: Literal[False], **options: Unpack[StreamOptions]
    ) -> Generator[tuple[int, Result], None, None]: ...

    def classify_stream(
        self,
        texts: Iterable[Item],
        *,
        ordered: bool = True,
        in_flight: int = 64,
        on_error: Callable[[int, BerthaError], object] | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> Generator[Any, None, None]:
        """Results of texts that need not exist yet: taken from the iterable one by one, by a thread of their own, as
        fast as results are taken from here. An item is a text, or a pair of texts.

        ordered: results in the order of the texts; else (index, result) as they come.
        in_flight: how many texts may be taken whose result was not; the server may allow fewer.
        on_error: called with the index and the error of a text that has no result; the others go on. By default it is
        raised.
        timeout: of each text. The stream as a whole has no deadline. A stream that breaks is opened again, and what was
        not answered is sent again.
        The others: as for `classify`.
        """
        core = self._stream_core(ordered=ordered, in_flight=in_flight, on_error=on_error, **options)
        return _StreamRun(self, core, iter(texts)).results()

    def _connected(self) -> grpc.Channel:
        with self._lock:
            if self._closed:
                raise ValueError("this client is closed")
            if self._channel is None:
                self._channel = self._connection.open(grpc.insecure_channel, grpc.secure_channel)
                self._pid = os.getpid()
            if self._pid != os.getpid():
                raise RuntimeError("this client was in use before os.fork(): make one in each process")
            return self._channel

    def _run(self, plan: Plan[Any]) -> Any:
        parts = plan.parts()
        first = list(itertools.islice(parts, 2))
        if len(first) < 2:
            return plan.finish([result for part in first for result in self._attempt(plan, part, None)])
        return plan.finish(self._run_many(plan, itertools.chain(first, parts)))

    def _run_many(self, plan: Plan[Any], parts: Iterator[Part]) -> list[Any]:
        """All parts, a few at a time; the error is that of the first part that has one."""
        results: list[Any] = []
        pending: collections.deque[Future[list[Any]]] = collections.deque()
        flight = _Flight()
        with ThreadPoolExecutor(self._max_in_flight, thread_name_prefix="bertha") as pool:
            try:
                for part in parts:
                    if len(pending) == self._max_in_flight:
                        results += pending.popleft().result()
                    pending.append(pool.submit(self._attempt, plan, part, flight))
                while pending:
                    results += pending.popleft().result()
            except BaseException:
                flight.cancel()
                raise
        return results

    def _attempt(self, plan: Plan[Any], part: Part, flight: _Flight | None) -> list[Any]:
        """The results of a part, after as many attempts as it takes. `flight`: what to be cancelled with."""
        attempts = self._attempts(plan)
        while True:
            try:
                response, call = self._send(plan.rpc, part.request, plan.envelope, attempts, flight)
                return plan.read(response, metadata_of(call.trailing_metadata()).get(REQUEST_ID, ""))
            except grpc.RpcError as raised:
                error = error_from_grpc(raised, self.address)
            # Outside the handler: the original repeats all of it in ten lines, and would be printed first.
            made, delay = attempts.made, attempts.delay_after(error)
            if delay is None or (flight is not None and flight.cancelled.is_set()):
                raise part.locate(amend(error, attempts=made))
            flight.cancelled.wait(delay) if flight is not None else time.sleep(delay)

    def _send(
        self, rpc: Rpc, request: Any, envelope: Envelope, attempts: Attempts, flight: _Flight | None
    ) -> tuple[Any, Any]:
        """The response and its call."""
        method = self._connected().unary_unary(rpc.path, rpc.serialize, rpc.deserialize)
        metadata = self._metadata(rpc, envelope)
        if flight is None:
            return method.with_call(request, timeout=attempts.remaining(), metadata=metadata)
        with flight.holding(method.future(request, timeout=attempts.remaining(), metadata=metadata)) as call:
            return call.result(), call

    def _metadata(self, rpc: Rpc, envelope: Envelope) -> tuple[tuple[str, str], ...]:
        token: Any = self._connection.token
        token = token() if callable(token) else token
        return self._connection.call_metadata(rpc, token, envelope.request_id, envelope.traceparent)


class _Flight:
    """Calls that are cancelled together."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        self._calls: set[Any] = set()

    @contextlib.contextmanager
    def holding(self, call: Any) -> Generator[Any, None, None]:
        with self._lock:
            self._calls.add(call)
        if self.cancelled.is_set():
            call.cancel()
        try:
            yield call
        finally:
            with self._lock:
                self._calls.discard(call)

    def cancel(self) -> None:
        self.cancelled.set()
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()


class _StreamRun:
    """One classify_stream. Three threads: one takes the texts, gRPC's sends, and the caller's reads and hands out."""

    def __init__(self, client: Client, core: StreamCore, texts: Iterator[Item]) -> None:
        self._client, self._core, self._texts = client, core, texts
        self._changed = threading.Condition()  # guards all below, and the core
        self._closed = False
        self._failure: BaseException | None = None  # of the texts
        self._call: Any = None
        self._stuck = False

    def results(self) -> Generator[Any, None, None]:
        threading.Thread(target=self._feed, name="bertha texts", daemon=True).start()
        try:
            while self._wait_for_work():
                yield from self._one_stream()
            if self._failure is not None:
                raise self._failure
        finally:
            self._close()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._core.done or not self._core.idle)
            return not self._core.done

    def _one_stream(self) -> Generator[Any, None, None]:
        """Until all is answered, or the stream breaks; then returns when it is time for the next."""
        rpc, envelope = RPCS["StreamClassify"], self._core.envelope
        open_stream = self._client._connected().stream_stream(rpc.path, rpc.serialize, rpc.deserialize)
        ended = threading.Event()
        call = open_stream(self._requests(ended), metadata=self._client._metadata(rpc, envelope))
        with self._changed:
            self._call = call
        try:
            while True:
                reply, error = self._read(call)
                if reply is None:
                    break
                yield from self._hand_out(reply, envelope.request_id)
        finally:
            ended.set()
            call.cancel()
            with self._changed:
                self._changed.notify_all()
        with self._changed:
            if self._core.done:
                return
            if self._stuck:
                raise self._core.stuck()
            delay = self._core.on_broken(error)
        time.sleep(delay)

    def _read(self, call: Any) -> tuple[Any, BerthaError | None]:
        """The next reply; None, and perhaps why, if there are no more."""
        with self._changed:
            self._core.begin_reading()
            self._changed.notify_all()
        try:
            return next(call, None), None
        except grpc.RpcError as error:
            return None, error_from_grpc(error, self._client.address)

    def _hand_out(self, reply: Any, request_id: str) -> Generator[Any, None, None]:
        with self._changed:
            self._core.on_reply(reply, request_id)
        while True:
            with self._changed:
                item = self._core.pop()
                self._changed.notify_all()
            if item is None:
                return
            yield self._core.shape(*item)

    def _feed(self) -> None:
        """Takes the texts. Ends late if they do: nobody can interrupt the iterator of the caller."""
        failure: BaseException | None = None
        try:
            for text in self._texts:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._core.can_take())
                    if self._closed:
                        return
                    self._core.take(text)
                    self._changed.notify_all()
        except BaseException as error:  # of the caller's iterator: raised where its results are taken
            failure = error
        with self._changed:
            self._failure = failure
            self._core.end()
            self._changed.notify_all()

    def _requests(self, ended: threading.Event) -> Generator[Any, None, None]:
        """What gRPC's thread sends, as it becomes ready; the stream is half closed when all is answered."""
        while (request := self._next_request(ended)) is not None:
            yield request

    def _next_request(self, ended: threading.Event) -> Any:
        with self._changed:
            while not (ended.is_set() or self._closed or self._core.done):
                if (request := self._core.next_request()) is not None:
                    return request
                if self._core.overdue():
                    self._stuck = True
                    self._call.cancel()
                    return None
                self._changed.wait(self._core.patience())
            return None

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            if self._call is not None:
                self._call.cancel()
            self._changed.notify_all()
