"""`bertha eval` against a fake server: figures as scikit-learn's, failures, labels, outputs."""

import csv
import json
import random

import fake_server
import grpc
import pytest

LABELS = fake_server.LABELS


@pytest.fixture
def evaluate(server, cli, tmp_path):
    """evaluate(ROWS, ARGUMENTS...) runs `bertha eval` over a CSV of (text, label)."""

    def run(rows, *arguments, names=("fake",), header=("text", "label")):
        server.bertha.serve_classifiers(*names)
        path = tmp_path / "texts.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return cli("eval", "-f", path, *arguments)

    return run


def rows_at_random(seed, count=200, labels=LABELS):
    dice = random.Random(seed)
    return [(f"text {seed} {i}, \"quoted\"\nand {dice.random()}", dice.choice(labels)) for i in range(count)]


def only_model(done):
    (model,) = json.loads(done.stdout)["models"]
    return model


def expected_calibration_error(right, confidence, bins=15):
    import numpy as np

    right, confidence = np.array(right, float), np.array(confidence, float)
    error = 0.0
    for low in range(bins):
        inside = (confidence > low / bins) & (confidence <= (low + 1) / bins)
        if inside.any():
            error += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return error / len(right)


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_scikit_learn(server, evaluate, seed):
    from sklearn import metrics

    rows = rows_at_random(seed, labels=[*LABELS, "mixed"] if seed == 3 else LABELS)
    if seed == 2:  # a chunk that gets no answer
        server.bertha.failures = [None, None, fake_server.Failure(grpc.StatusCode.UNKNOWN, "no")]
    done = evaluate(rows, "--json", "--batch", "16", "--in-flight", "1")
    model = only_model(done)
    truths = [label for _, label in rows]
    answers = [fake_server.score_of(text)[0] for text, _ in rows]
    if seed == 2:
        answers[16:32] = ["(none)"] * 16
    used = sorted(set(truths) | (set(answers) - {"(none)"}))
    assert done.returncode == (1 if seed == 2 else 0)
    assert model["failed"] == answers.count("(none)")
    assert model["accuracy"] == pytest.approx(metrics.accuracy_score(truths, answers))
    assert model["mcc"] == pytest.approx(metrics.matthews_corrcoef(truths, answers))
    assert model["macro_f1"] == pytest.approx(metrics.f1_score(truths, answers, labels=used, average="macro", zero_division=0))
    table = metrics.precision_recall_fscore_support(truths, answers, labels=used, zero_division=0)
    for i, label in enumerate(used):
        mine = next(one for one in model["labels"] if one["label"] == label)
        assert [mine[name] for name in ("precision", "recall", "f1")] == pytest.approx([part[i] for part in table[:3]])
        assert mine["support"] == table[3][i]
    names = [one["label"] for one in model["labels"]]
    wanted = metrics.confusion_matrix(truths, answers, labels=[*names, "(none)"])[: len(names)]
    assert model["confusion"] == wanted.tolist()
    answered = [i for i, answer in enumerate(answers) if answer != "(none)"]
    right = [answers[i] == truths[i] for i in answered]
    confidence = [fake_server.score_of(rows[i][0])[1] for i in answered]
    assert model["ece"] == pytest.approx(expected_calibration_error(right, confidence), abs=1e-6)


def test_the_table_is_for_people_and_has_no_text_of_the_file(server, evaluate):
    done = evaluate([("secret words", "neutral")] * 3, names=("fake", "other"))
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    heading, *models = shown.split("\n\n")[0].splitlines()
    assert heading.split() == ["MODEL", "ACCURACY", "OF", "BEST", "MACRO-F1", "MCC", "ECE", "TIME", "TEXTS/S", "FASTER",
                               "COMPUTE/TEXT", "WEIGHTS", "SIZE", "FAILED"]
    assert len(models) == 2 and all("2.0 MB" in line and "1.00x" in line for line in models)
    assert "PRECISION" in shown and "is, was called" in shown and "secret" not in shown


def test_compute_time_is_the_texts_part_of_its_batch(evaluate):
    done = evaluate([(f"t{i}", "neutral") for i in range(8)], "--json", "--batch", "4")
    assert only_model(done)["compute_us_per_text"] == pytest.approx(1700 / 4)


def test_failed_texts_are_loud(server, evaluate):
    server.bertha.failures = [None, fake_server.Failure(grpc.StatusCode.UNKNOWN, "no")]
    done = evaluate([("a", "neutral"), ("b", "neutral")])
    assert done.returncode == 1
    assert b"fake v3: 2 of 2 texts FAILED and count as wrong (UNKNOWN 2)" in done.stderr


def test_a_busy_server_is_asked_again(server, evaluate):
    busy = fake_server.Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", pushback_ms=1)
    server.bertha.failures = [None, busy, fake_server.Failure(grpc.StatusCode.UNAVAILABLE, "restarting")]
    done = evaluate([("a", "neutral"), ("b", "neutral")], "--json")
    assert done.returncode == 0 and only_model(done)["failed"] == 0


def test_labels_are_mapped_and_strange_ones_named(evaluate):
    rows = [(text, str(LABELS.index(fake_server.score_of(text)[0]))) for text in ("a", "b", "c", "d")]
    done = evaluate([*rows, ("e", "mixed")], "--json", "--label-map", "0=negative,1=neutral,2=positive")
    model = only_model(done)
    assert model["right"] == 4 and model["unknown_labels"] == ["mixed"]
    assert b"fake v3 has no label mixed; texts that have it count as wrong (see --label-map)" in done.stderr


def test_a_model_without_any_label_of_the_file_is_refused_or_left_out(server, evaluate):
    server.bertha.serve_classifiers("spam", labels=("ham", "spam"))
    done = evaluate([("a", "neutral")], "--json")
    assert done.returncode == 0 and only_model(done)["name"] == "fake"
    assert b"left out: spam v3 has the labels ham, spam; the texts have neutral" in done.stderr
    refused = evaluate([("a", "neutral")], "-m", "spam")
    assert refused.returncode == 2 and b"--label-map neutral=ham" in refused.stderr


def test_files_are_written_beside_the_table(evaluate, tmp_path):
    markdown, page = tmp_path / "study.md", tmp_path / "study.html"
    done = evaluate([("a", "neutral")], "--markdown", markdown, "--html", page, names=("fake", "ot|her"))
    assert done.returncode == 0
    assert "| ot\\|her v3 |" in markdown.read_text() and "| label | precision | recall | F1 | texts |" in markdown.read_text()
    assert '"schema":"bertha.eval/1"' in page.read_text()
    done = evaluate([("a", "neutral")], "--markdown", tmp_path / "no" / "folder.md")
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_models_that_are_named_are_judged_each_in_its_version(server, evaluate):
    done = evaluate([("a", "neutral")], "--json", "-m", "other", "-m", "fake:3", names=("fake", "other", "third"))
    assert sorted(model["name"] for model in json.loads(done.stdout)["models"]) == ["fake", "other"]
    assert {(call.model, call.version) for call in server.bertha.calls} == {("other", 3), ("fake", 3)}


def test_mistakes_are_named(evaluate, cli, tmp_path):
    assert cli("eval", "-f", tmp_path / "gone.csv").returncode == 2
    done = evaluate([("a", "neutral")], "--label-column", "stars")
    assert done.returncode == 2 and b"stars" in done.stderr
    done = evaluate([("a", "neutral")], "-m", "nobody")
    assert done.returncode == 1 and b"no classifier nobody serves; there are: fake v3" in done.stderr
    done = evaluate([("a", "neutral")], "--address", "127.0.0.1:1")
    assert done.returncode == 3
