"""Many texts through `bertha` against a fake server: order, isolation, memory, progress."""
import json
import pathlib
import re
import subprocess
import threading

from cli_tools import json_lines
from fake_server import score_of


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
