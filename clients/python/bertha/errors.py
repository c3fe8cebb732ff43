"""What goes wrong, as exceptions. All are BerthaError, which is a grpc.RpcError."""

from __future__ import annotations

import math
from typing import Any

import grpc

REQUEST_ID = "x-request-id"
PUSHBACK = "grpc-retry-pushback-ms"

_NO_CONNECTION = ("failed to connect", "dns resolution failed")  # how gRPC's own messages begin


class BerthaError(grpc.RpcError):
    """A call that failed. As with every grpc.RpcError, code() and details() say why; str() is one line.

    retry_after: seconds after which the server wants to be asked again; None if it did not say, inf if never.
    index: of the text that is to blame, in the list that was given; None if no one text is.
    request_id: under which the server logged the call; "" if no server answered.
    attempts: how often the call was tried.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        *,
        retry_after: float | None = None,
        index: int | None = None,
        request_id: str = "",
        attempts: int = 1,
    ) -> None:
        tried = f" (after {attempts} attempts)" if attempts > 1 else ""
        super().__init__(f"{code.name}: {details}{tried}")
        self._code = code
        self._details = details
        self.retry_after = retry_after
        self.index = index
        self.request_id = request_id
        self.attempts = attempts

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def account(self) -> dict[str, Any]:
        """What `make_error` takes besides code and details."""
        names = ("retry_after", "index", "request_id", "attempts")
        return {name: getattr(self, name) for name in names}

    def __reduce__(self) -> tuple[Any, ...]:  # an exception with keywords does not pickle by itself
        return _unpickle, (self._code.name, self._details, self.account())


class InvalidRequest(BerthaError):
    """The request is wrong, and will be the next time: a text too long, an option that the model does not take."""


class NotFound(BerthaError):
    """No such model, or no such version of it."""


class NotAllowed(BerthaError):
    """No token, a wrong one, or one that does not allow this."""


class Overloaded(BerthaError):
    """The server has more to do than it can, `retry_after` says when to try again; or, without it, something is too
    large."""


class Unavailable(BerthaError):
    """No server can be reached, or it is starting or shutting down, or its model or database is out of order."""


class DeadlineExceeded(BerthaError):
    """The timeout passed first."""


_CLASSES: dict[grpc.StatusCode, type[BerthaError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}
_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def make_error(code: grpc.StatusCode, details: str, **account: Any) -> BerthaError:
    return _CLASSES.get(code, BerthaError)(code, details, **account)


def amend(error: BerthaError, *, details: str | None = None, **account: Any) -> BerthaError:
    """The error with other details, or another account of itself."""
    said = error.details() if details is None else details
    return make_error(error.code(), said, **{**error.account(), **account})


def _unpickle(name: str, details: str, account: dict[str, Any]) -> BerthaError:
    return make_error(grpc.StatusCode[name], details, **account)


def error_from_wire(code: int, message: str, retry_after_ms: int, *, request_id: str = "") -> BerthaError:
    """Of bertha.v1.Error: one item of a stream, or one model of several."""
    after = retry_after_ms / 1000 if retry_after_ms > 0 else None
    return make_error(
        _BY_NUMBER.get(code, grpc.StatusCode.UNKNOWN), message, retry_after=after, request_id=request_id
    )


def error_from_grpc(error: grpc.RpcError, address: str) -> BerthaError:
    if isinstance(error, BerthaError):
        return error
    call: Any = error  # every error of a call also is that call
    code, details, trailers = call.code(), call.details() or "", metadata_of(call.trailing_metadata())
    if code is grpc.StatusCode.UNAVAILABLE and details.lower().startswith(_NO_CONNECTION):
        why = details.rsplit(": ", 1)[-1]
        details = f"cannot reach berthad at {address}: {why}; start it with scripts/serve or pass address="
    return make_error(
        code, details, retry_after=read_pushback(trailers.get(PUSHBACK)), request_id=trailers.get(REQUEST_ID, "")
    )


def metadata_of(metadata: Any) -> dict[str, str]:
    return {key: value for key, value in metadata or () if isinstance(value, str)}


def read_pushback(value: str | None) -> float | None:
    """Seconds. gRFC A6: what is negative or no number means never."""
    if value is None:
        return None
    return int(value) / 1000 if value.isascii() and value.isdigit() else math.inf
