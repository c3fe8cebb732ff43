"""Which engine computes, in how many workers and threads; and what is said where it is another than asked for."""

import os
import re

import pytest
from bertha.v1 import bertha_pb2 as pb
from bertha.v1 import model_control_pb2 as control_pb

from e2e_support import copy_package, edit_json, seal, texts_request


@pytest.fixture
def undescribed(models_dir, package, tmp_path):
    """The model directory, and beside its model one of the same package without what the fused engine needs to know."""
    models = copy_package(models_dir, tmp_path / "models")
    other = copy_package(package, models / "undescribed" / "1")
    edit_json(other / "bertha.json", lambda manifest: manifest.pop("encoder"))
    seal(other)
    return models


def test_what_the_fused_engine_cannot_serve_torchscript_serves_and_everybody_is_told(daemon, undescribed, package):
    name = package.parent.name
    d = daemon("--models-default", name, models=undescribed)
    models = {m.model.name: m for m in d.stub().ListModels(pb.ListModelsRequest()).models}
    assert models[name].model.engine == "fused" and not models[name].refused_engines
    other = models["undescribed"]
    assert other.model.engine == "torchscript" and other.state == pb.ModelStatus.STATE_SERVING
    assert len(other.refused_engines) == 1 and "encoder" in other.refused_engines[0]
    assert [line for line in d.log_lines("not computed by what was asked for") if "undescribed:1" in line]
    listed = d.control().List(control_pb.ListPackagesRequest())
    assert (listed.loaded_total, listed.fell_back_total, listed.refused_total) == (2, 1, 0)
    texts = ["what a lovely day", "it is broken, and nobody answers"]
    ours, theirs = (d.stub().Classify(texts_request(texts, model=model)).results for model in (name, "undescribed"))
    for a, b in zip(ours, theirs):
        assert [s.label for s in a.scores] == [s.label for s in b.scores]
        assert [s.score for s in a.scores] == pytest.approx([s.score for s in b.scores], abs=1e-4)


def test_engine_fused_refuses_what_it_cannot_serve(daemon, undescribed, package):
    d = daemon("--models-default", package.parent.name, "--engine", "fused", models=undescribed)
    models = {m.model.name: m for m in d.stub().ListModels(pb.ListModelsRequest()).models}
    assert models["undescribed"].state == pb.ModelStatus.STATE_FAILED
    assert "encoder" in models["undescribed"].reason


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_a_numeric_type_is_what_serves_and_its_check_is_told(daemon, package, dtype):
    stub = daemon("--dtype", dtype).stub()
    status = next(m for m in stub.ListModels(pb.ListModelsRequest()).models if m.model.name == package.parent.name)
    assert (status.model.engine, status.model.dtype) == ("fused", dtype)
    assert 1e-4 < status.self_check.max_abs_diff <= status.self_check.tolerance
    assert status.self_check.decisions > 10
    assert stub.Classify(texts_request(["good"])).model.dtype == dtype


@pytest.mark.parametrize("threads", ["1", "0"])
def test_workers_zero_leaves_no_core_without_work(daemon, threads):
    d = daemon("--cpu-workers", "0", "--cpu-threads", threads)
    found = re.search(r"with (\d+) x (\d+) threads", d.log_lines("serving:")[0])
    workers, each = int(found[1]), int(found[2])
    cores = len(os.sched_getaffinity(0))
    assert workers == max(1, cores // each) and (threads == "0" or each == 1)
    assert len(d.stub().Classify(texts_request([f"text {i}" for i in range(50)])).results) == 50
