"""Votes: stored, kept through crashes, exported, and what happens while their database is dead."""

import contextlib
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

import grpc
import pytest
import requests

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, failure, free_port, texts_request, wait_until
from postgres import Postgres, Wire

CANARY = "xyzzycanary"
UNAVAILABLE, OK_EXIT, USAGE, UNREACHABLE = grpc.StatusCode.UNAVAILABLE, 0, 2, 3
COLUMNS = "id time text text_pair model version label score verdict correct_label target client request_id".split()


@pytest.fixture(scope="module")
def postgres_server():
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres(postgres_server):
    """A server that runs, without tables."""
    if postgres_server.process is None or postgres_server.process.poll() is not None:
        postgres_server.start()
    drop_tables(postgres_server)
    return postgres_server


@pytest.fixture
def wire(postgres):
    proxy = Wire(postgres.port)
    yield proxy
    proxy.close()


def drop_tables(server):
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bertha'")
    server.sql("DROP TABLE IF EXISTS bertha_votes, bertha_schema_version")


def vote(text, model="sentiment-bert", **fields):
    fields = {"version": 1, "label": "positive", "score": 0.5, "verdict": pb.VERDICT_RIGHT, **fields}
    return pb.RecordFeedbackRequest(input=pb.TextInput(text=text), model=model, **fields)


def record(stub, text, **fields):
    return stub.RecordFeedback(vote(text, **fields), timeout=PATIENCE).id


def record_when_up(stub, text):
    """For a database that is coming back."""

    def stored():
        try:
            return record(stub, text)
        except grpc.RpcError as error:
            assert error.code() == UNAVAILABLE
            return None

    return wait_until(stored, "votes are stored")


def classify(stub):
    return stub.Classify(texts_request(["I love it"]), timeout=PATIENCE).results[0].scores[0].label


def export(bertha, where, *flags):
    done = bertha("feedback", "export", "--database", where, *flags)
    assert done.returncode == OK_EXIT, done.stderr.decode()
    return done.stdout.decode()


def exported_texts(bertha, where):
    return [json.loads(line)["text"] for line in export(bertha, where, "--json").splitlines()]


# --- through the daemon ---


def test_a_vote_is_stored_and_exported(daemon, bertha, tmp_path):
    where = tmp_path / "votes.db"
    stub = daemon("--feedback-database", where).stub()
    assert record(stub, "I love it", score=0.25) == 1
    pair = vote('a "quoted", text\n日本', verdict=pb.VERDICT_WRONG, correct_label="negative")
    pair.input.text_pair = ""
    assert stub.RecordFeedback(pair).id == 2
    rows = list(csv.DictReader(io.StringIO(export(bertha, where), newline="")))
    assert list(rows[0]) == COLUMNS
    assert rows[0]["text"] == "I love it" and rows[0]["target"] == "positive" and rows[0]["score"] == "0.25"
    assert rows[1]["text"] == 'a "quoted", text\n日本' and rows[1]["target"] == "negative"
    assert rows[0]["client"] == "" and rows[0]["request_id"]
    assert abs(time.time() - os.stat(where).st_mtime) < PATIENCE and os.stat(where).st_mode & 0o777 == 0o600
    assert rows[0]["time"].startswith(time.strftime("20", time.gmtime()))


def test_without_a_database_votes_are_refused_and_the_setting_is_named(shared):
    error = failure(shared.stub().RecordFeedback, vote("x"))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "feedback.database" in error.details()


def test_the_address_is_kept_only_if_configured(daemon, bertha, tmp_path):
    record(daemon("--feedback-database", tmp_path / "f.db", "--feedback-store-client-address", "true").stub(), "x")
    assert json.loads(export(bertha, tmp_path / "f.db", "--json"))["client"] == "127.0.0.1"


