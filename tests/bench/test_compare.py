"""bench/compare: what it makes of its rounds, and that it starts, checks and loads servers."""

import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "peers")]

import comparison  # noqa: E402
from servers.classifier import Classifier, Settings  # noqa: E402

CASE = "8 in flight"


def figures(per_s: float, p50: float, p99: float | None, failed: int = 0, invalid: tuple[str, ...] = ()) -> dict:
    return {CASE: {"per_s": per_s, "p50_ms": p50, "p99_ms": p99, "calls": 1000, "failed": failed, "invalid": list(invalid)}}


@pytest.fixture
def report() -> dict:
    rounds = [
        {"bertha-fp32": figures(1000, 1, 2), "slow": figures(100, 8, 40), "broken": {"error": "did\nnot start"}},
        {"bertha-fp32": figures(600, 2, 4), "slow": figures(200, 10, None, failed=20), "broken": {"error": "did not start"}},
        {"bertha-fp32": figures(900, 1, 3), "slow": figures(100, 9, 30, invalid=("calls were sent late",)), "broken": figures(50, 5, 9)},
    ]
    model = {"model": "demo", "package": "m", "parameters": 1234567, "cases": [CASE], "rounds": rounds,
             "settings": {name: {"engine": "eager", "batches": name == "slow", "workers_threads": [1, 2]} for name in ("slow", "broken")}}
    return {"date": "2026-01-02", "machine": comparison.machine(), "seconds": 5, "warm_up": 2, "minutes": 3, "models": [model],
            "versions": {"slow": "slow 1.0"}}


def test_a_ratio_is_taken_within_each_round(report):
    model = report["models"][0]
    assert comparison.ratios(model, "slow", CASE, "per_s") == (9, 3, 10)
    assert comparison.ratios(model, "slow", CASE, "p50_ms") == (8, 5, 9)
    assert comparison.ratios(model, "slow", CASE, "p99_ms") == (15, 10, 20)  # a round without a p99 has no ratio
    assert comparison.ratios(model, "broken", CASE, "per_s") == (18, 18, 18)


def test_the_report_names_who_is_missing_and_what_failed(report):
    text = comparison.markdown(report, "x")
    assert "| slow (eager, 1 x 2) | 100 | 9 | 35 | 9 (3 to 10) |" in text
    assert "- broken, round 1: not measured: did not start" in text
    assert f"- slow, round 2, {CASE}: 20 of 1000 calls failed" in text
    assert f"- slow, round 3, {CASE}: INVALID: calls were sent late" in text
    assert "1,234,567 parameters" in text and "no batches" in text


def test_the_plot_is_an_svg_with_a_bar_for_each_server(report):
    root = xml.etree.ElementTree.fromstring(comparison.plot(report))
    names = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert names.count("bertha-fp32") == 2 and names.count("slow") == 2


@pytest.mark.parametrize("engine", ["eager", "torchscript"])
def test_a_peer_gives_the_packages_answers(engine, tmp_path):
    package = ROOT / "demo" / "models" / "sentiment-bert" / "1"
    classify = Classifier(Settings(package, tmp_path, "sentiment-bert", engine, 1, 1, 0))
    assert [answer["label"] for answer in classify(["I love it", "I hate it"])] == ["positive", "negative"]
    classify.engine.logits = lambda ids: __import__("numpy").zeros((len(ids), 3))
    with pytest.raises(SystemExit, match="no peer"):
        classify.check()


def test_bertha_and_a_python_server_are_measured(tmp_path):
    command = [sys.executable, ROOT / "bench" / "compare", "--models", "demo", "--only", "bertha-fp32", "python-grpc", "--rounds", "1",
               "--seconds", "0.5", "--warm-up", "0.2", "--in-flight", "4", "--work", tmp_path, "--json"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    (round_,) = json.loads(done.stdout)["models"][0]["rounds"]
    for server in ("bertha-fp32", "python-grpc"):
        assert round_[server]["4 in flight"]["failed"] == 0
        assert round_[server]["4 in flight"]["per_s"] > 0
