"""The checkpoint argument -> a directory on this machine: itself, or what the Hugging Face hub has by that name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import snapshot_download

from bertha_export.errors import ExportError, first_line

NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?\Z")
NEEDED = ["*.json", "*.txt", "*.model", "*.safetensors"]
WEIGHTS_OF_OLD = ["pytorch_model*.bin"]  # only if there are no others
OTHER_RUNTIMES = ["onnx/*", "openvino/*", "coreml/*", "original/*"]


def directory_of(checkpoint: Path, say: Callable[[str], None]) -> Path:
    """`checkpoint` if it is a directory; else downloads the repository of that name into the hub's cache.

    Raises ExportError if it is neither or cannot be reached.
    """
    if checkpoint.exists() or not NAME.match(str(checkpoint)):
        if not (checkpoint / "config.json").is_file() and not (checkpoint / "modules.json").is_file():
            raise ExportError(f"{checkpoint} is not a checkpoint directory: it has no config.json")
        return checkpoint
    say(f"{checkpoint} is no directory here: downloading it from the Hugging Face hub")
    found = _download(str(checkpoint), NEEDED)
    if not any(found.rglob("*.safetensors")):
        found = _download(str(checkpoint), NEEDED + WEIGHTS_OF_OLD)
    say(f"revision {found.name}")
    return found


def _download(name: str, patterns: list[str]) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=OTHER_RUNTIMES))
    except Exception as error:  # a dozen kinds, of the hub's client and of the network
        raise ExportError(
            f"{name} is no directory here, and the Hugging Face hub does not give it: {first_line(error)}"
        ) from error