def test_the_address_is_the_clients_behind_a_trusted_proxy(daemon, bertha, tmp_path):
    where = tmp_path / "f.db"
    flags = ["--feedback-database", where, "--feedback-store-client-address", "true", "--trusted-proxies"]
    body = {"input": {"text": "x"}, "model": "sentiment-bert", "version": 1, "label": "positive", "score": 0.5,
            "verdict": "VERDICT_RIGHT"}
    headers = {"x-forwarded-for": "198.51.100.7, 203.0.113.9, 127.0.0.1", "forwarded": "for=192.0.2.60"}
    for more in (["127.0.0.1"], ["127.0.0.1", "--trusted-proxy-header", "forwarded"], ["10.0.0.0/8"]):
        d = daemon(*flags, *more)
        url = f"http://{d.http_address}/v1/record-feedback"
        assert requests.post(url, json=body, headers=headers, timeout=PATIENCE).status_code == 200
        d.signal()
        assert d.wait() == 0
    clients = [json.loads(line)["client"] for line in export(bertha, where, "--json").splitlines()]
    assert clients == ["203.0.113.9", "192.0.2.60", "127.0.0.1"]


def test_what_the_model_cannot_have_answered_is_no_vote(daemon, tmp_path):
    stub = daemon("--feedback-database", tmp_path / "f.db").stub()
    for fields, words in (
        ({"score": -3}, "score: is -3"),
        ({"label": "splendid"}, "its labels are negative, neutral, positive"),
    ):
        error = failure(stub.RecordFeedback, vote("x", **fields))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and words in error.details(), error.details()
    assert record(stub, "x") == 1


