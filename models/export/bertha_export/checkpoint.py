"""Reads a Hugging Face checkpoint directory: the network, its tokenizer, and what its configuration says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils import is_protobuf_available, is_sentencepiece_available, logging

from bertha_export.errors import ExportError, first_line
from bertha_export.families import (
    EMBEDDINGS,
    QUESTION_ANSWERING,
    SEQUENCE_CLASSIFICATION,
    Family,
    encoder_settings,
    family_and_task,
)
from bertha_export.probes import TEXTS
from bertha_export.sentences import SentenceModel
from bertha_export.tracing import FirstOutput, Inputs, StartAndEnd

TOKENIZER_FILES = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("spiece.model",))
DEFAULT_MAX_LENGTH = 512  # of a model without a limit of its own
LONGEST_DEFAULT = 4096  # what a tokenizer says beyond this is "no limit"
XLNET_TYPES = 3  # first text, second text, <cls>; XLNet compares types and has no table of them


@dataclass(frozen=True)
class Wish:
    """What the user asks for; None leaves it to the checkpoint."""

    task: str | None = None
    max_length: int | None = None
    layer: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint. `tokenizer` neither truncates nor pads; `max_length` counts special tokens.

    `module` is what gets traced. `labels` are empty for tasks without. `layer` counts as transformers'
    `hidden_states`, 0 for the embeddings; None unless the task is embeddings. `encoder` is the manifest's; None if only
    TorchScript can run the network.
    """

    module: FirstOutput
    inputs: Inputs
    tokenizer: Tokenizer
    family: Family
    task: str
    architecture: str
    max_length: int
    labels: list[str]
    problem_type: str | None
    layer: int | None
    encoder: dict[str, object] | None

    @property
    def parameters(self) -> int:
        """How many trained numbers the network has."""
        return sum(parameter.numel() for parameter in self.module.parameters())


