"""The built `bertha` against a fake server: what people and scripts see."""
import contextlib
import csv
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import shutil
import socket
import struct
import subprocess
import termios
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2

from bertha.v1 import bertha_pb2
from fake_server import Failure, score_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def json_lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def dead_address():
    """An address where connections are refused: the port is taken, but nobody listens."""
    with socket.socket() as s:
        s.bind(("localhost", 0))
        yield f"localhost:{s.getsockname()[1]}"


def read_terminal(controller):
    """All that was written to a terminal whose other end is closed; it comes in pieces."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the end
        while piece := os.read(controller, 65536):
            shown += piece
    os.close(controller)
    return shown.decode()


# --- formats ---------------------------------------------------------------------------------------------------------


def test_json_carries_the_whole_answer(cli):
    done = cli("classify", "I love it", "--json", "--logits")
    assert done.returncode == 0, done.stderr
    label, score = score_of("I love it")
    (answer,) = json_lines(done)
    assert [s["label"] for s in answer["scores"]][0] == label
    assert len(answer.pop("scores")) == 3
    assert answer.pop("score") == pytest.approx(score)
    assert answer == {
        "index": 0,
        "label": label,
        "logits": [1.5, -0.25, 0.125],
        "timing_us": {"tokenize": 11, "queue": 22, "compute": 1700, "total": 1750},
        "tokens": 5,
        "truncated": False,
        "model": "fake",
        "version": 3,
        "engine": "rule",
        "batch_size": 1,
    }


def test_csv_is_read_back_by_a_csv_reader(cli):
    done = cli("classify", "--csv", stdin="good\nbad \udcff\n".encode(errors="surrogateescape"))
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert list(rows[0]) == (
        "index,label,score,tokens,truncated,tokenize_us,queue_us,compute_us,total_us,batch_size,model,version,engine,"
        "error"
    ).split(",")
    assert [(r["index"], r["label"]) for r in rows] == [("0", score_of("good")[0]), ("1", "")]
    assert float(rows[0]["score"]) == pytest.approx(score_of("good")[1])
    assert rows[0]["total_us"] == "1750" and rows[0]["error"] == ""
    assert rows[1]["error"].startswith("INVALID_ARGUMENT: text is not UTF-8: bad byte at offset 4")


def test_one_text_shows_every_label_and_where_the_time_went(cli):
    text = cli("classify", "I love it").stdout.decode()
    assert all(label in text for label in ("negative", "neutral", "positive"))
    assert "1.75 ms: tokenize 11 µs, queue 22 µs, compute 1.70 ms; 5 tokens in a batch of 1; fake v3" in text
    assert "\033" not in text  # standard output is no terminal


def test_texts_are_taken_as_they_stand(cli, server):
    texts = ["[MASK]", "[a,b]", "[]", "", "a,b", "{}", '"quoted"', "%", "k=v"]
    assert cli("classify", "--json", *texts).returncode == 0
    assert [i.text for call in server.bertha.calls for i in call.inputs] == texts


def test_several_texts_show_a_table(cli):
    lines = cli("classify", "first one", "second one").stdout.decode().splitlines()
    assert lines[0].split() == ["#", "LABEL", "SCORE", "TOKENS", "TIME", "TEXT"]
    assert lines[1].split()[:2] == ["0", score_of("first one")[0]] and lines[1].endswith("first one")
    assert lines[2].split()[:2] == ["1", score_of("second one")[0]] and lines[2].endswith("second one")
    assert lines[3].startswith("mean: tokenize 11 µs")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_colour_and_its_own_width_unless_no_color_is_set(cli, server, no_color):
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {"BERTHA_ADDRESS": server.address, "TERM": "xterm", "NO_COLOR": no_color}
    done = subprocess.run([cli.binary, "classify", "x" * 200, "y"], stdout=terminal, stderr=subprocess.PIPE, env=env)
    os.close(terminal)
    shown = read_terminal(controller)
    assert done.returncode == 0
    assert ("\033[" in shown) == (no_color == "")
    assert "x…" in shown
    if no_color:
        assert len(shown.splitlines()[1]) == 80


# --- options on the wire ---------------------------------------------------------------------------------------------


def test_options_reach_the_server(cli, server):
    done = cli(
        *"classify text --model fake --model-version 3 --top-k 2 --threshold 0.25 --truncation left --logits --json".split()
    )
    assert done.returncode == 0, done.stderr
    (request,) = server.bertha.calls
    assert (request.model, request.version) == ("fake", 3)
    expected = bertha_pb2.ClassifyOptions(
        top_k=2, threshold=0.25, raw_logits=True, truncation=bertha_pb2.TRUNCATION_POLICY_LEFT
    )
    assert request.options == expected
    assert not request.inputs[0].HasField("text_pair")


def test_pairs_come_from_a_separator_or_from_one_option(cli, server):
    assert cli("classify", "--pair-separator", r"\t", "--json", stdin="a\tb\tc\nd\t\n").returncode == 0
    assert cli("classify", "--pair", "all", "e", "f").returncode == 0
    sent = [(i.text, i.text_pair) for call in server.bertha.calls for i in call.inputs]
    assert sent == [("a", "b\tc"), ("d", ""), ("e", "all"), ("f", "all")]


def test_texts_come_from_a_file_from_a_dash_or_after_two_dashes(cli, server, tmp_path):
    file = tmp_path / "texts"
    file.write_bytes("\ufeffone\r\n\r\nthree".encode())
    assert cli("classify", "--file", str(file)).returncode == 0
    assert cli("classify", "-", stdin="from stdin\n").returncode == 0
    assert cli("classify", "--", "--json", "models").returncode == 0
    assert [[i.text for i in c.inputs] for c in server.bertha.calls] == [
        ["one", "", "three"],
        ["from stdin"],
        ["--json", "models"],
    ]


# --- order, isolation, flow ------------------------------------------------------------------------------------------


def test_twenty_thousand_lines_come_back_in_order(cli, server):
    texts = [f"line {i} {'x' * (i % 7)}" for i in range(20_000)]
    done = cli("classify", "--json", "--batch", "100", "--in-flight", "6", stdin="\n".join(texts))
    assert done.returncode == 0, done.stderr
    answers = json_lines(done)
    assert [a["index"] for a in answers] == list(range(20_000))
    assert [a["label"] for a in answers] == [score_of(t)[0] for t in texts]
    assert sum(len(c.inputs) for c in server.bertha.calls) == 20_000
    assert max(len(c.inputs) for c in server.bertha.calls) == 100


def test_calls_are_in_flight_together_and_no_more_than_allowed(cli, server, tmp_path):
    server.bertha.hold = threading.Barrier(3)  # breaks, and the calls fail, unless three meet
    file = tmp_path / "texts"
    file.write_text("text\n" * 12)
    done = cli("classify", "--file", str(file), "--batch", "1", "--in-flight", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert server.bertha.most_in_flight == 3


def peak_memory(cli, server, lines):
    """Peak resident KiB of a run over `lines` lines of 2 kB from a pipe, once it has read them all but the last few. (The
    ru_maxrss of a child begins with the size of the process that started it, which here is larger than the child.)"""
    child = subprocess.Popen(
        [cli.binary, "classify", "--csv", "--batch", "64"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={"BERTHA_ADDRESS": server.address},
    )
    line = b"x" * 2000 + b"\n"
    for _ in range(lines // 100):
        child.stdin.write(line * 100)
    status = pathlib.Path(f"/proc/{child.pid}/status").read_text()
    child.stdin.close()
    assert child.wait(timeout=300) == 0
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1))


def test_memory_does_not_grow_with_the_input(cli, server):
    few, many = peak_memory(cli, server, 2_000), peak_memory(cli, server, 20_000)
    assert many - few < 8 * 1024, f"{few} KiB for 4 MB, {many} KiB for 40 MB"


def test_answers_come_while_the_input_is_still_open(cli, server):
    child = subprocess.Popen(
        [cli.binary, "classify", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"BERTHA_ADDRESS": server.address},
    )
    watchdog = threading.Timer(60, child.kill)  # a client that waits for more input must fail, not hang
    watchdog.start()
    for text in ("one", "two"):
        child.stdin.write(f"{text}\n".encode())
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["label"] == score_of(text)[0]
    child.stdin.close()
    assert child.wait(timeout=60) == 0
    watchdog.cancel()
    child.stdout.close()


def test_a_line_that_is_not_utf8_fails_alone(cli, server):
    done = cli("classify", "--json", stdin=b"good\nbad \xff\n\ngood too\n")
    assert done.returncode == 1
    answers = json_lines(done)
    assert [a["index"] for a in answers] == [0, 1, 2, 3]
    assert ["error" in a for a in answers] == [False, True, False, False]
    assert answers[1] == {
        "index": 1,
        "error": {
            "code": "INVALID_ARGUMENT",
            "message": "text is not UTF-8: bad byte at offset 4; convert it, e.g. with iconv",
        },
    }
    assert answers[2]["label"] == score_of("")[0]
    assert done.stderr.decode().splitlines() == [
        "bertha: 1 of 4 inputs failed; the first: index 1: INVALID_ARGUMENT: text is not UTF-8: bad byte at offset 4; "
        "convert it, e.g. with iconv"
    ]


def test_of_a_refused_call_only_the_overlong_text_fails(cli):
    long_text = "word " * 30
    texts = ["short"] * 20 + [long_text] + ["brief"] * 11
    done = cli("classify", "--truncation", "error", "--json", stdin="\n".join(texts))
    assert done.returncode == 1
    answers = json_lines(done)
    assert len(answers) == 32
    assert [a["index"] for a in answers if "error" in a] == [20]
    assert "32 tokens; the limit is 16" in answers[20]["error"]["message"]
    assert answers[31]["label"] == score_of("brief")[0]


# --- errors and retries ----------------------------------------------------------------------------------------------


def test_a_full_queue_is_retried_no_sooner_than_the_server_asks(cli, server):
    server.bertha.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full", pushback_ms=150)]
    started = time.monotonic()
    done = cli("classify", "text", "--json")
    assert done.returncode == 0, done.stderr
    assert len(server.bertha.calls) == 2
    assert time.monotonic() - started >= 0.15


def test_retries_end_with_the_timeout_and_the_server_has_the_last_word(cli, server):
    server.bertha.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full", pushback_ms=1500)] * 1000
    done = cli("classify", "text", "--json", "--timeout", "2.9")  # half of it for each of two calls
    assert done.returncode == 1
    assert json_lines(done)[0]["error"] == {"code": "RESOURCE_EXHAUSTED", "message": "queue full"}
    assert len(server.bertha.calls) == 2


def test_a_server_that_says_do_not_retry_is_not_asked_again(cli, server):
    server.bertha.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "go away", pushback_ms=-1)]
    assert cli("classify", "text").returncode == 1
    assert len(server.bertha.calls) == 1


def test_unavailable_is_retried(cli, server):
    server.bertha.failures = [Failure(grpc.StatusCode.UNAVAILABLE, "still loading")] * 2
    assert cli("classify", "text").returncode == 0
    assert len(server.bertha.calls) == 3


def test_an_internal_error_fails_the_input_that_causes_it_and_no_other(cli, server):
    server.bertha.failures = [Failure(grpc.StatusCode.INTERNAL, "engine fault")] * 2  # of both together, of the first alone
    done = cli("classify", "--json", "--batch", "2", "--in-flight", "1", stdin="a\nb\nc\nd\n")
    assert done.returncode == 1
    assert [a.get("error", {}).get("code") for a in json_lines(done)] == ["INTERNAL", None, None, None]


def test_an_unknown_model_ends_the_run_with_one_line_that_names_the_loaded_ones(cli, server):
    done = cli("classify", "--model", "nope", "--json", stdin="a\n" * 5000)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == 'bertha: NOT_FOUND: no model "nope"; loaded: fake\n'
    assert len(server.bertha.calls) < 30


@pytest.mark.parametrize("command", ["classify text", "models", "health", "health --wait 0.2"])
def test_no_server_is_exit_code_3_and_says_what_to_do(cli, dead_address, command):
    done = cli(*command.split(), "--address", dead_address)
    assert done.returncode == 3
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"bertha: cannot reach berthad at {dead_address}: ")
    assert line.endswith("; start it with scripts/serve or pass --address HOST:PORT")


def test_a_refused_connection_is_called_so_and_told_at_once(cli, dead_address):
    started = time.monotonic()
    done = cli("classify", "text", "--address", dead_address)
    assert "Connection refused" in done.stderr.decode()
    assert time.monotonic() - started < 15  # not the timeout of 30 s


@pytest.mark.parametrize(
    "command, complaint",
    [
        ("", "subcommand is required"),
        ("classfy text", "no such command: classfy"),
        ("classify text --nonsense", "--nonsense"),
        ("classify text --threshold 2", "--threshold"),
        ("classify text --batch 0", "--batch"),
        ("classify text --top-k -1", "--top-k"),
        ("classify text --truncation middle", "--truncation"),
        ("classify text --logits", "--logits requires --json"),
        ("classify text --json --csv", "--json"),
        ("classify text -", "cannot be mixed"),
        ("classify text --file f", "--file"),
        ("classify --file /nonexistent/file", "No such file"),
        ("classify --file /", "it is a directory"),
        ("health --wait x", "--wait"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(cli, server, command, complaint):
    done = cli(*command.split())
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("bertha: ") and complaint in line
    assert server.bertha.calls == []


def test_a_reader_that_leaves_early_is_no_error(cli, server, tmp_path):
    file = tmp_path / "texts"
    file.write_text("text\n" * 20_000)
    child = subprocess.Popen(
        [cli.binary, "classify", "--csv", "--file", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"BERTHA_ADDRESS": server.address},
    )
    assert child.stdout.readline().startswith(b"index,")
    child.stdout.close()
    assert child.wait(timeout=60) == 0
    assert child.stderr.read() == b""
    child.stderr.close()
    assert sum(len(c.inputs) for c in server.bertha.calls) < 20_000


def test_a_full_disk_is_an_error(cli, server):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [cli.binary, "classify", "text"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={"BERTHA_ADDRESS": server.address},
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "bertha: cannot write standard output: No space left on device\n"


def test_no_input_is_no_error(cli, server):
    done = cli("classify", "--csv")
    assert done.returncode == 0
    assert done.stdout.decode().count("\n") == 1  # the header
    assert server.bertha.calls == []


def test_progress_is_drawn_only_on_a_terminal(cli, server, tmp_path):
    """The server withholds its answers until the run has taken more than the half second that progress waits for."""
    file = tmp_path / "texts"
    file.write_text("text\n" * 64)
    env = {"BERTHA_ADDRESS": server.address, "TERM": "xterm"}

    def run(stderr):
        server.bertha.failures = [Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", pushback_ms=600)]
        command = [cli.binary, "classify", "--json", "--in-flight", "1", "--file", str(file)]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, env=env)

    controller, terminal = pty.openpty()
    assert run(terminal).returncode == 0
    os.close(terminal)
    shown = read_terminal(controller)
    assert "% " in shown and "ETA" in shown
    assert shown.endswith("\r\033[K")  # erased at the end
    assert run(subprocess.PIPE).stderr == b""


# --- models, health, package, help -----------------------------------------------------------------------------------


def test_models_as_table_and_as_json(cli, server):
    server.bertha.models = [
        bertha_pb2.ModelStatus(
            model={"name": "mood", "version": 2, "engine": "torchscript", "device": "cpu", "dtype": "fp32"},
            state=bertha_pb2.ModelStatus.STATE_SERVING,
            family="bert",
            task="sequence-classification",
            labels=["neg", "pos"],
            max_length=128,
            probe_count=8,
            is_default=True,
        ),
        bertha_pb2.ModelStatus(
            model={"name": "torn", "version": 1},
            state=bertha_pb2.ModelStatus.STATE_FAILED,
            reason="model.pt: checksum differs",
        ),
    ]
    table = cli("models")
    assert table.returncode == 0
    assert "mood*" in table.stdout.decode() and "refused: model.pt: checksum differs" in table.stdout.decode()
    good, bad = json_lines(cli("models", "--json"))
    assert (good["model"], good["version"], good["state"], good["labels"]) == ("mood", 2, "SERVING", ["neg", "pos"])
    assert (bad["state"], bad["reason"]) == ("FAILED", "model.pt: checksum differs")


def test_health_is_0_only_when_serving(cli, server):
    server.health.set("", SERVING)
    server.health.set("mood", NOT_SERVING)
    assert (cli("health").returncode, cli("health").stdout) == (0, b"SERVING\n")
    sick = cli("health", "--model-name", "mood", "--json")
    assert sick.returncode == 1
    assert json_lines(sick) == [{"address": server.address, "model": "mood", "status": "NOT_SERVING"}]
    unknown = cli("health", "--model-name", "nope")
    assert unknown.returncode == 1
    assert b"the server knows no model 'nope'" in unknown.stderr


def test_health_wait_returns_when_the_server_begins_to_serve(cli, server):
    server.health.set("", NOT_SERVING)
    child = subprocess.Popen(
        [cli.binary, "health", "--wait", "30"], stdout=subprocess.PIPE, env={"BERTHA_ADDRESS": server.address}
    )
    assert server.health.watched.wait(timeout=60)
    server.health.set("", SERVING)
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out) == (0, b"SERVING\n")


def test_health_wait_gives_up(cli, server):
    server.health.set("", NOT_SERVING)
    done = cli("health", "--wait", "2")  # time to be told on a busy machine too
    assert (done.returncode, done.stdout) == (1, b"NOT_SERVING\n")


def test_package_hands_all_arguments_to_the_program_beside_it(cli, tmp_path):
    binary = shutil.copy2(cli.binary, tmp_path / "bertha")
    missing = cli("package", "verify", "DIR", binary=binary)
    assert missing.returncode == 2
    assert f"bertha: cannot start {tmp_path}/bertha-package: No such file" in missing.stderr.decode()
    helper = tmp_path / "bertha-package"
    helper.write_text('#!/bin/sh\necho "got: $*"\nexit 5\n')
    helper.chmod(0o755)
    done = cli("package", "verify", "--help", "DIR", binary=binary)
    assert (done.returncode, done.stdout) == (5, b"got: verify --help DIR\n")


@pytest.mark.parametrize("command", ["", "classify", "models", "health"])
def test_help_has_examples_and_exit_codes(cli, command):
    done = cli(*command.split(), "--help")
    assert done.returncode == 0 and done.stderr == b""
    text = done.stdout.decode()
    assert "Examples:" in text and f"  bertha {command}" in text
    for code in ("0  all inputs answered", "1  some inputs failed", "2  wrong usage", "3  cannot reach the server"):
        assert code in text


def test_version(cli):
    assert cli("--version").stdout.decode().startswith("bertha 0.")
