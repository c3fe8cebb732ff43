"""Votes in PostgreSQL: kept, and what happens while it is dead, frozen, or cut off in the middle of a commit."""

import json
import time

import pytest

from e2e_feedback import CANARY, UNAVAILABLE, classify, exported_texts, record, record_when_up, vote
from e2e_support import failure, wait_until
from postgres import Postgres, Wire


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
    postgres_server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bertha'")
    postgres_server.sql("DROP TABLE IF EXISTS bertha_votes, bertha_schema_version")
    return postgres_server


@pytest.fixture
def wire(postgres):
    proxy = Wire(postgres.port)
    yield proxy
    proxy.close()


def test_postgres_keeps_votes(daemon, bertha, postgres):
    d = daemon("--feedback-database", postgres.uri(), "--log-level", "debug")
    texts = ['braces {,} "quotes" \\backslash\\ \'apostrophe\'; --', "NULL", "日本 😀", "line\nend\ttab", CANARY, " "]
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
    assert done.returncode == 2 and b"newer bertha" in done.stderr


def test_a_postgres_database_of_another_encoding_is_refused(daemon, postgres):
    postgres.sql("DROP DATABASE IF EXISTS latin")
    postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    d = daemon("--feedback-database", postgres.uri("latin"))
    assert failure(d.stub().RecordFeedback, vote("x")).code() == UNAVAILABLE
    assert d.log_lines("the database's encoding is not UTF8")
