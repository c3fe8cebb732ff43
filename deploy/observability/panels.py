"""The rows and panels of the dashboard, in the order in which one looks. `generate` makes Grafana's JSON of it."""

from __future__ import annotations

import dataclasses
from typing import Any

POD = 'namespace=~"$namespace", pod=~"$pod"'
MODEL = POD + ', model=~"$model"'
NAMESPACE = 'namespace=~"$namespace"'
PROCESS = 'job="bertha", ' + POD  # of metrics that other programs have too
RATE = "[$__rate_interval]"

FIRING = 'ALERTS{alertname=~"Bertha.*", alertstate="firing", ' + NAMESPACE + "}"

VARIABLES = {
    "namespace": "label_values(bertha_ready, namespace)",
    "pod": 'label_values(bertha_ready{namespace=~"$namespace"}, pod)',
    "model": 'label_values(bertha_model_up{namespace=~"$namespace", pod=~"$pod"}, model)',
}


@dataclasses.dataclass(frozen=True)
class Query:
    expr: str
    legend: str


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    unit: str  # Grafana's name of it
    description: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    stacked: bool = False
    bad_above: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]
    width: int = 8
    height: int = 8


def panel(title: str, unit: str, description: str, *queries: tuple[str, str], **more: Any) -> Panel:
    return Panel(title, unit, description, tuple(Query(*query) for query in queries), **more)


def stat(title: str, unit: str, description: str, *queries: tuple[str, str], **more: Any) -> Panel:
    return panel(title, unit, description, *queries, kind="stat", **more)


def rate(metric: str, selector: str, by: str = "") -> str:
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{selector}}}{RATE}))"


def gauge(metric: str, selector: str, by: str = "namespace, pod") -> str:
    return f"sum by ({by}) ({metric}{{{selector}}})"


def mean(histogram: str, selector: str, by: str = "") -> str:
    return f"{rate(histogram + '_sum', selector, by)} / {rate(histogram + '_count', selector, by)}"


def quantile(q: float, histogram: str, selector: str, by: str = "") -> str:
    return f"histogram_quantile({q}, {rate(histogram + '_bucket', selector, by + ', le' if by else 'le')})"


def quantiles(histogram: str, selector: str) -> list[tuple[str, str]]:
    return [(quantile(q, histogram, selector), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)]


def per_pod(metric: str, legend: str = "{{namespace}}/{{pod}}", selector: str = POD) -> tuple[str, str]:
    return gauge(metric, selector), legend


DURATION = "bertha_request_duration_seconds"


def stage(name: str) -> str:
    return f'{MODEL}, stage="{name}"'


OVERVIEW = Row("Overview", (
    stat("Pods ready", "none", "Pods that say that they can answer, and all that are scraped.",
         (f"sum(bertha_ready{{{POD}}})", "ready"), (f"count(bertha_ready{{{POD}}})", "scraped")),
    stat("Models not serving", "none", "Versions of models on pods that are NOT_SERVING.",
         (f"count(bertha_model_up{{{MODEL}}} == 0) or vector(0)", "not serving"), bad_above=1),
    stat("Calls", "reqps", "Calls, and messages of streams, a second.", (rate("bertha_requests_total", POD), "calls")),
    stat("Server errors", "percentunit", "Share of the calls of five minutes that failed through the server's fault.",
         (f"max(bertha:call_errors:ratio_rate5m{{{NAMESPACE}}})", "errors"), bad_above=0.001),
    stat("p99", "s", "99% of texts took no longer, from the decoded call to the result.",
         (quantile(0.99, DURATION, stage("total")), "p99")),
    stat("Texts rejected", "percentunit", "Share of the texts of five minutes that were refused or given up.",
         (f"max(bertha:texts_rejected:ratio_rate5m{{{NAMESPACE}}})", "rejected"), bad_above=0.01),
), width=4, height=4)

