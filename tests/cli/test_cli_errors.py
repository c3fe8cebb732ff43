"""What `bertha` does when the server refuses, is not there, or the command line is wrong."""
import os
import pty
import socket
import subprocess
import time

import grpc
import pytest

from cli_tools import json_lines, read_terminal
from fake_server import Failure


@pytest.fixture
def dead_address():
    """An address where connections are refused: the port is taken, but nobody listens."""
    with socket.socket() as s:
        s.bind(("localhost", 0))
        yield f"localhost:{s.getsockname()[1]}"


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


@pytest.mark.parametrize(
    "command, rpc, advice",
    [
        ("tag text", "Classify, not TagTokens", "classify"),
        ("classify text", "TagTokens, not Classify", "tag"),
        ("embed text", "Answer, not Embed", "answer"),
        ("answer -q q -c c", "Embed, not Answer", "embed"),
    ],
)
def test_a_model_of_another_task_ends_the_run_with_the_command_to_use(cli, server, command, rpc, advice):
    message = f'the model "fake" does something else; call {rpc}'
    server.bertha.failures = [Failure(grpc.StatusCode.FAILED_PRECONDITION, message)]
    done = cli(*command.split())
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line == f'bertha: FAILED_PRECONDITION: the model "fake" does something else; use `bertha {advice}`'


@pytest.mark.parametrize(
    "command",
    ["classify text", "tag text", "embed text", "answer -q q -c c", "models", "health", "health --wait 0.2"],
)
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
        ("classify text --stride 3", "--truncation window"),
        ("classify text --model fake:", "NAME:VERSION or NAME:LABEL"),
        ("classify text --model fake:2 --model-version 3", "--model says which version already"),
        ("classify text --logits", "--logits requires --json"),
        ("classify text --json --csv", "--json"),
        ("classify text -", "cannot be mixed"),
        ("classify text --file f", "--file"),
        ("classify --file /nonexistent/file", "No such file"),
        ("classify --file /", "it is a directory"),
        ("tag text --aggregation most", "--aggregation"),
        ("tag text --threshold 2", "--threshold"),
        ("answer text", "text"),
        ("answer --question q", "--context TEXT or --context-file FILE"),
        ("answer --context c", "--question"),
        ("answer -q q -c c --context-file f", "--context"),
        ("answer -q q --context-file /nonexistent/file", "No such file"),
        ("answer -q q --context-file /", "directory"),
        ("answer -q q --file f", "--file"),
        ("answer -q - --context-file -", "standard input"),
        ("answer -q q -c c --top-k 0", "--top-k"),
        ("embed text --pooling sum", "--pooling"),
        ("embed text --normalize --no-normalize", "--normalize"),
        ("embed text --tokens --pooling cls", "--tokens"),
        ("embed text --tokens --npy f", "--npy"),
        ("embed text --tokens --truncation window", "--truncation window"),
        ("embed text --json --npy f", "--npy"),
        ("embed text --npy /nonexistent/file", "cannot write /nonexistent/file"),
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
