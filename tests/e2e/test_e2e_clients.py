"""The real command line and the Python client against the real daemon."""

import csv
import io
import json
import subprocess
import sys

import pytest

from e2e_support import PATIENCE, TOLERANCE, best_label, dead_address, environment, largest_difference
from e2e_texts import LINES

TEXTS = [t for t in LINES if not set(t) & set("\n\r\0")]  # a line each; an argument cannot hold NUL
KEYS = {"index", "label", "score", "scores", "timing_us", "tokens", "truncated", "model", "version", "engine"}
KEYS |= {"batch_size", "windows"}


@pytest.fixture
def cli(bertha, shared):
    def run(*arguments, stdin=b""):
        return bertha(*arguments, address=shared.address, stdin=stdin)

    return run


def rows_of(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_has_every_key_and_the_references_answers(cli, package, reference):
    rows = rows_of(cli("classify", "--json", "--logits", stdin="".join(f"{t}\n" for t in TEXTS).encode()))
    assert [r["index"] for r in rows] == list(range(len(TEXTS)))
    for text, row in zip(TEXTS, rows):
        assert set(row) == KEYS | {"logits"}
        expected = reference.logits(text)
        assert largest_difference(row["logits"], expected) <= TOLERANCE, text
        assert row["label"] == row["scores"][0]["label"] and row["score"] == row["scores"][0]["score"]
        assert row["label"] == best_label(reference.labels, row["logits"])
        assert row["tokens"] == len(reference.encode(text).ids)
        assert row["truncated"] is (reference.full_length(text) > reference.max_length)
        assert (row["model"], row["version"], row["engine"]) == (package.parent.name, int(package.name), "fused")
        assert set(row["timing_us"]) == {"tokenize", "queue", "compute", "total"}
        assert row["timing_us"]["total"] >= row["timing_us"]["compute"] > 0
        assert row["batch_size"] >= 1


def test_arguments_file_and_stdin_give_the_same(cli, tmp_path):
    texts = ["I love it", "I hate it", "Ça va, où ça ?"]
    file = tmp_path / "texts"
    file.write_text("\n".join(texts) + "\n")

    def labels(done):
        return [(r["index"], r["label"], pytest.approx(r["score"], abs=1e-5)) for r in rows_of(done)]

    by_arguments = labels(cli("classify", "--json", *texts))
    assert len(by_arguments) == 3
    assert by_arguments == labels(cli("classify", "--json", "--file", file))
    assert by_arguments == labels(cli("classify", "--json", stdin=file.read_bytes()))
    assert by_arguments == labels(cli("classify", "--json", "-", stdin=file.read_bytes()))


def test_csv_agrees_with_json(cli):
    texts = ["I love it", 'a "quoted", text', "neutral"]
    done = cli("classify", "--csv", *texts)
    assert done.returncode == 0
    table = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    rows = rows_of(cli("classify", "--json", *texts))
    assert [(r["index"], r["label"], r["tokens"]) for r in table] == [
        (str(r["index"]), r["label"], str(r["tokens"])) for r in rows
    ]
    assert [float(r["score"]) for r in table] == pytest.approx([r["score"] for r in rows], abs=1e-4)
    assert all(r["error"] == "" for r in table)


def test_the_table_shows_label_score_and_text(cli, reference):
    done = cli("classify", "I love it", "I hate it")
    assert done.returncode == 0 and not done.stderr
    out = done.stdout.decode()
    for row in rows_of(cli("classify", "--json", "I love it", "I hate it")):
        line = next(line for line in out.splitlines() if ["I love it", "I hate it"][row["index"]] in line)
        assert row["label"] in line
    single = cli("classify", "I love it").stdout.decode()
    assert all(label in single for label in reference.labels)


def test_many_lines_stay_in_order(cli):
    texts = [TEXTS[i % len(TEXTS)] for i in range(1500)]
    rows = rows_of(cli("classify", "--json", "--batch", "32", stdin="\n".join(texts).encode() + b"\n"))
    assert [r["index"] for r in rows] == list(range(1500))
    first = {t: r for t, r in zip(texts, rows[: len(TEXTS)])}
    for text, row in zip(texts, rows):
        assert row["tokens"] == first[text]["tokens"]
        assert dict_of_scores(row) == pytest.approx(dict_of_scores(first[text]), abs=1e-4)


def dict_of_scores(row):
    return {s["label"]: s["score"] for s in row["scores"]}


def test_a_bad_line_fails_alone_and_the_exit_code_says_so(cli, reference):
    long = b"word " * (2 * reference.max_length)
    done = cli("classify", "--json", "--truncation", "error", stdin=b"good\nbad \xff byte\n" + long + b"\nfine\n")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["index"] for r in rows] == [0, 1, 2, 3]
    assert ["error" in r for r in rows] == [False, True, True, False]
    assert {r["error"]["code"] for r in rows if "error" in r} == {"INVALID_ARGUMENT"}


