"""For the exporter's and the demo model's tests: import paths, and the `slow` marker."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anybody imports the hub's client

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "models" / "export"), str(ROOT / "demo")]

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds; deselect with -m 'not slow'")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="session")
def checkpoint(work: Path) -> Callable[[str, str], Path]:
    """checkpoint(family, task) is a directory; others read it too."""
    import tiny

    def make(family: str, task: str) -> Path:
        directory = work / "checkpoints" / f"{family}-{task}"
        return directory if directory.exists() else tiny.checkpoint(directory, family, task)

    return make


@pytest.fixture(scope="session")
def package(work: Path, checkpoint: Callable[[str, str], Path]) -> Callable[[str, str], Path]:
    """package(family, task) is what the exporter makes of checkpoint(family, task); others read it too."""
    from bertha_export import Request, export
    from families_support import MAX_LENGTH

    def make(family: str, task: str) -> Path:
        done = work / "models" / f"{family}-{task}" / "1"
        wish = Request(checkpoint(family, task), work / "models", max_length=MAX_LENGTH)
        return done if done.exists() else export(wish)

    return make
