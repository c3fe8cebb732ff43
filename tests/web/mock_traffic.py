"""Metrics of a server that was never there: every page is one second later than the one before, and always the same."""

import collections
import math
import random

SECONDS = [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
CODES = ["OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]
SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def labels_of(**labels):
    return ",".join(f'{k}="{v}"' for k, v in labels.items())


class Histogram:
    """A Prometheus histogram, cumulative when written."""

    def __init__(self, name, bounds, **labels):
        self.name, self.bounds, self.labels = name, bounds, labels
        self.counts, self.sum = [0] * (len(bounds) + 1), 0.0

    def observe(self, value):
        self.counts[next((i for i, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))] += 1
        self.sum += value

    def lines(self):
        total = 0
        for bound, count in zip([*self.bounds, "+Inf"], self.counts):
            total += count
            yield f"{self.name}_bucket{{{labels_of(**self.labels, le=bound)}}} {total}"
        yield f"{self.name}_sum{{{labels_of(**self.labels)}}} {self.sum}"
        yield f"{self.name}_count{{{labels_of(**self.labels)}}} {total}"


class ModelTraffic:
    def __init__(self, status):
        self.labels = {"model": status["model"]["name"], "version": status["model"]["version"]}
        self.difference = status["self_check"]["max_abs_diff"]
        stages = ("tokenize", "queue", "compute", "total")
        name = "bertha_request_duration_seconds"
        self.stages = {stage: Histogram(name, SECONDS, **self.labels, stage=stage) for stage in stages}
        self.size = Histogram("bertha_batch_size", SIZES, **self.labels)
        self.tokens = self.padded = 0

    def second(self, rate, draw):
        """One more second of it; yields the code of every call."""
        load = rate / 120
        for _ in range(round(rate * draw.uniform(0.85, 1.15))):
            times = {"tokenize": draw.lognormvariate(-9.6, 0.4), "queue": draw.lognormvariate(-7.6 + 1.5 * load, 0.7),
                     "compute": draw.lognormvariate(-6.3 + 0.3 * load, 0.35)}
            times["total"] = sum(times.values()) + 2e-5
            for stage, value in times.items():
                self.stages[stage].observe(value)
            self.size.observe(max(1, round(draw.lognormvariate(0.4 + load, 0.6))))
            self.tokens += 24
            self.padded += 24 + (draw.random() < 0.3) * 6
            yield draw.choices(CODES, [1, 0.01, max(0, load - 0.9) * 0.4])[0]

    def lines(self):
        own = labels_of(**self.labels)
        for histogram in (*self.stages.values(), self.size):
            yield from histogram.lines()
        yield f"bertha_tokens_total{{{own}}} {self.tokens}"
        yield f"bertha_padded_tokens_total{{{own}}} {self.padded}"
        yield f"bertha_model_up{{{own}}} 1"
        yield f"bertha_self_check_max_abs_diff{{{own}}} {self.difference}"


class Traffic:
    """`models()` gives the models that serve, as ModelStatus."""

    def __init__(self, models):
        self._models, self._each, self._draw, self._second = models, {}, random.Random(4), 0
        self._codes = collections.Counter()

    def page(self):
        self._second += 1
        t = self._second
        wave = 60 + 40 * math.sin(t / 33) + (35 if 170 < t < 215 else 0)
        for i, status in enumerate(self._models()):
            key = (status["model"]["name"], status["model"]["version"])
            self._codes.update(self._each.setdefault(key, ModelTraffic(status)).second(wave / (i + 1), self._draw))
        waiting = max(0, round(self._draw.gauss(wave / 25 - 1.5, 1.3)))
        lines = ["# HELP bertha_queue_requests Requests that wait.", "# TYPE bertha_queue_requests gauge"]
        lines += [f"bertha_queue_requests {waiting}", f"bertha_queue_tokens {waiting * 24}"]
        lines += [f"bertha_in_flight_calls {waiting + self._draw.randrange(1, 5)}"]
        lines += [f"process_resident_memory_bytes {212 * 2**20}"]
        calls = labels_of(transport="grpc", method="Classify")
        lines += [f'bertha_requests_total{{{calls},code="{code}"}} {count}' for code, count in self._codes.items()]
        for one in self._each.values():
            lines += one.lines()
        return "\n".join(lines) + "\n"
