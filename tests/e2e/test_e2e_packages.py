"""Damaged and mistaken packages are refused with one line that says why; the others serve."""

import json
import os
import shutil
import subprocess

import grpc
import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import copy_package, edit_json, failure, flip_bit, seal, serving, texts_request, wait_until

FILES = ["bertha.json", "model.pt", "tokenizer.json", "probes.json", "SHA256SUMS"]


def edit_manifest(**changes):
    return lambda folder: edit_json(folder / "bertha.json", lambda m: m.update(changes))


def swap_two_tokens(document):
    """The same vocabulary with two ids exchanged: a tokenizer that works, but of another model."""
    vocabulary = document["model"]["vocab"]
    probe_words = [w for w in ("a", "!", "i", "the", "e") if w in vocabulary]
    first, second = probe_words[:2]
    vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]


def replace_logit(document):
    document["probes"][0]["logits"][0] += 0.001


# name -> (what is done to a good package, whether it is sealed again, words of the reason)
DAMAGES = {f"flip-{file}": (lambda d, f=file: flip_bit(d / f), False, [file]) for file in FILES}
DAMAGES |= {f"missing-{file}": (lambda d, f=file: (d / f).unlink(), False, [file, "missing"]) for file in FILES[:4]}
DAMAGES |= {f"unsaid-{file}": (lambda d, f=file: (d / f).unlink(), True, [file]) for file in FILES[:4]}
DAMAGES |= {f"empty-{file}": (lambda d, f=file: (d / f).write_bytes(b""), True, [file]) for file in FILES[:4]}
DAMAGES |= {
    "flip-first-bit": (lambda d: flip_bit(d / "model.pt", 0), False, ["model.pt"]),
    "flip-last-bit": (lambda d: flip_bit(d / "model.pt", 0.9999999), False, ["model.pt"]),
    "extra-file": (lambda d: (d / "notes.txt").write_text("hi"), False, ["notes.txt", "not listed"]),
    "symlink": (lambda d: os.symlink("/etc/hostname", d / "link"), False, ["link"]),
    "symlink-model": (
        lambda d: (shutil.move(d / "model.pt", d.parent / "moved.pt"), os.symlink("../moved.pt", d / "model.pt")),
        False,
        ["model.pt"],
    ),
    "folder": (lambda d: (d / "sub").mkdir(), False, ["sub"]),
    "family": (edit_manifest(family="gpt"), True, ["bertha.json", "family", "gpt"]),
    "task": (edit_manifest(task="translation"), True, ["bertha.json", "task"]),
    "problem-type": (edit_manifest(problem_type="magic"), True, ["bertha.json", "problem_type"]),
    "schema": (edit_manifest(schema_version=2), True, ["bertha.json", "schema_version"]),
    "too-few-labels": (edit_manifest(labels=["one", "two"]), True, ["2", "3"]),
    "too-many-labels": (edit_manifest(labels=["a", "b", "c", "d"]), True, ["4", "3"]),
    "same-labels": (edit_manifest(labels=["a", "b", "a"]), True, ["bertha.json", "labels[2]"]),
    "no-labels": (edit_manifest(labels=[]), True, ["bertha.json", "labels"]),
    "unknown-key": (edit_manifest(max_lenght=64), True, ["bertha.json", "max_lenght"]),
    "lacks-key": (
        lambda d: edit_json(d / "bertha.json", lambda m: m.pop("max_length")),
        True,
        ["bertha.json", "max_length"],
    ),
    "wrong-type": (edit_manifest(max_length="128"), True, ["bertha.json", "max_length"]),
    "inputs": (edit_manifest(inputs=["attention_mask", "input_ids"]), True, ["bertha.json", "inputs"]),
    "not-json": (lambda d: (d / "bertha.json").write_text("{"), True, ["bertha.json"]),
    "too-long": (edit_manifest(max_length=1_000_000), True, []),
    "tokenizer": (lambda d: edit_json(d / "tokenizer.json", swap_two_tokens), True, ["tokenizer.json"]),
    "logits": (lambda d: edit_json(d / "probes.json", replace_logit), True, ["model.pt"]),
    "no-probes": (lambda d: edit_json(d / "probes.json", lambda p: p["probes"].clear()), True, ["probes.json"]),
    "no-module": (lambda d: (d / "model.pt").write_bytes(os.urandom(4096)), True, ["model.pt"]),
}
LABEL_COUNT = 3  # what the damages above take the demo model to have


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, package):
    """One good package named "good", and one for each damage."""
    assert len(json.loads((package / "bertha.json").read_text())["labels"]) == LABEL_COUNT
    folder = tmp_path_factory.mktemp("damaged")
    copy_package(package, folder / "good" / "1")
    for name, (damage, sealed, _) in DAMAGES.items():
        target = copy_package(package, folder / name / "1")
        damage(target)
        if sealed:
            seal(target)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def loaded(program, damaged, tmp_path_factory):
    """A daemon over all of them: what it says of each, and its log."""
    with serving(program("berthad"), damaged, tmp_path_factory.mktemp("log") / "log", "--cpu-threads", "1") as d:
        yield d


@pytest.fixture(scope="module")
def statuses(loaded):
    return {m.model.name: m for m in loaded.stub().ListModels(pb.ListModelsRequest()).models}


@pytest.mark.parametrize("name", DAMAGES)
def test_it_is_refused_with_one_line_that_says_why(loaded, statuses, name):
    words = DAMAGES[name][2]
    status = statuses[name]
    assert status.state == pb.ModelStatus.STATE_FAILED
    for word in words:
        assert word in status.reason
    assert status.reason and "\n" not in status.reason
    lines = loaded.log_lines(rf"\b{name}:1\b")
    assert len(lines) == 1 and status.reason in lines[0], lines
    assert " error " in lines[0]


