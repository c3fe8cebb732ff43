"""`bertha classify` against a fake server: what goes in, what people and scripts see."""
import csv
import fcntl
import io
import os
import pty
import struct
import subprocess
import termios

import pytest

from bertha.v1 import bertha_pb2
from cli_tools import json_lines, read_terminal
from fake_server import score_of


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
        "windows": 1,
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
        "windows,error"
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


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ("--model fake:7", ("fake", 7, "")),
        ("--model fake:stable", ("fake", 0, "stable")),
        ("--model :stable", ("", 0, "stable")),
        ("--model-version 7 --model fake", ("fake", 7, "")),
    ],
)
def test_a_model_is_named_with_its_version_or_label(cli, server, arguments, expected):
    done = cli("classify", "text", *arguments.split())
    assert done.returncode == 0, done.stderr
    (request,) = server.bertha.calls
    assert (request.model, request.version, request.version_label) == expected


def test_a_long_text_in_windows_says_how_many(cli, server):
    long = "word " * 30
    alone = cli("classify", long, "--truncation", "window", "--stride", "4")
    assert "32 tokens in 2 windows (longer than the model takes)" in alone.stdout.decode()
    table = cli("classify", long, "short", "--long-texts", "window").stdout.decode()
    assert " 32w2 " in table and "wN after tokens: longer than the model takes, computed in N windows" in table
    assert json_lines(cli("classify", long, "--truncation", "window", "--json"))[0]["windows"] == 2
    options = [call.options for call in server.bertha.calls]
    assert {o.truncation for o in options} == {bertha_pb2.TRUNCATION_POLICY_WINDOW}
    assert options[0].stride == 4 and not options[1].HasField("stride")


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