def test_acknowledged_votes_survive_kill_9(daemon, bertha, tmp_path):
    where = tmp_path / "votes.db"
    d = daemon("--feedback-database", where, exit_code=None)
    stub, acknowledged, enough = d.stub(), {}, threading.Event()

    def keep_voting(worker):
        with contextlib.suppress(grpc.RpcError):
            for i in range(1_000_000):
                text = f"{worker}/{i}"
                acknowledged[record(stub, text)] = text
                if len(acknowledged) > 300:
                    enough.set()

    threads = [threading.Thread(target=keep_voting, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(PATIENCE)
    d.signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    d.wait()
    stored = {row["id"]: row["text"] for row in map(json.loads, export(bertha, where, "--json").splitlines())}
    assert len(acknowledged) > 300 and acknowledged.items() <= stored.items()
    assert len(set(stored.values())) == len(stored)  # none twice
    assert len(stored) - len(acknowledged) <= len(threads)  # those under way


def test_votes_under_way_are_stored_when_the_daemon_drains(daemon, bertha, tmp_path):
    where = tmp_path / "votes.db"
    d = daemon("--feedback-database", where)
    futures = [d.stub().RecordFeedback.future(vote(str(i))) for i in range(200)]
    futures[0].result(PATIENCE)
    d.signal()
    assert d.wait() == 0
    acknowledged = [f.result().id for f in futures if f.code() == grpc.StatusCode.OK]
    assert {f.code() for f in futures} <= {grpc.StatusCode.OK, UNAVAILABLE}
    assert len(exported_texts(bertha, where)) == len(acknowledged)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_fails_votes_and_nothing_else(daemon, bertha, small_disk):
    d = daemon("--feedback-database", small_disk / "f.db")
    stub, stored = d.stub(), []

    def fill():
        for i in range(100):
            stored.append(record(stub, f"{i} {CANARY * 3000}"))

    error = failure(fill)
    assert error.code() == UNAVAILABLE and "not stored" in error.details() and "f.db" not in error.details()
    assert 0 < len(stored) < 100
    assert classify(stub) == "positive"
    assert len(d.log_lines("f.db: the disk is full")) == 1
    assert CANARY not in d.log()
    assert len(exported_texts(bertha, small_disk / "f.db")) == len(stored)


def test_a_folder_that_comes_later_is_used_from_then_on(daemon, tmp_path):
    d = daemon("--feedback-database", tmp_path / "later" / "f.db")
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert classify(d.stub()) == "positive"
    (tmp_path / "later").mkdir()
    record_when_up(d.stub(), "x")
    assert d.log_lines("the database works again")


def test_a_database_of_a_newer_schema_is_left_alone_and_said_so(daemon, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "f.db")) as db, db:
        db.execute("CREATE TABLE bertha_schema_version (version INTEGER PRIMARY KEY)")
        db.execute("INSERT INTO bertha_schema_version VALUES (99)")
    before = (tmp_path / "f.db").read_bytes()
    d = daemon("--feedback-database", tmp_path / "f.db")
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert d.log_lines("f.db: has the schema of a newer bertha \\(version 99")
    assert (tmp_path / "f.db").read_bytes() == before


def test_old_votes_are_deleted(daemon, bertha, tmp_path):
    where = tmp_path / "f.db"
    d = daemon("--feedback-database", where)
    record(d.stub(), "old")
    d.signal()
    d.wait()
    with contextlib.closing(sqlite3.connect(where)) as db, db:
        db.execute("UPDATE bertha_votes SET time_us = time_us - 31 * 86400 * 1000000")
    d = daemon("--feedback-database", where, "--feedback-retention-days", "30")
    record(d.stub(), "new")
    wait_until(lambda: exported_texts(bertha, where) == ["new"], "the old vote is deleted")


# --- PostgreSQL ---


def test_postgres_keeps_votes(daemon, bertha, postgres):
    d = daemon("--feedback-database", postgres.uri(), "--log-level", "debug")
    texts = ['braces {,} "quotes" \\backslash\\ \'apostrophe\'; --', "NULL", "日本 😀", "line\nend\ttab", f"{CANARY}", " "]
    for number, text in enumerate(texts, 1):
        assert record(d.stub(), text) == number
    assert exported_texts(bertha, postgres.uri()) == texts
    assert postgres.sql("SELECT count(*) FROM bertha_votes WHERE text_pair IS NULL") == [str(len(texts))]
    report = bertha("feedback", "report", "--database", postgres.uri(), "--json")
    assert json.loads(report.stdout)["votes"] == len(texts)
    assert CANARY not in d.log() and "xyzzypassword" not in d.log()


def test_postgres_that_starts_after_the_daemon_is_used_from_then_on(daemon, postgres):
    postgres.stop()
    d = daemon("--feedback-database", postgres.uri())
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert classify(d.stub()) == "positive"
    postgres.start()
    record_when_up(d.stub(), "y")
    assert postgres.sql("SELECT text FROM bertha_votes") == ["y"]
    assert "xyzzypassword" not in d.log()


def test_postgres_that_crashes_fails_votes_and_loses_none(daemon, postgres):
    d = daemon("--feedback-database", postgres.uri())
    record(d.stub(), "before")
    postgres.stop()
    error = failure(d.stub().RecordFeedback, vote("meanwhile"))
    assert error.code() == UNAVAILABLE and "not stored" in error.details() and "127.0.0.1" not in error.details()
    assert classify(d.stub()) == "positive"
    postgres.start()
    record_when_up(d.stub(), "after")
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["before", "after"]


def test_a_connection_that_broke_unnoticed_costs_no_vote(daemon, postgres):
    d = daemon("--feedback-database", postgres.uri())
    record(d.stub(), "before")
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bertha'")
    record(d.stub(), "after")
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["before", "after"]


@pytest.mark.slow
def test_postgres_that_is_frozen_fails_votes_in_time(daemon, postgres):
    d = daemon("--feedback-database", postgres.uri())
    record(d.stub(), "before")
    with postgres.frozen():
        began = time.monotonic()
        assert failure(d.stub().RecordFeedback, vote("meanwhile")).code() == UNAVAILABLE
        assert time.monotonic() - began < 60  # statement_timeout, a second, and one attempt to connect
        assert classify(d.stub()) == "positive"
    record_when_up(d.stub(), "after")
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["before", "after"]


def test_a_commit_whose_answer_is_lost_is_acknowledged_once(daemon, postgres, wire):
    d = daemon("--feedback-database", postgres.uri(port=wire.port))
    record(d.stub(), "first")

    def commit_and_cut(commit):
        commit()
        wait_until(lambda: len(postgres.sql("SELECT 1 FROM bertha_votes")) == 2, "the vote is committed")

    wire.on_commit = commit_and_cut
    assert record(d.stub(), "second") == 2
    assert wire.on_commit is None
    assert record(d.stub(), "third") == 3
    assert postgres.sql("SELECT id || text FROM bertha_votes ORDER BY id") == ["1first", "2second", "3third"]


def test_a_commit_that_never_arrives_is_made_again_once(daemon, postgres, wire):
    d = daemon("--feedback-database", postgres.uri(port=wire.port))
    record(d.stub(), "first")
    wire.on_commit = lambda commit: None  # the server's side stays in its transaction
    record(d.stub(), "second")
    assert wire.on_commit is None
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["first", "second"]


def test_a_vote_that_was_called_not_stored_is_taken_out_if_it_was_after_all(daemon, postgres, wire):
    d = daemon("--feedback-database", postgres.uri(port=wire.port))
    record(d.stub(), "first")

    def commit_and_cut_for_long(commit):
        wire.refuse = True
        commit()
        wait_until(lambda: len(postgres.sql("SELECT 1 FROM bertha_votes")) == 2, "the vote is committed")

    wire.on_commit = commit_and_cut_for_long
    assert failure(d.stub().RecordFeedback, vote("second")).code() == UNAVAILABLE
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["first", "second"]
    wire.refuse = False
    wait_until(lambda: postgres.sql("SELECT text FROM bertha_votes") == ["first"], "the vote is taken out")
    record(d.stub(), "second again")
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["first", "second again"]


def test_two_daemons_that_start_at_once_make_one_schema(daemon, postgres):
    daemons = [daemon("--feedback-database", postgres.uri(), wait=False) for _ in range(2)]
    for number, d in enumerate(daemons):
        record(d.wait_serving().stub(), str(number))
        assert not d.log_lines("feedback: votes are not stored")
    assert postgres.sql("SELECT version FROM bertha_schema_version ORDER BY 1") == ["1", "2"]
    assert sorted(postgres.sql("SELECT text FROM bertha_votes")) == ["0", "1"]


def test_an_older_schema_in_postgres_is_brought_up_to_date(daemon, postgres):
    d = daemon("--feedback-database", postgres.uri())
    record(d.stub(), "old")
    d.signal()
    d.wait()
    postgres.sql("DROP INDEX bertha_votes_by_time; DELETE FROM bertha_schema_version WHERE version = 2")
    record(daemon("--feedback-database", postgres.uri()).stub(), "new")
    assert postgres.sql("SELECT text FROM bertha_votes ORDER BY id") == ["old", "new"]
    assert postgres.sql("SELECT to_regclass('bertha_votes_by_time') IS NOT NULL") == ["t"]


def test_a_newer_schema_in_postgres_is_left_alone(daemon, bertha, postgres):
    postgres.sql("CREATE TABLE bertha_schema_version (version INT); INSERT INTO bertha_schema_version VALUES (99)")
    d = daemon("--feedback-database", postgres.uri())
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert d.log_lines("has the schema of a newer bertha \\(version 99")
    done = bertha("feedback", "export", "--database", postgres.uri())
    assert done.returncode == USAGE and b"newer bertha" in done.stderr


def test_a_postgres_database_of_another_encoding_is_refused(daemon, postgres):
    postgres.sql("DROP DATABASE IF EXISTS latin")
    postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    d = daemon("--feedback-database", postgres.uri("latin"))
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert d.log_lines("the database's encoding is not UTF8")


# --- the command line on a database that the test fills ---


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

    def texts(*flags):
        return [json.loads(line)["text"] for line in export(bertha, where, "--json", *flags).splitlines()]

    assert texts("--since", "2026-11-01T00:00:07Z") == ["7", "8", "9"]
    assert texts("--until", "2026-11-01T00:00:02") == ["0", "1"]
    assert texts("--since", "2026-11-02") == [] and len(texts("--since", "2026-11-01")) == 10
    assert texts("--since", "2026-11-01T01:00:07+01:00", "--model", "b") == ["7", "9"]
    assert texts("--model", "nobody") == []


def test_export_for_spreadsheets_disarms_formulas_and_is_exact_otherwise(filled, bertha):
    where = filled([("=1+1", "m", 1, "x", "right"), ("fine", "m", 1, "x", "right")])
    exact = list(csv.DictReader(io.StringIO(export(bertha, where), newline="")))
    disarmed = list(csv.DictReader(io.StringIO(export(bertha, where, "--spreadsheet"), newline="")))
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
    assert json.loads(bertha("feedback", "report", "--database", where, "--json", "--texts", "0").stdout)["disputed"] == []


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