TRAFFIC = Row("Traffic and errors", (
    panel("Calls by method", "reqps", "Calls, and messages of streams, a second.",
          (rate("bertha_requests_total", POD, "transport, method"), "{{transport}} {{method}}"), stacked=True),
    panel("Calls by code", "reqps", "How they ended. Codes of callers' mistakes are there from their first call on.",
          (rate("bertha_requests_total", POD, "code"), "{{code}}"), stacked=True),
    panel("Errors against the objective", "percentunit", "Share of calls that failed through the server's fault.",
          *((f"bertha:call_errors:ratio_rate{window}{{{NAMESPACE}}}", f"{{{{namespace}}}} {window}")
            for window in ("5m", "1h", "6h", "3d")),
          ("1 - bertha:objective_availability:ratio", "allowed")),
    panel("Texts by model", "reqps", "Texts answered a second.",
          (rate(DURATION + "_count", stage("total"), "model, version"), "{{model}}:{{version}}"), stacked=True),
    panel("Calls in flight", "none", "Calls and streams that have not ended; the autoscaler looks at it.",
          per_pod("bertha_in_flight_calls")),
    panel("Where time goes", "s", "Mean time of a text in each stage.",
          *((mean(DURATION, stage(name)), name) for name in ("tokenize", "queue", "compute")), stacked=True),
))

LATENCY = Row("Latency", (
    panel("Total", "s", "From the decoded call to the result.", *quantiles(DURATION, stage("total")),
          ("bertha:objective_latency_p99:seconds", "objective of p99")),
    panel("p99 by model", "s", "Of the total.",
          (quantile(0.99, DURATION, stage("total"), "model, version"), "{{model}}:{{version}}")),
    panel("p99 by pod", "s", "Of the total.",
          (quantile(0.99, DURATION, stage("total"), "namespace, pod"), "{{namespace}}/{{pod}}")),
    panel("Tokenize", "s", "On the thread of the caller.", *quantiles(DURATION, stage("tokenize"))),
    panel("Queue", "s", "From the queue into a batch.", *quantiles(DURATION, stage("queue"))),
    panel("Compute", "s", "The forward pass.", *quantiles(DURATION, stage("compute"))),
))

QUEUE = Row("Queue and rejections", (
    panel("Queue delay by pod", "s", "Mean wait of a minute; the autoscaler looks at it.",
          (f"bertha:queue_delay_seconds:mean1m{{{POD}}}", "{{namespace}}/{{pod}}"),
          ("bertha:objective_queue_delay:seconds", "objective")),
    panel("Texts that wait", "none", "Limit: queue.max_requests.", per_pod("bertha_queue_requests")),
    panel("Tokens that wait", "none", "Limit: queue.max_tokens.", per_pod("bertha_queue_tokens")),
    panel("Rejections by reason", "reqps", "Texts that the queue refused or gave up, and calls that were not let in.",
          (rate("bertha_rejections_total", POD, "reason"), "{{reason}}"), stacked=True),
    panel("Share of texts rejected", "percentunit", "For lack of time or room, of all that came.",
          (f"bertha:texts_rejected:ratio_rate5m{{{NAMESPACE}}}", "{{namespace}}")),
    panel("Rejections by pod", "reqps", "All reasons.",
          (rate("bertha_rejections_total", POD, "namespace, pod"), "{{namespace}}/{{pod}}")),
))

BATCHES = Row("Batches", (
    panel("Batch size", "none", "Texts of a forward pass.", *quantiles("bertha_batch_size", MODEL),
          (mean("bertha_batch_size", MODEL), "mean")),
    panel("Batch tokens", "none", "Tokens of a forward pass, without padding.",
          *quantiles("bertha_batch_tokens", MODEL), (mean("bertha_batch_tokens", MODEL), "mean")),
    panel("Forward passes", "ops", "A second.",
          (rate("bertha_batch_size_count", MODEL, "model, version"), "{{model}}:{{version}}")),
    panel("Tokens", "none", "Computed a second, without and with padding.",
          (rate("bertha_tokens_total", MODEL), "tokens"), (rate("bertha_padded_tokens_total", MODEL), "with padding")),
    panel("Padding waste", "percentunit", "Share of tokens that are padding; 0 for an engine that does not pad.",
          (f"1 - {rate('bertha_tokens_total', MODEL, 'model, version')} / "
           f"{rate('bertha_padded_tokens_total', MODEL, 'model, version')}", "{{model}}:{{version}}")),
    panel("Forward passes under way and failed", "none", "Under way now; failed, a second.",
          (f"sum(bertha_running_batches{{{POD}}})", "under way"),
          (rate("bertha_failed_passes_total", MODEL, "model, version"), "{{model}}:{{version}} failed/s")),
))

