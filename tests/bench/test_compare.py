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
import peers  # noqa: E402
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
    model = {"model": "demo", "package": "m", "parameters": 1234567, "cases": [CASE], "tokens": 47.1, "rounds": rounds,
             "settings": {"slow": "eager, 1 x 2", "broken": "eager, 1 x 2, no batches"}}
    return {"date": "2026-01-02", "machine": comparison.machine(), "seconds": 5, "warm_up": 2, "models": [model],
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
    assert "1,234,567 parameters" in text and "47.1 tokens" in text and "no batches" in text


def test_a_run_that_was_cut_off_is_reported_too(report):
    report["models"][0]["rounds"][2:] = [{"bertha-fp32": figures(900, 1, 3)}, {}]
    assert comparison.ratios(report["models"][0], "slow", CASE, "per_s") == (6.5, 3, 10)
    assert "| slow (eager, 1 x 2) | 150 |" in comparison.markdown(report, None)


def test_a_ratio_is_taken_within_a_numeric_type(report):
    model = report["models"][0]
    for round_ in model["rounds"]:
        round_ |= {"bertha-int8": figures(3000, 1, 1), "slow@onnx-int8:1x2": figures(300, 4, 8), "slow@openvino-bf16:1x2": figures(1, 1, 1)}
    model["settings"]["slow@onnx-int8:1x2"] = "onnx-int8, 1 x 2"
    assert comparison.ratios(model, "slow@onnx-int8:1x2", CASE, "p99_ms") == (8, 8, 8)
    assert comparison.ratios(model, "slow@openvino-bf16:1x2", CASE, "per_s") is None  # no bertha-bf16 was measured
    text = comparison.markdown(report, "x")
    assert "| slow (onnx-int8, 1 x 2) | 300 |" in text
    assert f"- {CASE}: bertha-int8 answers 10 (10 to 10) times as many requests/s as the fastest of the others, slow (onnx-int8, 1 x 2)" in text


def test_a_setting_is_engine_workers_and_threads():
    assert peers.Setting.parse("openvino-bf16:1x2") == peers.Setting("openvino-bf16", 1, 2)
    for wrong in ("openvino", "vllm:1x2", "eager:2", "eager:1x2x3"):
        with pytest.raises(ValueError, match="is no setting"):
            peers.Setting.parse(wrong)


def compare(*arguments: object) -> subprocess.CompletedProcess:
    command = [str(part) for part in (sys.executable, ROOT / "bench" / "compare", *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))


def test_who_is_unknown_is_named_before_anything_starts(tmp_path):
    for wrong, why in (("vllm", "'vllm' is none of"), ("mosec@fast", "'fast' is no setting"), ("bertha-fp32@eager:1x1", "is none of")):
        done = compare("--only", wrong, "--work", tmp_path)
        assert done.returncode == 2 and why in done.stderr


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
    done = compare("--models", "demo", "--only", "bertha-fp32", "python-grpc@torchscript:1x1", "--rounds", 1, "--seconds", 0.5,
                   "--warm-up", 0.2, "--in-flight", 4, "--work", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)["models"][0]
    for server in ("bertha-fp32", "python-grpc@torchscript:1x1"):
        assert model["rounds"][0][server]["4 in flight"]["failed"] == 0
        assert model["rounds"][0][server]["4 in flight"]["per_s"] > 0
        assert f"demo, round 1: {server}: 4 in flight: " in done.stderr
    assert model["settings"] == {"python-grpc@torchscript:1x1": "torchscript, 1 x 1, no batches"}
