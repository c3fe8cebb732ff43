"""Reads a Hugging Face checkpoint directory: the network, its tokenizer, and what its configuration says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PretrainedConfig
from transformers.utils import logging

from bertha_export.errors import ExportError
from bertha_export.families import Family, family_of

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint. `tokenizer` neither truncates nor pads; `max_length` counts special tokens."""

    model: torch.nn.Module
    tokenizer: Tokenizer
    family: Family
    labels: list[str]
    problem_type: str
    max_length: int
    pad_id: int
    pad_type_id: int
    architecture: str


def load(directory: Path, max_length: int | None) -> Checkpoint:
    """Loads the checkpoint for inference in fp32, from local files only.

    `max_length` lowers the limit that the checkpoint itself states. Raises ExportError.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if not (directory / "config.json").is_file():
        raise ExportError(f"{directory} is not a checkpoint directory: it has no config.json")
    config = AutoConfig.from_pretrained(directory, local_files_only=True)
    family = family_of(config.architectures)
    tokenizer = _load_tokenizer(directory)
    if len(tokenizer) > config.vocab_size:
        raise ExportError(
            f"the tokenizer has {len(tokenizer)} ids and the model knows only {config.vocab_size}: "
            "they do not belong together"
        )
    return Checkpoint(
        model=_load_model(directory, config),
        tokenizer=_without_limits(tokenizer.backend_tokenizer),
        family=family,
        labels=_labels(config),
        problem_type=_problem_type(config),
        max_length=_max_length(config, tokenizer.model_max_length, max_length),
        pad_id=tokenizer.pad_token_id or 0,
        pad_type_id=tokenizer.pad_token_type_id,
        architecture=config.architectures[0],
    )


def _load_model(directory: Path, config: PretrainedConfig) -> torch.nn.Module:
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ExportError(f"the weights in {directory} cannot be loaded: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):
        raise ExportError(
            f"the checkpoint lacks {len(missing)} of the model's weights, {missing[0]} first: without "
            "trained values for them its answers would be random"
        )
    return model.eval()


def _load_tokenizer(directory: Path):  # -> PreTrainedTokenizerFast
    if not any((directory / name).is_file() for name in TOKENIZER_FILES):
        raise ExportError(
            f"{directory} has no tokenizer ({' or '.join(TOKENIZER_FILES)}): "
            "call save_pretrained() of the tokenizer that the model was trained with"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, use_fast=True, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ExportError(f"the tokenizer in {directory} cannot be loaded: {_first_line(error)}") from error
    if not tokenizer.is_fast:
        raise ExportError(
            f"{type(tokenizer).__name__} has no fast version, and a package needs its tokenizer.json"
        )
    return tokenizer


def _without_limits(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _labels(config: PretrainedConfig) -> list[str]:
    labels = [str(config.id2label[index]) for index in sorted(config.id2label)]
    if len(set(labels)) != len(labels) or not all(labels):
        raise ExportError(f"id2label in config.json has empty or repeated labels: {labels}")
    return labels


def _problem_type(config: PretrainedConfig) -> str:
    if config.problem_type:
        return str(config.problem_type)
    return "regression" if config.num_labels == 1 else "single_label_classification"


def _max_length(config: PretrainedConfig, tokenizer_limit: int, asked: int | None) -> int:
    most = min(config.max_position_embeddings, tokenizer_limit)
    if asked is None:
        return most
    if not 1 <= asked <= config.max_position_embeddings:
        raise ExportError(
            f"--max-length {asked} is outside 1 to {config.max_position_embeddings}, "
            "the positions that the model has"
        )
    return asked


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
