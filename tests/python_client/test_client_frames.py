"""pandas in and out of both Python clients."""

import math
import os
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

from fake_server import score_of

CLIENT_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"
COLUMNS = [
    *("label", "score", "truncated", "tokens", "windows"),
    *("tokenize_us", "queue_us", "compute_us", "total_us", "model", "version"),
]


def test_a_frame_comes_back_with_its_index(ask):
    data = pd.DataFrame({"text": ["a b", "b", "c"], "other": 1}, index=["x", "y", "y"])
    frame = ask(lambda c: c.classify_frame(data))
    assert list(frame.columns) == COLUMNS and list(frame.index) == ["x", "y", "y"]
    assert list(frame["label"]) == [score_of(t)[0] for t in data["text"]]
    assert list(frame["tokens"]) == [4, 3, 3] and list(frame["total_us"]) == [1750] * 3
    assert (frame["score"].dtype, frame["truncated"].dtype, frame["version"].dtype) == ("float64", "bool", "int64")
    assert list(data.join(frame.loc[["x"]], how="inner")["label"]) == [score_of("a b")[0]]


def test_a_series_and_another_column_and_pairs_do_as_well(ask, server):
    series = pd.Series(["a", "b"], index=[7, 3])
    assert list(ask(lambda c: c.classify_frame(series)).index) == [7, 3]
    data = pd.DataFrame({"body": ["a"], "title": ["b"]})
    ask(lambda c: c.classify_frame(data, column="body", pair_column="title", model="fake"))
    (sent,) = server.bertha.calls[1].inputs
    assert (sent.text, sent.text_pair) == ("a", "b")


def test_long_frames_are_split_like_lists(ask, server):
    series = pd.Series([f"text {i}" for i in range(600)])[::-1]
    frame = ask(lambda c: c.classify_frame(series))
    assert list(frame["label"]) == [score_of(t)[0] for t in series] and frame.index[0] == 599
    assert len(server.bertha.calls) == 3


def test_a_column_for_each_label_if_asked_for(ask):
    frame = ask(lambda c: c.classify_frame(pd.Series(["a", "b"]), all_scores=True, top_k=2))
    names = [n for n in frame.columns if n.startswith("score:")]
    assert names == sorted(names) and 2 <= len(names) <= 3
    assert frame.loc[0, f"score:{score_of('a')[0]}"] == pytest.approx(score_of("a")[1])
    assert frame[names].notna().sum(axis=1).tolist() == [2, 2]


def test_an_empty_frame_gives_an_empty_frame(ask, server):
    frame = ask(lambda c: c.classify_frame(pd.DataFrame({"text": []})))
    assert list(frame.columns) == COLUMNS and len(frame) == 0
    assert server.bertha.calls == []


def test_a_threshold_may_leave_no_label(ask):
    frame = ask(lambda c: c.classify_frame(pd.Series(["a"]), threshold=0.9999))
    assert frame.loc[0, "label"] is None and math.isnan(frame.loc[0, "score"])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, 3])
def test_a_missing_text_is_named_by_its_row(ask, server, missing):
    data = pd.DataFrame({"text": pd.Series(["a", missing], index=["x", "y"], dtype=object)})
    complaint = r"row 'y' \(number 1, from 0\) of column 'text' is (None|nan|<NA>|3), not a str"
    with pytest.raises(ValueError, match=complaint):
        ask(lambda c: c.classify_frame(data))
    assert server.bertha.calls == []


def test_other_data_and_other_columns_are_refused(ask):
    with pytest.raises(TypeError, match="DataFrame or a Series, not list"):
        ask(lambda c: c.classify_frame(["a"]))
    with pytest.raises(KeyError, match="no column 'text'; there are 'body'"):
        ask(lambda c: c.classify_frame(pd.DataFrame({"body": ["a"]})))
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(ValueError, match="column 'text' is there 2 times"):
        ask(lambda c: c.classify_frame(twice))


def test_without_pandas_the_error_says_what_to_install():
    code = """
import sys
sys.modules["pandas"] = None
from bertha import Client
try:
    Client().classify_frame([])
except ImportError as error:
    print(error)
"""
    env = {**os.environ, "PYTHONPATH": str(CLIENT_FOLDER)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert "pip install './clients/python[pandas]'" in done.stdout, done.stderr
