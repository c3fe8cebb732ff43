"""Whether a failed call is tried again, and when. Knows no transport: the clients send and wait.

gRPC's own retries (service config) are not used, since they cannot tell what this can: RESOURCE_EXHAUSTED with the
`grpc-retry-pushback-ms` trailer is a full queue, without it a message that is too large and always will be, but gRPC
tries both again. A vote may be sent again only if the server says that it did not take it. Nor does gRPC's throttling
allow for the few retries of a client that makes few calls. What gRPC does stay in charge of are its transparent
retries: of calls that never left, or that the server certainly did not see.

The design is that of gRFC A6 (retries and their throttling) and of Finagle's retry budgets.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from bertha.errors import BerthaError

RETRIED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How a client tries again. `Retry(attempts=1)`: never.

    attempts: of one call, the first included.
    initial_backoff, max_backoff: seconds; before retry n a random part of initial_backoff * 2**(n - 1), at most
    max_backoff ("full jitter"). If the server says when to come back, that comes on top.
    budget_ratio, budget_per_second, budget_burst: all calls of a client together may be followed by as many retries as
    budget_ratio of their number, and budget_per_second more, so that a broken server is not hammered. What is not used
    is kept, up to budget_burst retries. A server that restarts fails all calls in flight at once: fewer than these are
    in the burst, and some are not tried again.
    """

    attempts: int = 5
    initial_backoff: float = 0.05
    max_backoff: float = 1.0
    budget_ratio: float = 0.1
    budget_per_second: float = 1.0
    budget_burst: int = 20

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, the first, not {self.attempts}")
        for name in ("initial_backoff", "max_backoff", "budget_ratio", "budget_per_second", "budget_burst"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")


class RetryBudget:
    """A token bucket; a retry takes a token. Thread-safe: the calls of a client share it."""

    def __init__(self, policy: Retry, clock: Clock = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(policy.budget_burst)
        self._filled = clock()

    def note_call(self) -> None:
        """A call begins, which earns a part of a token."""
        with self._lock:
            self._fill(self._policy.budget_ratio)

    def try_spend(self) -> bool:
        with self._lock:
            self._fill(0.0)
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def _fill(self, tokens: float) -> None:
        now = self._clock()
        tokens += (now - self._filled) * self._policy.budget_per_second
        self._filled = now
        self._tokens = min(self._policy.budget_burst, self._tokens + tokens)


class Attempts:
    """The attempts of one call: one object for each call, on one thread. `timeout`: seconds for all of them."""

    def __init__(
        self,
        policy: Retry,
        budget: RetryBudget | None,
        timeout: float,
        *,
        retried: frozenset[grpc.StatusCode] = RETRIED,
        idempotent: bool = True,
        clock: Clock = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """No `budget`: as many as the policy allows. Not `idempotent`: only if the server said when to come back, and
        by that, that it did nothing."""
        self._policy, self._budget = policy, budget
        self._retried, self._idempotent = retried, idempotent
        self._clock, self._jitter = clock, jitter
        self._deadline = clock() + timeout
        self.made = 1
        if budget is not None:
            budget.note_call()

    def remaining(self) -> float:
        """Seconds for the next attempt. Never 0 or less, which gRPC takes for a mistake; it ends at once then."""
        return max(self._deadline - self._clock(), 1e-3)

    def delay_after(self, error: BerthaError) -> float | None:
        """Seconds to wait before the next attempt; None: there is none."""
        if self.made >= self._policy.attempts or not self._may_retry(error):
            return None
        # Not from initial_backoff again after a pushback: attempts are few, and many clients were told the same time.
        backoff = min(self._policy.max_backoff, self._policy.initial_backoff * 2.0 ** min(self.made - 1, 30))
        delay = (error.retry_after or 0.0) + backoff * self._jitter()
        if self._clock() + delay >= self._deadline:
            return None  # the caller learns now why, instead of later that time is up
        if self._budget is not None and not self._budget.try_spend():
            return None
        self.made += 1
        return delay

    def _may_retry(self, error: BerthaError) -> bool:
        if error.code() not in self._retried:
            return False
        told = error.retry_after is not None
        return told or (self._idempotent and error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED)
