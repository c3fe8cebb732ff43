"""The asynchronous client, for asyncio.

Belongs to the event loop of its first call. Cancelling a task that awaits a call, or leaving a stream, cancels it on
the server too, which then does not compute what still waits. Not thread-safe, and as little fork-safe as Client.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Union, overload

import grpc
import grpc.aio

from bertha.base import Awaiting
from bertha.connection import RPCS, Rpc
from bertha.errors import REQUEST_ID, BerthaError, amend, error_from_grpc, make_error, metadata_of
from bertha.methods import Methods
from bertha.plan import Envelope, Part, Plan
from bertha.stream import Item, StreamCore

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from bertha.options import ClassifyOptions, StreamOptions
    from bertha.results import Result

Items = Union[Iterable[Item], AsyncIterable[Item]]


class AsyncClient(Methods[Awaiting]):
    """Talks to a berthad: the methods of Client, to be awaited.

    >>> async with AsyncClient() as client:
    ...     print((await client.classify("I love it")).label)
    """

    def _set_up(self) -> None:
        self._closed = False
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # in which it connected

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels what is in flight. The client cannot be used afterwards."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    @overload
    def classify_stream(
        self, texts: Items, *, ordered: Literal[True] = True, **options: Unpack[StreamOptions]
    ) -> AsyncGenerator[Result, None]: ...
    @overload
    def classify_stream(
        self, texts: Items, *, ordered: Literal[False], **options: Unpack[StreamOptions]
    ) -> AsyncGenerator[tuple[int, Result], None]: ...

    def classify_stream(
        self,
        texts: Items,
        *,
        ordered: bool = True,
        in_flight: int = 64,
        on_error: Callable[[int, BerthaError], object] | None = None,
        **options: Unpack[ClassifyOptions],
    ) -> AsyncGenerator[Any, None]:
        """As Client.classify_stream; the texts may come from an asynchronous iterable too. Leave it before its end with
        `contextlib.aclosing`, so that it is cancelled at once and not when the garbage is collected."""
        core = self._stream_core(ordered=ordered, in_flight=in_flight, on_error=on_error, **options)
        return _StreamRun(self, core, texts).results()

    def _connected(self) -> grpc.aio.Channel:
        if self._closed:
            raise ValueError("this client is closed")
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._channel = self._connection.open(grpc.aio.insecure_channel, grpc.aio.secure_channel)
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("this client is in use by another event loop: make one in each")
        return self._channel

    async def _run(self, plan: Plan[Any]) -> Any:
        parts = plan.parts()
        first = list(itertools.islice(parts, 2))
        if len(first) < 2:
            return plan.finish([result for part in first for result in await self._attempt(plan, part)])
        return plan.finish(await self._run_many(plan, itertools.chain(first, parts)))

    async def _run_many(self, plan: Plan[Any], parts: Iterator[Part]) -> list[Any]:
        """All parts, a few at a time; the error is that of the first part that has one."""
        results: list[Any] = []
        pending: collections.deque[asyncio.Task[list[Any]]] = collections.deque()
        try:
            for part in parts:
                if len(pending) == self._max_in_flight:
                    results += await pending[0]
                    pending.popleft()
                pending.append(asyncio.create_task(self._attempt(plan, part)))
            while pending:
                results += await pending[0]
                pending.popleft()
        finally:
            await _cancel(*pending)
        return results

    async def _attempt(self, plan: Plan[Any], part: Part) -> list[Any]:
        """The results of a part, after as many attempts as it takes."""
        attempts = self._attempts(plan)
        while True:
            method = self._connected().unary_unary(plan.rpc.path, plan.rpc.serialize, plan.rpc.deserialize)
            metadata = await self._metadata(plan.rpc, plan.envelope)
            try:
                call: Any = method(part.request, timeout=attempts.remaining(), metadata=metadata)
                response = await call
                return plan.read(response, metadata_of(await call.trailing_metadata()).get(REQUEST_ID, ""))
            except grpc.RpcError as raised:
                error = error_from_grpc(raised, self.address)
            made, delay = attempts.made, attempts.delay_after(error)
            if delay is None:
                raise part.locate(amend(error, attempts=made))
            await asyncio.sleep(delay)

    async def _metadata(self, rpc: Rpc, envelope: Envelope) -> tuple[tuple[str, str], ...]:
        token: Any = self._connection.token
        token = token() if callable(token) else token
        if inspect.isawaitable(token):
            token = await token
        return self._connection.call_metadata(rpc, token, envelope.request_id, envelope.traceparent)


_PAUSE = 0.1  # seconds


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Returns when they have ended, whatever the outcome."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _StreamRun:
    """One classify_stream. Three tasks: one takes the texts, one sends, and the caller's reads and hands out."""

    def __init__(self, client: AsyncClient, core: StreamCore, texts: Items) -> None:
        self._client, self._core, self._texts = client, core, texts
        self._waiting: list[asyncio.Future[None]] = []
        self._failure: BaseException | None = None  # of the texts
        self._stuck = False
        self._masked = False  # why the last stream ended

    async def results(self) -> AsyncGenerator[Any, None]:
        feeder = asyncio.create_task(self._feed())
        try:
            while await self._wait_for_work():
                async with contextlib.aclosing(self._one_stream()) as results:
                    async for result in results:
                        yield result
            if self._failure is not None:
                raise self._failure
        finally:
            await _cancel(feeder)

    async def _wait_for_work(self) -> bool:
        while self._core.idle and not self._core.done:
            await self._wait(None)
        return not self._core.done

    async def _wait(self, seconds: float | None) -> None:
        """Until something changes; whoever changes something wakes all. Waits from now on, not from the loop's next
        round."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await asyncio.wait([waiting], timeout=seconds)

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def _one_stream(self) -> AsyncGenerator[Any, None]:
        """Until all is answered, or the stream breaks; then returns when it is time for the next."""
        rpc, envelope = RPCS["StreamClassify"], self._core.envelope
        open_stream = self._client._connected().stream_stream(rpc.path, rpc.serialize, rpc.deserialize)
        call: Any = open_stream(metadata=await self._client._metadata(rpc, envelope))
        sender = asyncio.create_task(self._send(call))
        try:
            while True:
                reply, error = await self._read(call)
                if reply is None:
                    break
                self._core.on_reply(reply, envelope.request_id)
                while (item := self._core.pop()) is not None:
                    self._wake()
                    yield self._core.shape(*item)
                self._wake()
        finally:
            call.cancel()
            await _cancel(sender)
        if self._core.done:
            return
        if self._stuck:
            raise self._core.stuck()
        await asyncio.sleep(self._core.on_broken(error))

    async def _read(self, call: Any) -> tuple[Any, BerthaError | None]:
        """The next reply; None, and perhaps why, if there are no more."""
        self._core.begin_reading()
        self._wake()
        try:
            reply = await call.read()
            if reply is not grpc.aio.EOF:
                self._masked = False
                return reply, None
            code, details = await call.code(), await call.details()
            return None, None if code is grpc.StatusCode.OK else self._unmask(make_error(code, details))
        except grpc.RpcError as error:
            return None, self._unmask(error_from_grpc(error, self._client.address))
        except asyncio.CancelledError:
            if not self._stuck:
                raise
            return None, None  # by us, not by the caller

    def _unmask(self, error: BerthaError) -> BerthaError:
        """grpc.aio may say INTERNAL of a stream that the server ended during a write, in place of the server's
        status."""
        internal = error.code() is grpc.StatusCode.INTERNAL
        self._masked = internal and error.details().startswith("Internal error from Core")
        if not self._masked:
            return error
        return make_error(grpc.StatusCode.UNAVAILABLE, "the server ended the stream")

    async def _send(self, call: Any) -> None:
        """What becomes ready; the stream is half closed when all is answered."""
        # A stream that has ended takes no more: its reader knows, and why.
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
            if self._masked:
                await self._probe(call)
            while not self._core.done:
                if (request := self._core.next_request()) is not None:
                    await call.write(request)
                elif self._core.overdue():
                    self._stuck = True
                    call.cancel()
                    return
                else:
                    await self._wait(self._core.patience())
            await call.done_writing()

    async def _probe(self, call: Any) -> None:
        """After a masked status: nothing is being written when the server ends the stream again, so that it can say
        why."""
        await asyncio.sleep(_PAUSE)
        if (request := self._core.next_request()) is None:
            return
        await call.write(request)
        await asyncio.sleep(_PAUSE)

    async def _feed(self) -> None:
        try:
            if isinstance(self._texts, AsyncIterable):
                async for text in self._texts:
                    await self._take(text)
            else:
                for text in self._texts:
                    await self._take(text)
        except Exception as error:  # of the caller's iterator: raised where its results are taken
            self._failure = error
        self._core.end()
        self._wake()

    async def _take(self, text: Item) -> None:
        while not self._core.can_take():
            await self._wait(None)
        self._core.take(text)
        self._wake()
