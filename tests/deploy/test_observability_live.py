"""Rules, dashboard and autoscaler's queries of deploy/observability, answered by a Prometheus that scrapes berthads."""

import contextlib
import http.server
import math
import re
import shutil
import threading
import time

import pytest
import requests
import yaml

from observability_support import (FOLDER, GPU, PATIENCE, ROOT, RULES, Prometheus, documented, family, filled, panels,
                                   recorded, rules, selectors, variables, wait_until)

from bertha.v1 import bertha_pb2 as pb  # found as observability_support says
from e2e_support import Daemon, Stream, failure, flip_bit, texts_request, with_quick

pytestmark = pytest.mark.slow

NAMESPACE = "bertha"
OPEN_STREAMS = {"bertha-0": 3, "bertha-1": 1}
LIMIT_BYTES = {"bertha-0": 1 << 20, "bertha-1": 1 << 40}  # what kube-state-metrics is made to say of the containers

# Panels that show nothing here, by their title: there is no CUDA device.
EMPTY_PANELS = {"GPU memory"}


class KubeStateMetrics:
    """Says the limits of the containers as kube-state-metrics would."""

    def __init__(self):
        lines = [f'kube_pod_container_resource_limits{{namespace="{NAMESPACE}",pod="{pod}",container="berthad",'
                 f'resource="memory",unit="byte"}} {limit}\n' for pod, limit in LIMIT_BYTES.items()]
        page = "".join(["# TYPE kube_pod_container_resource_limits gauge\n", *lines]).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def impatient_rules(folder):
    """The rules, evaluated as often as this test's Prometheus is told, and alerts that fire at once."""
    for file in RULES:
        document = yaml.safe_load(file.read_text())
        for group in document["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / file.name).write_text(yaml.safe_dump(document))
        yield str(folder / file.name)


def config(daemons, kube_state_metrics, rule_files):
    """Pods' labels come from discovery by relabelling, as the operator's configuration does it."""
    sources = {"namespace": "__meta_kubernetes_namespace", "pod": "__meta_kubernetes_pod_name"}
    pods = [{"targets": [daemon.http_address], "labels": {sources["namespace"]: NAMESPACE, sources["pod"]: pod}}
            for pod, daemon in daemons.items()]
    relabel = [{"source_labels": [source], "target_label": target} for target, source in sources.items()]
    ours = {"job_name": "bertha", "static_configs": pods, "relabel_configs": relabel}
    limits = [{"targets": [kube_state_metrics.address]}]
    theirs = {"job_name": "kube-state-metrics", "honor_labels": True, "static_configs": limits}
    return {"global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"}, "rule_files": list(rule_files),
            "scrape_configs": [ours, theirs]}


class Scene:
    """Two daemons with traffic, and a Prometheus that scrapes them."""

    def __init__(self, berthad, models, folder, parts):
        """`parts`, a contextlib.ExitStack, ends what was begun."""
        self.daemons = {}
        for pod in OPEN_STREAMS:
            flags = with_quick(["--feedback-database", folder / f"{pod}.db", "--drain-lame-duck-ms", "60000"])
            daemon = Daemon(berthad, models, folder / f"{pod}.log", *flags)
            self.daemons[pod] = parts.enter_context(contextlib.closing(daemon))
        for daemon in self.daemons.values():
            daemon.wait_serving()
        self.streams = [Stream(self.daemons[pod].stub()) for pod, count in OPEN_STREAMS.items() for _ in range(count)]
        for stream in self.streams:
            stream.wait_read(1)
        kube_state_metrics = parts.enter_context(contextlib.closing(KubeStateMetrics()))
        settings = config(self.daemons, kube_state_metrics, impatient_rules(folder))
        self.prometheus = parts.enter_context(contextlib.closing(Prometheus(settings, folder / "prometheus")))

    def talk(self):
        """Traffic of every kind that a panel shows, more of it on the first pod, for several scrapes of each series."""
        scrapes = 'count_over_time(bertha_requests_total{pod="bertha-1", method="Classify", code="NOT_FOUND"}[1m]) > 4'
        texts = ["short", "a text of several words, so that a batch must be padded"]
        vote = pb.RecordFeedbackRequest(input=pb.TextInput(text="x"), model="sentiment-bert", version=1,
                                        label="positive", score=0.5, verdict=pb.VERDICT_RIGHT)
        while not self.prometheus.query(scrapes):
            for calls, daemon in zip((3, 1), self.daemons.values()):
                stub = daemon.stub()
                for _ in range(calls):
                    stub.Classify(texts_request(texts, model="sentiment-bert"), timeout=PATIENCE)
                failure(stub.Classify, texts_request(texts, model="no-such-model"), timeout=PATIENCE)
                stub.RecordFeedback(vote, timeout=PATIENCE)
                body = {"model": "sentiment-bert", "inputs": [{"text": "x"}]}
                assert requests.post(f"http://{daemon.http_address}/v1/classify", json=body, timeout=PATIENCE).ok

    def wait_recorded(self):
        """Until the rules have seen all of the traffic."""
        every = " and on () ".join(f"count({name} == {name})" for name in sorted(recorded()))  # NaN is not NaN
        wait_until(lambda: self.prometheus.query(every), "every rule has recorded numbers")


