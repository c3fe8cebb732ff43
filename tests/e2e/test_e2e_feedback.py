"""Votes: stored through the daemon in SQLite, kept through crashes, and what happens while the disk is no use."""

import contextlib
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
from e2e_feedback import (CANARY, UNAVAILABLE, classify, exported_rows, exported_texts, exported_votes, record,
                          record_when_up, vote)
from e2e_support import PATIENCE, failure, wait_until

COLUMNS = "id time text text_pair model version label score verdict correct_label target client request_id".split()


def test_a_vote_is_stored_and_exported(daemon, bertha, tmp_path):
    where = tmp_path / "votes.db"
    stub = daemon("--feedback-database", where).stub()
    assert record(stub, "I love it", score=0.25) == 1
    pair = vote('a "quoted", text\n日本', verdict=pb.VERDICT_WRONG, correct_label="negative")
    pair.input.text_pair = ""
    assert stub.RecordFeedback(pair).id == 2
    rows = exported_rows(bertha, where)
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
    assert [stored["client"] for stored in exported_votes(bertha, tmp_path / "f.db")] == ["127.0.0.1"]


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
    clients = [stored["client"] for stored in exported_votes(bertha, where)]
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
    stored = {row["id"]: row["text"] for row in exported_votes(bertha, where)}
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