def load(directory: Path, wish: Wish, sentences: SentenceModel | None, say: Callable[[str], None]) -> Checkpoint:
    """Loads the checkpoint for inference in fp32, from local files only. Raises ExportError."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    architectures = _architectures(directory)
    family, task = family_and_task(architectures, wish.task or (EMBEDDINGS if sentences else None))
    config = _load_config(directory, family)
    tokenizer = _load_tokenizer(directory, say)
    _check_tokenizer(tokenizer, config, sentences)
    layer = _layer(config.num_hidden_layers, wish.layer) if task == EMBEDDINGS else None
    max_length = _max_length(family.positions(config), tokenizer.model_max_length, wish.max_length, sentences, say)
    if max_length <= (special := tokenizer.num_special_tokens_to_add(pair=True)):
        raise ExportError(f"--max-length {max_length} leaves no room beside the {special} special tokens of a pair")
    model = _load_model(directory, config, family, family.encoder if task == EMBEDDINGS else architectures[0])
    if layer is not None and layer < config.num_hidden_layers:
        family.keep_layers(model, layer)
    wrapper = StartAndEnd if task == QUESTION_ANSWERING else FirstOutput
    return Checkpoint(
        module=wrapper(model, family.inputs).eval(),
        inputs=Inputs(
            names=family.inputs,
            vocabulary=config.vocab_size,
            types=getattr(config, "type_vocab_size", XLNET_TYPES),
            pad_id=_pad_id(tokenizer.pad_token_id, config.pad_token_id),
            pad_type_id=tokenizer.pad_token_type_id,
            padding_side=family.padding_side,
        ),
        tokenizer=_without_limits(tokenizer.backend_tokenizer),
        family=family,
        task=task,
        architecture=architectures[0],
        max_length=max_length,
        labels=[] if task in (EMBEDDINGS, QUESTION_ANSWERING) else _labels(config),
        problem_type=_problem_type(config) if task == SEQUENCE_CLASSIFICATION else None,
        layer=layer,
        encoder=encoder_settings(model, family, task),
    )


def _architectures(directory: Path) -> list[str]:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        return [str(name) for name in config.get("architectures") or []]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ExportError(f"{directory / 'config.json'} cannot be read: {first_line(error)}") from error


def _load_config(directory: Path, family: Family) -> PretrainedConfig:
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # what a configuration's class raises is its own business
        raise ExportError(f"{directory / 'config.json'} cannot be used: {first_line(error)}") from error
    if getattr(config, "is_decoder", False):
        raise ExportError(
            "config.json says is_decoder: each token sees only those before it, as for generating text, "
            "which is none of bertha's tasks"
        )
    config.update(dict(family.settings))
    return config


def _load_model(directory: Path, config: PretrainedConfig, family: Family, architecture: str) -> torch.nn.Module:
    options = family.encoder_options if architecture == family.encoder else {}
    try:
        model, report = getattr(transformers, architecture).from_pretrained(
            directory,
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            attn_implementation=family.attention,
            ignore_mismatched_sizes=True,  # reported below, better than as an exception
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # of the configuration, the file's format, pickle, safetensors ...
        raise ExportError(f"the weights in {directory} cannot be loaded: {_why(error, directory)}") from error
    mismatched = sorted(key if isinstance(key, str) else key[0] for key in report["mismatched_keys"])  # 5.x adds shapes
    if mismatched:
        raise ExportError(
            f"{mismatched[0]} has another shape in the weights than {list(model.state_dict()[mismatched[0]].shape)}, "
            "which config.json gives it: they do not belong together"
        )
    if missing := sorted(report["missing_keys"]):
        raise ExportError(
            f"the checkpoint lacks {len(missing)} of the weights of {architecture}, {missing[0]} first: without "
            "trained values for them its answers would be random"
        )
    return model.eval()


def _why(error: Exception, directory: Path) -> str:
    if any(directory.glob("*.bin")) and not any(directory.glob("*.safetensors")):
        return (
            "its .bin file is no pickle of tensors alone, and the program in a pickle is not run; "
            "where you trust it, load it and save_pretrained() as safetensors"
        )
    return first_line(error)


def _load_tokenizer(directory: Path, say: Callable[[str], None]):  # -> PreTrainedTokenizerFast
    if not any(all((directory / name).is_file() for name in names) for names in TOKENIZER_FILES):
        raise ExportError(
            f"{directory} has no tokenizer ({', or '.join(' and '.join(names) for names in TOKENIZER_FILES)}): "
            "call save_pretrained() of the tokenizer that the model was trained with"
        )
    pieces_only = not any((directory / name).is_file() for names in TOKENIZER_FILES[:-1] for name in names)
    if pieces_only and not (is_sentencepiece_available() and is_protobuf_available()):
        raise ExportError("to make a tokenizer.json of spiece.model, Python needs: pip install sentencepiece protobuf")
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, use_fast=True, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise ExportError(f"the tokenizer in {directory} cannot be loaded: {first_line(error)}") from error
    if not tokenizer.is_fast:
        raise ExportError(
            f"{type(tokenizer).__name__} has no fast version, and a package needs its tokenizer.json"
        )
    if pieces_only:
        _compare_with_pieces(tokenizer, AutoTokenizer.from_pretrained(directory, use_fast=False), say)
    return tokenizer


def _compare_with_pieces(fast, slow, say: Callable[[str], None]) -> None:
    """transformers takes SentencePiece's user-defined symbols for added tokens, which changes what is beside them.

    The package answers as that fast tokenizer does, which Python uses by default; the user should know.
    """
    differing = sum(fast.encode(text) != slow.encode(text) for text in TEXTS)
    if differing:
        say(
            f"note: for {differing} of {len(TEXTS)} texts transformers' fast tokenizer, made of spiece.model, gives "
            "other ids than SentencePiece; if the model was trained with a tokenizer.json, put that beside it"
        )


def _check_tokenizer(tokenizer, config: PretrainedConfig, sentences: SentenceModel | None) -> None:
    if len(tokenizer) > config.vocab_size:
        raise ExportError(
            f"the tokenizer has {len(tokenizer)} ids and the model knows only {config.vocab_size}: "
            "they do not belong together"
        )
    if sentences and sentences.lower_case and tokenizer.encode("A") != tokenizer.encode("a"):
        raise ExportError(
            "sentence_bert_config.json says do_lower_case, which this tokenizer does not do: put a Lowercase "
            "normalizer into its tokenizer.json"
        )


def _without_limits(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _pad_id(tokenizers_id: int | None, models_id: int | None) -> int:
    return next((value for value in (tokenizers_id, models_id) if value is not None), 0)


def _labels(config: PretrainedConfig) -> list[str]:
    labels = [str(config.id2label[index]) for index in sorted(config.id2label)]
    if len(set(labels)) != len(labels) or not all(labels):
        raise ExportError(f"id2label in config.json has empty or repeated labels: {labels}")
    return labels


def _problem_type(config: PretrainedConfig) -> str:
    """What transformers takes it for; many labels without a word are one choice."""
    if config.problem_type:
        return str(config.problem_type)
    return "regression" if config.num_labels == 1 else "single_label_classification"


def _layer(layers: int, asked: int | None) -> int:
    layer = layers if asked is None else asked + layers + 1 if asked < 0 else asked
    if not 0 <= layer <= layers:
        raise ExportError(
            f"--layer {asked} is out of range: the model has 0 (its embeddings) to {layers}, "
            f"or -1 (the last) to {-layers - 1}"
        )
    return layer


def _max_length(
    positions: int | None,
    tokenizers: int,
    asked: int | None,
    sentences: SentenceModel | None,
    say: Callable[[str], None],
) -> int:
    if asked is not None:
        if asked < 1 or positions is not None and asked > positions:
            most = f"1 to {positions}, the positions that the model has" if positions else "1 and more"
            raise ExportError(f"--max-length {asked} is outside {most}")
        return asked
    limits = [limit for limit in (positions, sentences and sentences.max_length) if limit]
    if tokenizers <= LONGEST_DEFAULT:
        limits.append(tokenizers)
    if not limits:
        say(f"nothing limits the inputs' length: taking {DEFAULT_MAX_LENGTH} tokens (--max-length says otherwise)")
    return min(limits, default=DEFAULT_MAX_LENGTH)
