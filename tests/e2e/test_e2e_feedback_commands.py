"""bertha feedback export and report, on databases that the test fills."""

import contextlib
import functools
import json
import sqlite3

import pytest

from e2e_feedback import exported_rows, exported_texts, record
from e2e_support import free_port

OK_EXIT, USAGE, UNREACHABLE = 0, 2, 3


@pytest.fixture
def filled(program, tmp_path, daemon):
    """fill(rows) makes a database with them: (text, model, version, label, verdict), a second apart from 2026-11-01."""
    where = tmp_path / "filled.db"
    d = daemon("--feedback-database", where)
    record(d.stub(), "makes the schema")
    d.signal()
    d.wait()

    def fill(rows):
        begin = 1_793_491_200  # 2026-11-01T00:00:00Z
        with contextlib.closing(sqlite3.connect(where)) as db, db:
            db.execute("DELETE FROM bertha_votes")
            for second, row in enumerate(rows):
                db.execute(
                    "INSERT INTO bertha_votes (time_us, text, model, version, label, verdict, score, correct_label, "
                    "client, request_id) VALUES (?, ?, ?, ?, ?, ?, 0.5, '', '', '')",
                    ((begin + second) * 1_000_000, *row),
                )
        return where

    return fill


def test_export_chooses_by_time_and_model(filled, bertha):
    where = filled([(str(i), "ab"[i % 2], 1, "x", "right") for i in range(10)])
    texts = functools.partial(exported_texts, bertha, where)
    assert texts("--since", "2026-11-01T00:00:07Z") == ["7", "8", "9"]
    assert texts("--until", "2026-11-01T00:00:02") == ["0", "1"]
    assert texts("--since", "2026-11-02") == [] and len(texts("--since", "2026-11-01")) == 10
    assert texts("--since", "2026-11-01T01:00:07+01:00", "--model", "b") == ["7", "9"]
    assert texts("--model", "nobody") == []


def test_export_for_spreadsheets_disarms_formulas_and_is_exact_otherwise(filled, bertha):
    where = filled([("=1+1", "m", 1, "x", "right"), ("fine", "m", 1, "x", "right")])
    exact = exported_rows(bertha, where)
    disarmed = exported_rows(bertha, where, "--spreadsheet")
    assert [r["text"] for r in exact] == ["=1+1", "fine"]
    assert [r["text"] for r in disarmed] == ["'=1+1", "fine"]


def test_report_says_who_wins(filled, bertha):
    rows = [("both", "a", 1, "x", "right"), ("both", "b", 1, "y", "wrong"), ("only a", "a", 1, "x", "wrong")]
    where = filled(rows)
    shown = bertha("feedback", "report", "--database", where).stdout.decode()
    for words in ("3 votes on 2 texts", "a:1", "0.500", "0.095 to 0.905", "FIRST WINS", "a:1 said x: 1 right, 0 wrong"):
        assert words in shown
    report = json.loads(bertha("feedback", "report", "--database", where, "--json").stdout)
    assert report["pairs"] == [{"first": {"model": "a", "version": 1}, "second": {"model": "b", "version": 1},
                                "first_wins": 1, "second_wins": 0, "ties": 0}]
    assert [d["text"] for d in report["disputed"]] == ["both"]
    report = json.loads(bertha("feedback", "report", "--database", where, "--json", "--texts", "0").stdout)
    assert report["disputed"] == []


def test_reading_while_a_writer_holds_its_lock_works(filled, bertha):
    where = filled([("x", "m", 1, "x", "right")])
    with contextlib.closing(sqlite3.connect(where, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert exported_texts(bertha, where) == ["x"]


def test_what_cannot_be_read_is_said_in_a_line_with_an_exit_code(filled, bertha, tmp_path):
    (tmp_path / "text").write_text("no database " * 1000)
    with contextlib.closing(sqlite3.connect(tmp_path / "foreign")) as db, db:
        db.execute("CREATE TABLE cookies (name)")
    locked = filled([("x", "m", 1, "x", "right")])
    cases = [
        (tmp_path / "missing", USAGE, "missing: there is no such file"),
        (tmp_path / "text", USAGE, "text: is not a database of SQLite"),
        (tmp_path / "foreign", USAGE, "foreign: is a database of SQLite, but not one of feedback"),
        (tmp_path, UNREACHABLE, "cannot be"),
        (f"postgresql://127.0.0.1:{free_port()}/x", UNREACHABLE, "refused"),
        ("postgresql://u:secret@h/x?nonsense=1", USAGE, "no connection string"),
        (locked, UNREACHABLE, "another process has locked it"),
    ]
    with contextlib.closing(sqlite3.connect(locked, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        for where, code, words in cases:
            for command in ("export", "report"):
                done = bertha("feedback", command, "--database", where)
                assert (done.returncode, words in done.stderr.decode()) == (code, True), (where, done)
                assert done.stderr.count(b"\n") == 1 and not done.stdout and b"secret" not in done.stderr
    assert not (tmp_path / "missing").exists()


def test_wrong_usage_is_explained(bertha):
    for arguments, words in [
        (["feedback"], "bertha feedback --help"),
        (["feedback", "export"], "--database"),
        (["feedback", "export", "--database", "x", "--since", "yesterday"], "is no time such as"),
        (["feedback", "export", "--database", "x", "--json", "--spreadsheet"], "bertha feedback export --help"),
        (["feedback", "report", "--database", "x", "--texts", "-1"], "--texts"),
    ]:
        done = bertha(*arguments)
        assert done.returncode == USAGE and words in done.stderr.decode(), done
    for command in ([], ["export"], ["report"]):
        assert bertha("feedback", *command, "--help").returncode == OK_EXIT
