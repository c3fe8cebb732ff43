"""What Client and AsyncClient are made of besides their methods: settings, retries, the state of a stream."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from bertha import plans
from bertha.connection import Connection, MetadataHook, Pem, Token
from bertha.errors import BerthaError
from bertha.plan import Plan, check_timeout
from bertha.retry import Attempts, Retry, RetryBudget
from bertha.stream import StreamCore


class Blocking:
    """Marks a client whose methods return when the answer is there."""


class Awaiting:
    """Marks a client whose methods are to be awaited."""


Way = TypeVar("Way", Blocking, Awaiting)


class Base(ABC, Generic[Way]):
    """How the methods of a client are run."""

    def __init__(
        self,
        address: str = "localhost:8001",
        *,
        timeout: float = 10.0,
        retry: Retry | None = None,
        max_in_flight: int = 4,
        load_balancing: Literal["pick_first", "round_robin"] = "pick_first",
        tls: bool = False,
        root_certificates: Pem | None = None,
        client_certificate: Pem | None = None,
        client_key: Pem | None = None,
        server_name: str = "",
        token: Token | None = None,
        allow_insecure: bool = False,
        metadata: MetadataHook | None = None,
    ) -> None:
        """The connection is made by the first call.

        timeout: of calls that say nothing else, in seconds.
        retry: how to try again; None: as `Retry()` says.
        max_in_flight: how many calls of one long list go out at the same time.
        load_balancing: round_robin: calls go in turn to all servers behind the name of the address whose health says
        SERVING, e.g. of "dns:///bertha.bertha.svc:8001"; pick_first: to the first that can be reached.
        tls: with the system's root certificates. root_certificates, client_certificate and client_key (PEM: bytes, or
        the path of a file) imply it. server_name: what the server's certificate says, if not the host of the address.
        token: bearer token, or a function that gives one and is asked before each attempt, so that tokens can be
        exchanged; AsyncClient also takes a coroutine function. It is not sent unencrypted to another machine unless
        allow_insecure.
        metadata: a function that gives further metadata for each attempt: metadata("Classify") -> [("key", "value")].
        """
        self.address = address
        self._connection = Connection(
            address=address,
            load_balancing=load_balancing,
            tls=tls,
            root_certificates=root_certificates,
            client_certificate=client_certificate,
            client_key=client_key,
            server_name=server_name,
            token=token,
            allow_insecure=allow_insecure,
            metadata=metadata,
        )
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight must be at least 1, not {max_in_flight}")
        self._timeout = check_timeout(timeout)
        self._retry = retry or Retry()
        self._budget = RetryBudget(self._retry)
        self._max_in_flight = max_in_flight
        self._set_up()

    @abstractmethod
    def _set_up(self) -> None:
        """Makes what differs; connects to nothing."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r}{', tls=True' if self._connection.encrypted else ''})"

    @abstractmethod
    def _run(self, plan: Plan[Any]) -> Any:
        """What the plan gives, now or as an awaitable."""

    def _attempts(self, plan: Plan[Any]) -> Attempts:
        timeout = plan.envelope.timeout or self._timeout
        if plan.policy is not None:
            return Attempts(plan.policy, None, timeout, retried=plan.retried, idempotent=plan.idempotent)
        return Attempts(self._retry, self._budget, timeout, retried=plan.retried, idempotent=plan.idempotent)

    def _stream_core(
        self,
        *,
        ordered: bool,
        in_flight: int,
        on_error: Callable[[int, BerthaError], object] | None,
        timeout: float | None = None,
        **options: Any,
    ) -> StreamCore:
        prototype, envelope = plans.classify_request(timeout=timeout, **options)
        return StreamCore(
            prototype,
            envelope,
            in_flight=in_flight,
            ordered=ordered,
            on_error=on_error,
            new_attempts=lambda: Attempts(self._retry, self._budget, timeout or self._timeout),
            timeout=timeout or self._timeout,
            clock=time.monotonic,
        )
