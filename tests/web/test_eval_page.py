"""The HTML page of `bertha eval`, as a browser shows the file."""

import pathlib
import subprocess
import sys

import pytest
from page_support import inside, plain

TEXTS = 60
HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "cli"), str(HERE.parents[2] / "clients" / "python")]


@pytest.fixture(scope="module")
def study(program, tmp_path_factory):
    """The page about two models of a fake server, of which some texts got no answer."""
    import fake_server
    import grpc

    folder = tmp_path_factory.mktemp("study")
    texts = [f"</script><b>text {i}" for i in range(TEXTS)]
    lines = [f"{text},{fake_server.score_of(text)[0] if i % 3 else 'neutral'}" for i, text in enumerate(texts)]
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    server = fake_server.FakeServer()
    try:
        server.bertha.serve_classifiers("fake", "</script><img src=x>")
        server.bertha.failures = [None, fake_server.Failure(grpc.StatusCode.UNKNOWN, "no")]
        page = folder / "study.html"
        command = [program("bertha"), "eval", "--address", server.address, "-f", folder / "texts.csv", "--batch", "6",
                   "--in-flight", "1", "--html", page]
        done = subprocess.run(command, capture_output=True, timeout=60, text=True)
        assert done.returncode == 1, done.stderr
        return page.as_uri()
    finally:
        server.stop()


def test_models_stand_in_order_with_their_shares(page, study):
    p = page(study)
    p.one(".model .plot-picture path")
    assert plain(p.one("h1").text) == "2 models, 60 texts"
    rows = [inside(row, "th, td") for row in inside(p.panel("Who is right, how fast, how large"), "tbody tr")]
    accuracies = [float(row[1].text) for row in rows]
    assert len(rows) == 2 and accuracies == sorted(accuracies, reverse=True)
    assert plain(rows[0][3].text) == "100.0 %"
    assert len(p.all(".model-title")) == 2
    assert not p.all("main img") and p.driver.title == "Evaluation · bertha"


def test_failed_texts_are_told_first(page, study):
    p = page(study)
    assert "6 of 60 texts got no answer (UNKNOWN 6)" in plain(p.one("main > .invalid").text)
    confused = [one for one in p.all(".figure") if "no answer" in one.text]
    assert len(confused) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, study, axe, scheme):
    p = page(study)
    p.media(scheme)
    assert p.violations(axe) == []


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_scrolls_sideways(page, study, width):
    p = page(study)
    p.size(width, 800)
    p.one(".model .plot-picture path")
    assert p.width() <= width
