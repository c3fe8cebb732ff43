"""`bertha load` against a real berthad: does it count every call, whatever becomes of it, and tell the truth about it?"""

import csv
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import threading
import time

import pytest
from e2e_support import PATIENCE, ROOT, dead_address

WAYS = [(protocol, stream) for protocol in ("bertha", "oip") for stream in ((), ("--stream",))]
SECRET = "Geheimnis"  # no file may have this text


@pytest.fixture
def load(program, tmp_path):
    """load(ADDRESS, ARGUMENTS...) runs `bertha load --json --out`; what it returns is the report and has `exit_code`, `rows`
    (of requests.csv) and `stderr`. What is INVALID for want of a quiet machine is a result like others here."""

    def run(address, *arguments, exit_codes=(0, 1)):
        out = tmp_path / "out"
        command = [program("bertha"), "load", "--address", address, "--json", "--out", out, *arguments]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode in exit_codes, done.stderr
        report = json.loads(done.stdout)
        assert report == json.loads((out / "report.json").read_text())
        assert report["valid"] == (done.returncode == 0)
        with open(out / "requests.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return {**report, "exit_code": done.returncode, "rows": rows, "stderr": done.stderr, "out": out}

    return run


def only_run(report):
    assert len(report["runs"]) == 1
    run = report["runs"][0]
    assert sum(run["codes"].values()) == run["calls"] == run["latency_ms"]["all"]["count"]
    return run


@pytest.mark.parametrize("protocol, stream", WAYS)
def test_an_open_loop_counts_every_call_that_was_planned(shared, load, protocol, stream):
    report = load(shared.address, "--rate", 100, "--seconds", 1, "--warm-up", 0.2, "--arrivals", "constant",
                  "--protocol", protocol, *stream)
    run = only_run(report)
    assert report["schema"] == "bertha.load/1"
    assert (report["kind"], run["calls"], run["codes"]) == ("open", 100, {"OK": 100})
    assert (report["client"]["protocol"], report["client"]["stream"]) == (protocol, bool(stream))
    assert [model["name"] for model in report["server"]["models"]] == ["sentiment-bert"]
    assert run["planned_per_s"] == pytest.approx(100)
    assert run["latency_ms"]["all"]["p99"] >= run["latency_ms"]["all"]["p50"] > 0
    assert run["mean_batch"] >= 1
    if protocol == "bertha":
        assert 0 < run["server_ms"]["compute"]["p50"] <= run["server_ms"]["total"]["p50"] <= run["latency_ms"]["all"]["p50"]
        assert sum(run["batch_sizes"].values()) == 100
    else:
        assert run["server_ms"] is None
        assert run["server_means_ms"]["compute"] > 0
    assert len(report["rows"]) == 120  # the warm-up is there, too
    assert all(float(row["sent_s"]) >= float(row["planned_s"]) for row in report["rows"])


@pytest.mark.parametrize("protocol, stream", WAYS)
def test_a_closed_loop_makes_so_many_calls(shared, load, protocol, stream):
    report = load(shared.address, "--in-flight", 4, "--requests", 200, "--warm-up", 0, "--protocol", protocol, *stream)
    run = only_run(report)
    assert (report["kind"], run["in_flight"], run["rate"], run["codes"]) == ("closed", 4, None, {"OK": 200})
    assert run["answered_per_s"] > 0


def test_a_server_of_plain_http_is_asked_with_a_body_of_ones_own(shared, load):
    body = '{"model": "{model}", "inputs": [{"text": {text}}]}'
    http = ("--protocol", "http", "--http-path", "/v1/classify", "-m", "sentiment-bert")
    run = only_run(load(shared.http_address, "--in-flight", 4, "--requests", 100, "--warm-up", 0, *http, "--http-body", body))
    assert run["codes"] == {"OK": 100} and run["server_ms"] is None
    refused = only_run(load(shared.http_address, "--in-flight", 1, "--requests", 5, "--warm-up", 0, *http, "--http-body",
                            '{"text": {text}}'))
    assert refused["codes"] == {"INVALID_ARGUMENT": 5}


def test_a_server_that_stands_still_is_seen(daemon, load):
    """Calls that were due meanwhile count from then on, though a closed loop would not have sent them."""
    d = daemon()
    stop = threading.Timer(0.7, lambda: d.process.send_signal(signal.SIGSTOP))
    go_on = threading.Timer(1.4, lambda: d.process.send_signal(signal.SIGCONT))
    stop.start(), go_on.start()
    try:
        run = only_run(load(d.address, "--rate", 100, "--arrivals", "constant", "--seconds", 2, "--warm-up", 0))
    finally:
        stop.join(), go_on.join()
    assert run["codes"] == {"OK": 200}
    assert run["latency_ms"]["all"]["p99"] > 400
    assert run["latency_ms"]["all"]["p50"] < run["latency_ms"]["all"]["p99"] / 2


def test_the_same_seed_plans_the_same_calls(shared, load):
    def planned(seed):
        report = load(shared.address, "--rate", 200, "--seconds", 0.5, "--warm-up", 0, "--seed", seed)
        return [(row["planned_s"], row["text"]) for row in report["rows"]]

    assert planned(7) == planned(7) != planned(8)


@pytest.mark.parametrize(
    "name, content, options",
    [
        ("texts.txt", f"{SECRET} eins\n{SECRET} zwei\n", []),
        ("texts.csv", f'id,review\n1,"{SECRET}, with\na line end"\n2,{SECRET}\n', ["--column", "review"]),
        ("texts.jsonl", f'{{"body": "{SECRET} eins"}}\n{{"body": "{SECRET} zwei"}}\n', ["--field", "body"]),
    ],
)
def test_texts_come_from_files_and_are_in_none(shared, load, tmp_path, name, content, options):
    file = tmp_path / name
    file.write_text(content)
    report = load(shared.address, "--in-flight", 2, "--requests", 20, "--warm-up", 0, "--file", file, *options)
    assert only_run(report)["codes"] == {"OK": 20}
    assert report["plan"]["texts"] == {"source": str(file), "count": 2}
    assert {row["text"] for row in report["rows"]} == {"0", "1"}
    check_no_text(report)


def check_no_text(report):
    files = list(report["out"].iterdir())
    assert {"report.json", "report.html", "requests.csv", "latency.hgrm"} == {f.name for f in files}
    for file in files:
        assert SECRET not in file.read_text()


def test_texts_and_tokens_of_the_command_line_are_in_no_file(shared, load):
    report = load(shared.address, "--in-flight", 1, "--requests", 5, "--warm-up", 0, "--token", SECRET, f"{SECRET} eins",
                  f"[{SECRET}]")
    assert only_run(report)["codes"] == {"OK": 5}
    assert "TEXT" in report["command"]
    check_no_text(report)


def test_synthetic_texts_have_the_lengths_that_were_asked_for(shared, load):
    report = load(shared.address, "--in-flight", 1, "--requests", 20, "--warm-up", 0, "--synthetic", "fixed:20")
    assert all(20 <= int(row["tokens"]) <= 80 for row in report["rows"])


def test_models_get_calls_by_their_weights(daemon, load, tmp_path):
    models = tmp_path / "two"
    for name in ("sentiment-bert", "sentiment-albert"):
        shutil.copytree(ROOT / "demo" / "models" / name, models / name)
    d = daemon(models=models)
    report = load(d.address, "--rate", 400, "--seconds", 1, "--warm-up", 0, "-m", "sentiment-bert=3", "-m", "sentiment-albert:1")
    assert only_run(report)["codes"] == {"OK": len(report["rows"])}
    share = sum(row["model"] == "sentiment-bert" for row in report["rows"]) / len(report["rows"])
    assert 0.65 < share < 0.85
    assert {(m["name"], m["version"], m["family"]) for m in report["server"]["models"]} == {
        ("sentiment-bert", "1", "bert"), ("sentiment-albert", "1", "albert")}


def test_an_unknown_model_is_an_error_of_every_call(shared, load):
    run = only_run(load(shared.address, "--rate", 50, "--seconds", 0.4, "--warm-up", 0, "--arrivals", "constant", "-m", "nobody"))
    assert run["codes"] == {"NOT_FOUND": 20}
    assert run["latency_ms"]["all"]["p50"] is None
    assert run["answered_per_s"] == run["goodput_per_s"] == 0


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_calls_past_their_deadline_are_no_goodput(daemon, slow_models, load, stream):
    """A model of 40 ms for each text alone, offered twice what it can do."""
    d = daemon("--batch-max-requests", "1", models=slow_models)
    report = load(d.address, "--rate", 50, "--arrivals", "constant", "--seconds", 2, "--warm-up", 0.5, "--deadline-ms", 400, *stream)
    run = only_run(report)
    assert run["calls"] == 100
    assert set(run["codes"]) <= {"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}
    assert run["codes"].get("RESOURCE_EXHAUSTED", 0) > 10
    assert 8 < run["goodput_per_s"] <= 1.05 * run["codes"]["OK"] / 2 < 50  # per second of two
    assert run["mean_batch"] == pytest.approx(1)
    assert report["plan"]["deadline_ms"] == 400


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_a_server_that_dies_stays_in_the_statistics(daemon, load, stream):
    d = daemon(exit_code=None)
    kill = threading.Timer(0.5, d.process.kill)
    kill.start()
    report = load(d.address, "--rate", 100, "--arrivals", "constant", "--seconds", 1, "--warm-up", 0, *stream)
    kill.join()
    run = only_run(report)
    assert run["calls"] == 100
    assert set(run["codes"]) <= {"OK", "UNAVAILABLE", "CANCELLED"}
    assert run["codes"]["UNAVAILABLE"] > 20
    assert run["latency_ms"]["all"]["p99"] is None
    assert run["latency_ms"]["answered"]["p99"] > 0


def test_recorded_arrivals_are_sent_as_they_were(shared, load, tmp_path):
    schedule = tmp_path / "schedule.tsv"
    schedule.write_text("".join(f"{100 + i / 50}\t20000\t{SECRET} {i}\n" for i in range(25)))
    report = load(shared.address, "--arrivals", schedule, "--warm-up", 0)
    assert only_run(report)["codes"] == {"OK": 25}
    assert [float(row["planned_s"]) for row in report["rows"]] == pytest.approx([i / 50 for i in range(25)])
    check_no_text(report)


def test_ctrl_c_ends_the_run_and_reports_it(shared, program):
    command = [program("bertha"), "load", "--address", shared.address, "--json", "--rate", "100", "--seconds", "600"]
    running = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)  # of which two are the warm-up
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=PATIENCE)
    report = json.loads(out)
    run = only_run(report)
    assert running.returncode == 1
    assert not report["valid"]
    assert any("interrupted" in reason for reason in report["invalid"])
    assert set(run["codes"]) == {"OK"}
    assert 0.2 < run["seconds"] < 60