HEALTH = Row("Health and models", (
    panel("Ready and live", "none", "What /readyz and /healthz say of each pod: 1 is yes.",
          per_pod("bertha_ready", "{{namespace}}/{{pod}} ready"), per_pod("bertha_live", "{{namespace}}/{{pod}} live")),
    panel("Models up", "none", "1 while forward passes of a model succeed, rightly.",
          (gauge("bertha_model_up", MODEL, "namespace, pod, model, version"),
           "{{namespace}}/{{pod}} {{model}}:{{version}}")),
    panel("Self-check: largest difference", "none", "Of a logit of the probes from the exporter's, at load.",
          (f"max by (model, version) (bertha_self_check_max_abs_diff{{{MODEL}}})", "{{model}}:{{version}}")),
    panel("Self-check: other decisions", "none", "Decisions over the probes unlike the exporter's, at load.",
          (f"max by (model, version) (bertha_self_check_flips{{{MODEL}}})", "{{model}}:{{version}}")),
    panel("Packages", "none", "That came to serve, were refused, are computed by a fallback.",
          (f"sum(bertha_model_loads_total{{{POD}}})", "loaded"),
          (f"sum(bertha_model_refusals_total{{{POD}}})", "refused"),
          (f"sum(bertha_model_fallbacks_total{{{POD}}})", "fallback")),
    panel("Time to load", "s", "To read, check and measure a package.",
          (f"max by (model, version) (bertha_model_load_seconds{{{MODEL}}})", "{{model}}:{{version}}")),
))

RESOURCES = Row("Resources", (
    panel("Memory", "bytes", "Resident, and the limit of the container where kube-state-metrics tells it.",
          per_pod("process_resident_memory_bytes", selector=PROCESS),
          ("max by (namespace, pod) "
           f'(kube_pod_container_resource_limits{{{POD}, container="berthad", resource="memory"}})',
           "{{namespace}}/{{pod}} limit")),
    panel("CPU", "none", "Cores in use.",
          (rate("process_cpu_seconds_total", PROCESS, "namespace, pod"), "{{namespace}}/{{pod}}")),
    panel("GPU memory", "percentunit", "Share of each CUDA device's memory that is taken, by any process.",
          (f"bertha_gpu_memory_used_bytes{{{POD}}} / bertha_gpu_memory_total_bytes{{{POD}}}",
           "{{namespace}}/{{pod}} {{device}}")),
    panel("Weights", "bytes", "Of the models in memory.",
          (gauge("bertha_model_weight_bytes", MODEL, "model, version"), "{{model}}:{{version}}")),
    panel("Open files", "percentunit", "Share of the files that the process may open.",
          (f"process_open_fds{{{PROCESS}}} / process_max_fds{{{PROCESS}}}", "{{namespace}}/{{pod}}")),
    panel("Uptime", "s", "Since the start of the process: falls to 0 at a restart.",
          (f"time() - process_start_time_seconds{{{PROCESS}}}", "{{namespace}}/{{pod}}")),
))

FEEDBACK = Row("Feedback", (
    panel("Votes", "reqps", "Stored; refused since too many waited; failed because of the database.",
          *((rate(f"bertha_feedback_{what}_total", POD), what) for what in ("stored", "refused", "failed"))),
    panel("Votes that wait", "none", "To be stored.", per_pod("bertha_feedback_waiting")),
    panel("Database", "none", "1 if it takes votes.", per_pod("bertha_feedback_up")),
))

ROWS = (OVERVIEW, TRAFFIC, LATENCY, QUEUE, BATCHES, HEALTH, RESOURCES, FEEDBACK)
