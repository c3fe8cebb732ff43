"""Reads what sentence-transformers writes beside a checkpoint: pooling, normalisation, limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bertha_export.errors import ExportError

POOLINGS = ("mean", "cls", "max", "cls+mean", "last")
MODES = {"mean_tokens": "mean", "cls_token": "cls", "max_tokens": "max", "lasttoken": "last"}
KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True)
class SentenceModel:
    """A sentence-transformers directory. `encoder` holds the checkpoint; None: nothing says."""

    encoder: Path
    pooling: str | None = None
    normalize: bool = False
    max_length: int | None = None
    lower_case: bool = False


def read(directory: Path) -> SentenceModel | None:
    """None if `directory` is a plain checkpoint. ExportError if the model does what a package cannot say."""
    if not (directory / "modules.json").is_file():
        return None
    entries = _json(directory / "modules.json")
    modules = {str(entry["type"]).rsplit(".", 1)[-1]: directory / entry["path"] for entry in entries}
    if other := [kind for kind in modules if kind not in KNOWN_MODULES]:
        raise ExportError(
            f"modules.json has a {other[0]} module, which a package cannot hold (only {', '.join(KNOWN_MODULES)}); "
            "without modules.json the encoder alone can be exported"
        )
    encoder = modules.get("Transformer", directory)
    settings = encoder / "sentence_bert_config.json"
    limits = _json(settings) if settings.is_file() else {}
    return SentenceModel(
        encoder=encoder,
        pooling=_pooling(modules["Pooling"] / "config.json") if "Pooling" in modules else None,
        normalize="Normalize" in modules,
        max_length=limits.get("max_seq_length"),
        lower_case=bool(limits.get("do_lower_case")),
    )


def _pooling(path: Path) -> str:
    config = _json(path)
    on = [key.removeprefix("pooling_mode_") for key, value in config.items() if value is True]
    chosen = "+".join(sorted(MODES.get(mode, mode) for mode in on if mode != "include_prompt"))
    if chosen not in POOLINGS:
        raise ExportError(f"{path} asks for {chosen or 'no'} pooling, and bertha has only {', '.join(POOLINGS)}")
    return chosen


def _json(path: Path):  # -> any JSON value
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
