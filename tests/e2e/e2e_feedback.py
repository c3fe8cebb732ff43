"""What the tests of votes share: a vote that is recorded, and what the command line exports of it."""

import csv
import io
import json

import grpc

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, texts_request, wait_until

CANARY = "xyzzycanary"
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


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


def _export(bertha, where, *flags):
    done = bertha("feedback", "export", "--database", where, *flags)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def exported_rows(bertha, where, *flags):
    """Of the table: a dict of strings for each vote, in the order of the columns."""
    return list(csv.DictReader(io.StringIO(_export(bertha, where, *flags), newline="")))


def exported_votes(bertha, where, *flags):
    """Of the JSON lines."""
    return [json.loads(line) for line in _export(bertha, where, "--json", *flags).splitlines()]


def exported_texts(bertha, where, *flags):
    return [stored["text"] for stored in exported_votes(bertha, where, *flags)]