def test_the_good_one_serves_beside_them(loaded, statuses):
    assert [n for n, m in statuses.items() if m.state == pb.ModelStatus.STATE_SERVING] == ["good"]
    assert len(statuses) == len(DAMAGES) + 1
    answer = loaded.stub().Classify(texts_request(["hello"], model="good"))
    assert len(answer.results) == 1
    wait_until(lambda: loaded.log_lines(rf"ready: 1 of {len(DAMAGES) + 1} "), "it is said what serves")


def test_a_refused_model_is_not_found_and_the_reason_is_told(loaded, statuses):
    error = failure(loaded.stub().Classify, texts_request(["hello"], model="family"))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert statuses["family"].reason in error.details() and "good:1" in error.details()


def test_bertha_models_shows_the_reasons(loaded, statuses, bertha):
    table = bertha("models", address=loaded.address)
    assert table.returncode == 0
    for status in statuses.values():
        assert status.reason[:200] in table.stdout.decode()
    rows = [json.loads(line) for line in bertha("models", "--json", address=loaded.address).stdout.splitlines()]
    assert {r["model"]: (r["state"], r["reason"]) for r in rows} == {
        n: (pb.ModelStatus.State.Name(m.state).removeprefix("STATE_"), m.reason) for n, m in statuses.items()
    }


# One damage for each step of the check; the daemon says the same of all.
@pytest.mark.parametrize(
    "name", ["flip-bertha.json", "missing-model.pt", "family", "tokenizer", "too-few-labels", "logits", "symlink"]
)
def test_package_verify_agrees_with_the_daemon(damaged, statuses, bertha, name):
    done = bertha("package", "verify", damaged / name / "1")
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.decode() == f"{damaged / name / '1'}: {statuses[name].reason}\n"


def test_package_verify_accepts_the_good_one(damaged, bertha):
    done = bertha("package", "verify", damaged / "good" / "1")
    assert done.returncode == 0, done.stderr
    assert b"OK" in done.stdout and not done.stderr


def test_package_seal_writes_what_sha256sum_checks(package, bertha, tmp_path):
    folder = copy_package(package, tmp_path / "1")
    (folder / "SHA256SUMS").unlink()
    (folder / "notes.txt").write_text("belongs here")
    done = bertha("package", "seal", folder)
    assert done.returncode == 0 and b"sealed" in done.stdout
    written = (folder / "SHA256SUMS").read_bytes()
    checked = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stdout.count(": OK") == len(list(folder.iterdir())) - 1
    assert [f.name for f in tmp_path.iterdir()] == ["1"], "something was left beside the package"
    seal(folder)
    assert (folder / "SHA256SUMS").read_bytes() == written
    assert bertha("package", "verify", folder).returncode == 0


def test_every_flipped_bit_of_the_manifest_is_caught(package, tmp_path, bertha):
    """The manifest could stay valid with another label; the sums see it anyway."""
    manifest = (package / "bertha.json").read_bytes()
    folder = copy_package(package, tmp_path / "1")
    for position in range(0, len(manifest), len(manifest) // 3 + 1):
        flipped = bytearray(manifest)
        flipped[position] ^= 1
        (folder / "bertha.json").write_bytes(flipped)
        done = bertha("package", "verify", folder)
        assert done.returncode == 1 and b"bertha.json" in done.stderr, position


def test_a_package_without_sums_is_passed_over(daemon, package, tmp_path):
    copy_package(package, tmp_path / "m" / "good" / "1")
    (copy_package(package, tmp_path / "m" / "good" / "2") / "SHA256SUMS").unlink()
    d = daemon(models=tmp_path / "m")
    models = d.stub().ListModels(pb.ListModelsRequest()).models
    assert [(m.model.name, m.model.version) for m in models] == [("good", 1)]
    lines = d.log_lines("passed over")
    assert len(lines) == 1 and "good/2" in lines[0] and "SHA256SUMS" in lines[0]


def test_a_damaged_newer_version_leaves_the_older_one_serving(daemon, package, tmp_path):
    copy_package(package, tmp_path / "m" / "x" / "1")
    flip_bit(copy_package(package, tmp_path / "m" / "x" / "2") / "model.pt")
    stub = daemon(models=tmp_path / "m").stub()
    assert stub.Classify(texts_request(["hello"])).model.version == 1
    assert failure(stub.Classify, texts_request(["hello"], version=2)).code() is grpc.StatusCode.NOT_FOUND


def test_the_newest_version_answers_and_older_ones_can_be_asked(daemon, package, tmp_path):
    for version in (1, 9, 10):
        copy_package(package, tmp_path / "m" / "x" / str(version))
    stub = daemon(models=tmp_path / "m").stub()
    assert stub.Classify(texts_request(["hello"])).model.version == 10
    assert stub.Classify(texts_request(["hello"], version=9)).model.version == 9


def test_nothing_loads_is_exit_code_1(berthad, package, tmp_path):
    flip_bit(copy_package(package, tmp_path / "m" / "x" / "1") / "model.pt")
    done = berthad("--models", tmp_path / "m", "--grpc-address", "127.0.0.1:0")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if " error " in line]
    assert len(errors) == 2 and "x:1" in errors[0] and "model.pt" in errors[0]
    assert "nothing to serve" in errors[1]


@pytest.mark.parametrize("exists", [True, False])
def test_no_packages_is_exit_code_1_and_one_line(berthad, tmp_path, exists):
    folder = tmp_path / "m"
    if exists:
        folder.mkdir()
    done = berthad("--models", folder, "--grpc-address", "127.0.0.1:0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and str(folder) in done.stderr
