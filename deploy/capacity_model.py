"""What deploy/capacity computes: the latency of one pod over its rate, and how many pods that makes. No files."""

from __future__ import annotations

import dataclasses
import fractions
import itertools
import math
from collections.abc import Sequence
from typing import Any

NETWORK_SHARE = 0.8  # of a network interface that calls may fill: above it queues form outside of the server
MAX_CONNECTIONS = 16_384  # limits.max_connections of a pod


class Impossible(Exception):
    """No number of pods keeps the objective; says why, and what to change."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One pod at one rate. None: not known."""

    rate: float  # calls a second
    p50_ms: float
    p99_ms: float
    mean_ms: float
    queue_ms: float | None  # mean wait for a worker
    busy: float | None  # share of the time in which its workers compute
    batch: float | None  # mean size
    calls: float = 1  # that it was seen with


RISING = ("p50_ms", "p99_ms", "mean_ms", "queue_ms", "busy", "batch")


def never_falling(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest values that never fall: neighbours that do are replaced by their mean (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights):
        count = 1
        while pools and pools[-1][0] > value:
            mean, other, more = pools.pop()
            value, weight, count = (mean * other + value * weight) / (other + weight), weight + other, count + more
        pools.append((value, weight, count))
    return [value for value, _, count in pools for _ in range(count)]


def merged(points: Sequence[Point]) -> Point:
    """Points of one rate, each counting by its calls."""
    calls = sum(p.calls for p in points)

    def mean(name: str) -> float | None:
        known = [(getattr(p, name), p.calls) for p in points if getattr(p, name) is not None]
        return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None

    means: dict[str, Any] = {name: mean(name) for name in RISING}
    return Point(points[0].rate, **means, calls=calls)


class Curve:
    """Latency of one pod over its rate, linear between points, up to the last one. More load makes no call faster:
    where a measurement or simulation says so it is noise, and evened out. `capacity`: the most calls a second."""

    def __init__(self, points: Sequence[Point], capacity: float):
        by_rate = itertools.groupby(sorted(points, key=lambda p: p.rate), key=lambda p: p.rate)
        apart = [merged(list(group)) for _, group in by_rate]
        if not apart:
            raise ValueError("no rate was measured or simulated")
        weights = [p.calls for p in apart]
        for name in RISING:
            values = [getattr(p, name) for p in apart]
            if None not in values:
                apart = [dataclasses.replace(p, **{name: v}) for p, v in zip(apart, never_falling(values, weights))]
        self.points, self.capacity = apart, capacity

    def limit(self, p99_ms: float) -> float:
        """The highest rate whose p99 is within that; 0: none is."""
        if self.points[0].p99_ms > p99_ms:
            return 0
        for low, high in itertools.pairwise(self.points):
            if high.p99_ms > p99_ms:
                return low.rate + (p99_ms - low.p99_ms) / (high.p99_ms - low.p99_ms) * (high.rate - low.rate)
        return self.points[-1].rate

    def at(self, rate: float) -> Point:
        """Below the first point all is as there."""
        if rate > self.points[-1].rate * (1 + 1e-9):
            raise ValueError(f"{rate:g} calls/s are more than {self.points[-1].rate:g}, the most that is known of")
        if rate <= self.points[0].rate:
            return dataclasses.replace(self.points[0], rate=rate)
        low, high = next((a, b) for a, b in itertools.pairwise(self.points) if rate <= b.rate * (1 + 1e-9))
        part = (rate - low.rate) / (high.rate - low.rate)

        def between(name: str) -> float | None:
            a, b = getattr(low, name), getattr(high, name)
            return None if a is None or b is None else a + part * (b - a)

        values: dict[str, Any] = {name: between(name) for name in RISING}
        return Point(rate, **values)

    def faster(self, factor: float) -> Curve:
        """Of a pod that does everything in so much less time."""
        def scaled(p: Point) -> Point:
            queue = None if p.queue_ms is None else p.queue_ms / factor
            return dataclasses.replace(p, rate=p.rate * factor, p50_ms=p.p50_ms / factor, p99_ms=p.p99_ms / factor,
                                       mean_ms=p.mean_ms / factor, queue_ms=queue)

        return Curve([scaled(p) for p in self.points], self.capacity * factor)


def speed_of(curve: Curve, measured: float, p99_ms: float) -> float:
    """How many times as fast a pod must be taken to have just the capacity that was measured for this p99."""
    low, high = 1e-3, 1e3
    if high * curve.limit(p99_ms * high) < measured:
        raise ValueError(f"{measured:g} calls/s are over 1000 times what the cost table allows: another model?")
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if middle * curve.limit(p99_ms * middle) < measured else (low, middle)
    return high


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """Of a fleet, beside the curve of its pods."""

    p99_ms: float  # at the client
    network_ms: float = 1  # of these on the way, there and back
    lose: int | fractions.Fraction = 1  # pods, or a share of them, that may be missing at the worst moment
    imbalance: float = 0.1  # by how much the busiest pod's rate is above the mean
    growth: float = 0.1  # of the rate in a minute
    reaction_s: float = 180  # until pods that the growth calls for have their share
    cores: float = 1  # of a pod
    gpus: int = 0
    clients: int = 100  # processes, each with a connection to every pod
    bytes_in: float = 500  # of a call on the wire, headers included
    bytes_out: float = 500
    nic_gbit: float = 10  # of a pod, each way
    price: float | None = None  # of a pod for an hour

    @property
    def peak(self) -> float:
        """The rate by the wanted one when the autoscaler has caught up."""
        return 1 + self.growth * self.reaction_s / 60

    @property
    def bytes(self) -> float:
        """Of the busier direction."""
        return max(self.bytes_in, self.bytes_out)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A fleet for a rate. What is of a pod is of the mean one in normal times, if nothing else is said."""

    rate: float
    pods: int
    cores: float
    gpus: int
    per_pod: float  # calls a second
    utilization: float  # of the pod's capacity
    busy: float | None
    p50_ms: float  # at the client, of the busiest pod
    p99_ms: float  # likewise
    worst_p99_ms: float  # likewise, at the peak with pods missing
    in_flight: float  # calls: the target of the autoscaler
    queue_ms: float | None  # mean wait for a worker: its other target
    gbit: float  # of the busiest pod at the peak with pods missing, in the busier direction
    connections: int  # of a pod
    per_hour: float | None
    per_million: float | None  # calls


def usable(curve: Curve, assume: Assumptions) -> tuple[float, str]:
    """Calls a second that a pod may get at the worst moment, and what bounds them: "latency", "network", or "known" if
    nothing is known of higher rates."""
    if assume.clients > MAX_CONNECTIONS:
        raise Impossible(f"{assume.clients} clients with a connection to each pod are more than limits.max_connections "
                         f"({MAX_CONNECTIONS}): let clients share processes, or put a proxy that speaks HTTP/2 between")
    by_latency = curve.limit(assume.p99_ms - assume.network_ms)
    if by_latency == 0:
        first = curve.points[0]
        raise Impossible(f"p99 {assume.p99_ms:g} ms is impossible with such pods, however many: even at "
                         f"{first.rate:.3g} calls/s one has {first.p99_ms:.3g} ms, and the network takes "
                         f"{assume.network_ms:g} ms. Faster cores, more threads for a pass, a smaller numeric type or "
                         "shorter texts would help")
    by_network = NETWORK_SHARE * assume.nic_gbit * 1e9 / 8 / assume.bytes
    if by_network < by_latency:
        return by_network, "network"
    last = curve.points[-1]
    return by_latency, "known" if last.p99_ms < assume.p99_ms - assume.network_ms else "latency"


def pods_with_loss(needed: int, lose: int | fractions.Fraction) -> int:
    """The fewest of which `needed` are left; a share that is lost is rounded up to whole pods."""
    return needed + lose if isinstance(lose, int) else math.ceil(needed / (1 - lose))


def plan(curve: Curve, assume: Assumptions, rate: float) -> Plan:
    """Raises Impossible."""
    limit, _ = usable(curve, assume)
    busiest = 1 + assume.imbalance
    needed = max(1, math.ceil(rate * assume.peak * busiest / limit - 1e-9))
    pods = pods_with_loss(needed, assume.lose)
    per_pod = rate / pods
    mean, normal = curve.at(per_pod), curve.at(per_pod * busiest)
    worst_rate = rate * assume.peak * busiest / needed
    per_hour = None if assume.price is None else assume.price * pods
    return Plan(rate=rate, pods=pods, cores=pods * assume.cores, gpus=pods * assume.gpus, per_pod=per_pod,
                utilization=per_pod / curve.capacity, busy=mean.busy, p50_ms=normal.p50_ms + assume.network_ms,
                p99_ms=normal.p99_ms + assume.network_ms, worst_p99_ms=curve.at(worst_rate).p99_ms + assume.network_ms,
                in_flight=per_pod * mean.mean_ms / 1e3, queue_ms=mean.queue_ms,
                gbit=worst_rate * assume.bytes * 8 / 1e9, connections=assume.clients, per_hour=per_hour,
                per_million=None if per_hour is None else per_hour / (rate * 3600 / 1e6))