def test_options_reach_the_daemon(cli, reference):
    long = "wonderful " * reference.max_length + "terrible " * reference.max_length
    (row,) = rows_of(cli("classify", "--json", "--logits", "--truncation", "left", "--top-k", "1", long))
    assert len(row["scores"]) == 1 and row["truncated"] is True
    assert largest_difference(row["logits"], reference.logits(long, "left")) <= TOLERANCE
    (row,) = rows_of(cli("classify", "--json", "--logits", "--pair", "second", "first"))
    assert largest_difference(row["logits"], reference.logits(("first", "second"))) <= TOLERANCE


@pytest.mark.parametrize(
    "arguments, code, word",
    [
        (["classify", "--model", "nobody", "x"], 1, b"nobody"),
        (["classify", "--file", "/nonexistent/file"], 2, b"/nonexistent/file"),
        (["classify", "--frobnicate", "x"], 2, b"--frobnicate"),
        (["sing"], 2, b"sing"),
        (["health", "--model", "nobody"], 1, b"nobody"),
    ],
)
def test_exit_codes(cli, arguments, code, word):
    done = cli(*arguments)
    assert done.returncode == code
    assert word in done.stdout + done.stderr


def test_no_server_is_exit_code_3(bertha):
    with dead_address() as address:
        for arguments in (["classify", "--timeout", "2", "x"], ["health"], ["models"]):
            done = bertha(*arguments, address=address)
            assert done.returncode == 3, arguments
            assert address.encode() in done.stderr


def test_health_and_models(cli, package):
    assert cli("health").returncode == 0
    assert cli("health", "--model", package.parent.name, "--wait", "10").returncode == 0
    done = cli("models")
    assert done.returncode == 0 and package.parent.name in done.stdout.decode() and b"SERVING" in done.stdout
    rows = rows_of(cli("models", "--json"))
    assert (package.parent.name, int(package.name), "SERVING") in [(r["model"], r["version"], r["state"]) for r in rows]


def test_the_python_client_in_one_line(shared, reference):
    code = f"from bertha import Client; print(Client({shared.address!r}).classify('I love it', raw_logits=True).logits)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment())
    assert done.returncode == 0, done.stderr
    logits = [float(x) for x in done.stdout.strip("()\n").split(",")]
    assert largest_difference(logits, reference.logits("I love it")) <= TOLERANCE


def test_the_python_client_answers_many_and_raises_what_failed(shared, reference):
    from bertha import BerthaError, Client

    with Client(shared.address) as client:
        results = client.classify(TEXTS * 10, raw_logits=True, timeout=PATIENCE)  # more than one call takes
        assert len(results) == 10 * len(TEXTS) > 256
        for text, result in zip(TEXTS * 10, results):
            assert result.tokens == len(reference.encode(text).ids)
        with pytest.raises(BerthaError, match="nobody"):
            client.classify("x", model="nobody")