@pytest.fixture(scope="module")
def scene(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("observability")
    package = ROOT / "demo" / "models" / "sentiment-bert" / "1"
    shutil.copytree(package, folder / "models" / "sentiment-bert" / "1")
    shutil.copytree(package, folder / "models" / "damaged" / "1")
    flip_bit(folder / "models" / "damaged" / "1" / "model.pt")
    with contextlib.ExitStack() as parts:
        scene = Scene(program("berthad"), folder / "models", folder, parts)
        scene.talk()
        scene.wait_recorded()
        yield scene


def numbers(result):
    """The values that are numbers, for a graph."""
    return [value for sample in result if not math.isnan(value := float(sample["value"][1]))]


def test_prometheus_finds_nothing_wrong_with_the_rules_while_it_evaluates_them(scene):
    evaluated = [rule for group in scene.prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(evaluated) == len(rules("alert") + rules("record"))
    assert {(rule["health"], rule.get("lastError", "")) for rule in evaluated} == {("ok", "")}


def test_every_rule_reads_series_that_are_there(scene):
    for rule in rules("alert") + rules("record"):
        for selector in selectors(rule["expr"]):
            assert scene.prometheus.query(selector), (rule, selector)


def test_every_recorded_metric_has_numbers(scene):
    for name in recorded():
        assert numbers(scene.prometheus.query(name)), name


@pytest.mark.parametrize("chosen", [
    {}, {"namespace": NAMESPACE, "pod": "bertha-0|bertha-1", "model": "sentiment-bert"}], ids=["all", "chosen"])
def test_every_panel_shows_numbers(scene, chosen):
    for panel in panels():
        for target in panel["targets"]:
            query = filled(target["expr"], **chosen)
            shown = numbers(scene.prometheus.query(query))
            assert bool(shown) == (panel["title"] not in EMPTY_PANELS), (panel["title"], query)


def test_a_panel_shows_nothing_of_what_was_not_chosen(scene):
    for panel in panels():
        for target in panel["targets"]:
            if "$" not in target["expr"] or "or vector(0)" in target["expr"]:
                continue
            query = filled(target["expr"], namespace="elsewhere", pod="elsewhere", model="elsewhere")
            assert not scene.prometheus.query(query), (panel["title"], query)


def test_every_legend_names_labels_that_the_query_gives(scene):
    for panel in panels():
        for target in panel["targets"]:
            for sample in scene.prometheus.query(filled(target["expr"])):
                named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                assert named <= sample["metric"].keys(), (panel["title"], target)
                missing = sample["metric"].keys() - named - {"__name__", "instance", "job", "namespace"}
                assert not missing, (panel["title"], target)  # two lines would have one name


def test_variables_offer_what_is_there(scene):
    offered = {}
    for name, definition in variables().items():
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", definition).groups()
        offered[name] = scene.prometheus.get(f"label/{label}/values", **{"match[]": filled(series)})
    assert offered["namespace"] == [NAMESPACE] and offered["pod"] == list(OPEN_STREAMS)
    assert "sentiment-bert" in offered["model"]


def test_the_documentation_names_what_berthad_exports_and_nothing_else(scene):
    names = scene.prometheus.get("label/__name__/values", **{"match[]": '{job="bertha"}'})
    ours = {name for name in names if name.startswith(("bertha_", "process_"))}
    assert {n if n in documented() else family(n) for n in ours} == documented() - GPU


def test_the_runbook_names_what_is_told_of_a_model(scene):
    runbook = (FOLDER / "runbook.md").read_text()
    (named,) = re.findall(r"curl localhost:8000/v1/models` \| (.*) \|", runbook)
    page = f"http://{scene.daemons['bertha-0'].http_address}/v1/models"
    serving = next(m for m in requests.get(page, timeout=PATIENCE).json()["models"] if m["state"] == "STATE_SERVING")
    assert {"unhealthy"} < set(re.findall(r"`(\w+)`", named)) <= serving.keys()


# --- the autoscaler ---


def as_the_adapter_asks(rule, series):
    """The query of prometheus-adapter for the metric of all pods, its template filled in."""
    pods = "|".join(OPEN_STREAMS)
    words = {"Series": series, "LabelMatchers": f'namespace="{NAMESPACE}",pod=~"{pods}"', "GroupBy": "pod"}
    return re.sub(r"<<\.(\w+)>>", lambda match: words[match[1]], rule["metricsQuery"])


def adapted(scene, name, time):
    """{pod: value} of a metric of the custom metrics API at that time."""
    document = yaml.safe_load((ROOT / "deploy" / "observability" / "prometheus-adapter.yaml").read_text())
    (rule,) = [rule for rule in document["rules"] if rule["name"]["as"] == name]
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    start = {"match[]": rule["seriesQuery"]}
    (series,) = {found["__name__"] for found in scene.prometheus.get("series", **start)}
    assert re.search(rule["name"]["matches"], series)
    answer = scene.prometheus.query(as_the_adapter_asks(rule, series), time=time)
    assert all(sample["metric"].keys() == {"pod"} for sample in answer)
    return {sample["metric"]["pod"]: float(sample["value"][1]) for sample in answer}


def samples(scene, selector, time):
    """{pod: numbers of the minute before}, as they were scraped."""
    found = scene.prometheus.query(f"{selector}[1m]", time=time)
    return {series["metric"]["pod"]: [float(value) for _, value in series["values"]] for series in found}


def test_the_autoscaler_is_told_the_calls_in_flight_of_each_pod(scene):
    now = time.time() - 1  # nothing of that minute is still to come
    told = adapted(scene, "bertha_in_flight_calls", now)
    scraped = samples(scene, "bertha_in_flight_calls", now)
    assert told.keys() == OPEN_STREAMS.keys()
    for pod, streams in OPEN_STREAMS.items():
        assert told[pod] == pytest.approx(sum(scraped[pod]) / len(scraped[pod]))
        assert streams <= told[pod] < streams + 1.5  # and at most one call at a time beside them


def test_the_autoscaler_is_told_the_queue_delay_of_each_pod(scene):
    recorded_at = scene.prometheus.query('timestamp(bertha:queue_delay_seconds:mean1m{pod="bertha-0"})')
    now = float(recorded_at[0]["value"][1])
    told = adapted(scene, "bertha_queue_delay_seconds", now)
    assert told.keys() == OPEN_STREAMS.keys()
    sums = samples(scene, 'bertha_request_duration_seconds_sum{stage="queue"}', now)
    counts = samples(scene, 'bertha_request_duration_seconds_count{stage="queue"}', now)
    for pod in OPEN_STREAMS:
        waited, texts = (values[pod][-1] - values[pod][0] for values in (sums, counts))
        assert texts > 0 and told[pod] == pytest.approx(waited / texts)


# --- alerts; the last test, since it ends the daemons ---


def test_alerts_fire_for_what_happens_to_real_daemons(scene):
    prometheus, both = scene.prometheus, [*OPEN_STREAMS]
    refused = {("BerthaPackageRefused", pod) for pod in both} | {("BerthaModelDown", "")}
    calm = refused | {("BerthaMemoryNearLimit", "bertha-0")}
    young = {("BerthaLatencyAboveObjective", ""), ("BerthaQueueDelayAboveObjective", "")}  # of a busy machine
    assert calm <= prometheus.firing() <= calm | young

    scene.daemons["bertha-0"].signal()  # in its lame-duck time
    wait_until(lambda: ("BerthaNotReady", "bertha-0") in prometheus.firing(), "a pod that drains is not ready")
    assert ("BerthaNoPodReady", "") not in prometheus.firing()

    scene.daemons["bertha-1"].process.kill()
    expected = {("BerthaTargetDown", "bertha-1"), ("BerthaNoPodReady", "")}
    wait_until(lambda: expected <= prometheus.firing(), "the other one is down, and none is ready")
    assert ("BerthaTargetDown", "bertha-0") not in prometheus.firing()