@pytest.mark.slow
def test_the_capacity_is_found(shared, program):
    """How high it is is not for a busy machine to say."""
    command = [program("bertha"), "load", "--address", shared.address, "--find-capacity", "--slo", "p90=500ms", "--seconds", "0.2",
               "--warm-up", "0.1"]
    done = subprocess.run([str(c) for c in [*command, "--json"]], capture_output=True, text=True, timeout=PATIENCE)
    report = json.loads(done.stdout)
    assert report["kind"] == "capacity"
    assert done.returncode == (0 if report["valid"] else 1)
    assert report["objective"] == {"quantile": 0.9, "latency_ms": 500}
    assert report["capacity"]["tried"]
    assert len(report["runs"]) >= len(report["capacity"]["tried"])


def test_people_see_a_table(shared, bertha):
    done = bertha("load", "--rate", "100", "--seconds", "1", "--warm-up", "0.2", address=shared.address)
    text = done.stdout.decode()
    for word in ("open loop", "poisson", "seed 1", "p99.9", "latency", "tokenize", "queue", "compute", "sent late by", "answered", "OK"):
        assert word in text, text
    assert text.startswith("INVALID") == (done.returncode == 1)
    assert done.stderr == b""  # no progress where nobody watches


def test_a_terminal_shows_how_it_goes(shared, program):
    controller, terminal = pty.openpty()
    command = [str(program("bertha")), "load", "--address", shared.address, "--rate", "100", "--seconds", "1.5", "--warm-up", "0"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:  # EIO: the end
        pass
    running.wait(PATIENCE)
    os.close(controller)
    for word in (b"/s", b"p50", b"p99", b"0 errors", b"s left"):
        assert word in shown


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--seconds", "1"], "says what to measure"),
        (["--rate", "5", "--in-flight", "1"], "says what to measure"),
        (["--rate", "0"], "--rate"),
        (["--rate", "5", "--requests", "3"], "--requests"),
        (["--rate", "5", "--slo", "fast"], "--slo"),
        (["--rate", "5", "--arrivals", "whenever"], "whenever"),
        (["--rate", "5", "--synthetic", "long"], "long"),
        (["--rate", "5", "-m", "a=0"], "weight"),
        (["--rate", "5", "--file", "/nowhere/at-all"], "--file"),
        (["--rate", "5", "--column", "text", "a text"], "--file"),
        (["--rate", "5", "--synthetic", "fixed:3", "a text"], "one of them"),
        (["--in-flight", "5", "--protocol", "soap"], "--protocol"),
        (["--in-flight", "5", "--protocol", "http", "--stream"], "--stream"),
        (["--in-flight", "5", "--protocol", "http", "--http-body", "{}"], "{text}"),
        (["--in-flight", "5", "--protocol", "http", "--load-balancing", "round_robin"], "--load-balancing"),
        (["--in-flight", "5", "--load-balancing", "random"], "--load-balancing"),
        (["--rate", "5", "--out", "/proc/nothing"], "/proc/nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(shared, bertha, arguments, message):
    done = bertha("load", *arguments, address=shared.address)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.decode()
    assert done.stdout == b""


@pytest.mark.parametrize(
    "content, message", [("", "wanted calls"), ("0.1\t50\tfine\n0.05\t50\tearlier\n", "line 2"), ("soon\t50\ttext\n", "line 1")])
def test_a_wrong_schedule_is_refused(bertha, tmp_path, content, message):
    schedule = tmp_path / "schedule.tsv"
    schedule.write_text(content)
    done = bertha("load", "--arrivals", schedule)
    assert done.returncode == 2
    assert message in done.stderr.decode()


@pytest.mark.parametrize("protocol", ["bertha", "oip"])
def test_where_nobody_listens_nothing_is_measured(bertha, protocol):
    with dead_address() as address:
        done = bertha("load", "--rate", "5", "--protocol", protocol, address=address)
    assert done.returncode == 3
    assert "cannot reach" in done.stderr.decode()


def test_a_model_that_the_protocol_does_not_know_ends_it(shared, bertha):
    done = bertha("load", "--rate", "5", "--protocol", "oip", "-m", "nobody", address=shared.address)
    assert done.returncode == 1
    assert "NOT_FOUND" in done.stderr.decode()


@pytest.mark.slow
def test_the_self_test_passes(bertha):
    done = bertha("load", "--self-test")
    assert done.returncode == 0, done.stderr
    assert "closed loop" in done.stdout.decode()


@pytest.mark.slow
def test_a_sweep_shows_latency_over_load(shared, program, tmp_path):
    command = [program("bertha"), "load", "--address", shared.address, "--sweep", "--slo", "p90=500ms", "--seconds", "0.2", "--warm-up",
               "0.1", "--out", tmp_path / "out"]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads((pathlib.Path(tmp_path) / "out" / "report.json").read_text())
    assert report["kind"] == "sweep"
    if report["capacity"]["per_s"] > 0:
        rates = [run["rate"] for run in report["runs"]]
        assert len(rates) > 5 and rates == sorted(rates)
        assert rates[-1] == pytest.approx(5 * report["capacity"]["per_s"], rel=0.05)
