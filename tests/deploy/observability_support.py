"""What the tests of deploy/observability share: its files as data, what a query names, a Prometheus."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys

import requests
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "observability"
RULES = [FOLDER / "rules" / "recording.yaml", FOLDER / "rules" / "alerts.yaml"]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "clients" / "python")]

from e2e_support import PATIENCE, free_port, wait_until  # noqa: E402

# Not berthad's: of Prometheus itself, and of kube-state-metrics.
FOREIGN = {"up", "ALERTS", "kube_pod_container_resource_limits"}
# Where there is a CUDA device only.
GPU = {"bertha_gpu_memory_used_bytes", "bertha_gpu_memory_total_bytes"}


def groups():
    """All groups of rules."""
    return [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]


def rules(kind):
    """Every rule that has the key `kind`: "alert" or "record"."""
    return [rule for group in groups() for rule in group["rules"] if kind in rule]


def recorded():
    return {rule["record"] for rule in rules("record")}


def dashboard():
    return json.loads((FOLDER / "dashboards" / "bertha.json").read_text())


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def variables():
    """The definition of each variable that is a query."""
    return {v["name"]: v["definition"] for v in dashboard()["templating"]["list"] if v["type"] == "query"}


def filled(query, **chosen):
    """As Grafana sends it, with "All" for what is not in `chosen`."""
    values = {"__rate_interval": "1m", **dict.fromkeys(variables(), ".*"), **chosen}
    done = re.sub(r"\$(\w+)", lambda match: values[match[1]], query)
    assert "$" not in done, query
    return done


# --- queries as text ---

_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "without", "ignoring", "group_left", "group_right"}
_METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"


def metric_names(query):
    """The metrics that a query of PromQL reads: what is no label, no function, no duration."""
    bare = re.sub(r'"[^"]*"', '""', query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    found = re.finditer(rf"(?<![\w:$])({_METRIC})\b(?!\s*\()", bare)
    return {match[1] for match in found} - _WORDS


def selectors(query):
    """The metrics that a query reads, each with its label matchers."""
    found = re.finditer(rf"(?<![\w:$])({_METRIC})(\{{[^}}]*\}})?", query)
    names = metric_names(query)
    return {match[1] + (match[2] or "") for match in found if match[1] in names}


def family(name):
    """The metric that a series of a histogram belongs to."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def documented():
    """The metrics in the first column of the table of docs/metrics.md."""
    rows = re.findall(r"^\| (`[^|]*) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


# --- Prometheus ---


class Prometheus:
    """A Prometheus of its own, with `config` (a dictionary), its data in `folder`."""

    def __init__(self, config, folder):
        folder.mkdir()
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log_path = folder / "log"
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, "Prometheus answers")

    def _answers(self):
        assert self.process.poll() is None, self.log_path.read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.url + "/-/ready", timeout=PATIENCE).status_code == 200
        return False

    def get(self, path, **parameters):
        reply = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=PATIENCE).json()
        assert reply["status"] == "success", (path, parameters, reply)
        return reply["data"]

    def query(self, expression, **parameters):
        """[{"metric": LABELS, "value": [TIME, NUMBER AS TEXT]}, ...]; "values" if the expression is a range."""
        data = self.get("query", query=expression, **parameters)
        assert data["resultType"] in ("vector", "matrix"), (expression, data)
        return data["result"]

    def firing(self):
        """(alert, pod) of those that fire now."""
        return {(a["labels"]["alertname"], a["labels"].get("pod", "")) for a in self.get("alerts")["alerts"]
                if a["state"] == "firing"}

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
