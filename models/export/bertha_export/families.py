"""What the exporter knows of each model family: adding one is adding a line to FAMILIES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn
from transformers import PretrainedConfig

from bertha_export.errors import ExportError

SEQUENCE_CLASSIFICATION = "sequence-classification"
TOKEN_CLASSIFICATION = "token-classification"
QUESTION_ANSWERING = "question-answering"
EMBEDDINGS = "embeddings"
TASKS = (SEQUENCE_CLASSIFICATION, TOKEN_CLASSIFICATION, QUESTION_ANSWERING, EMBEDDINGS)

WITHOUT_TYPES = ("input_ids", "attention_mask")
WITH_TYPES = ("input_ids", "attention_mask", "token_type_ids")
TITLES = "BERT, RoBERTa, DistilBERT, XLNet and ALBERT"
GENERATORS = ("LMHeadModel", "ForCausalLM")


@dataclass(frozen=True)
class Family:
    """How the models of one family are called in transformers, and how they are fed.

    `name` is the manifest's `family`; `prefix` begins the names of its architectures. `inputs` are those of `forward`
    in order. `padding_side` is where short rows are filled up: the side that leaves the positions of a text's tokens
    as they are when it is alone. `positions` gives the longest input that the positions allow, None for no limit.
    `keep_layers` cuts an encoder of the family down to its first so many layers. `question_answering` ends the name of
    the architecture for that task. `activation` names the configuration's attribute that has it, `own_settings` gives the
    keys of its own in the manifest's `encoder`, or None for a network that those keys cannot express. `encoder_options` go to the constructor of the encoder without a head, `settings`
    into the configuration.
    """

    name: str
    prefix: str
    inputs: tuple[str, ...]
    positions: Callable[[PretrainedConfig], int | None]
    keep_layers: Callable[[nn.Module, int], None]
    padding_side: str = "right"
    attention: str = "sdpa"
    question_answering: str = "ForQuestionAnswering"
    activation: str = "hidden_act"
    own_settings: Callable[[PretrainedConfig, str], dict[str, object] | None] = lambda config, task: {}
    encoder_options: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)

    def architectures(self) -> dict[str, str]:
        """Architecture -> the task that it is made for."""
        return {
            f"{self.prefix}ForSequenceClassification": SEQUENCE_CLASSIFICATION,
            f"{self.prefix}ForTokenClassification": TOKEN_CLASSIFICATION,
            f"{self.prefix}{self.question_answering}": QUESTION_ANSWERING,
            self.encoder: EMBEDDINGS,
        }

    @property
    def encoder(self) -> str:
        """The architecture without a head."""
        return f"{self.prefix}Model"


def _as_configured(config: PretrainedConfig) -> int:
    return config.max_position_embeddings


def _after_padding_id(config: PretrainedConfig) -> int:
    """RoBERTa's positions begin behind the id of its padding: 514 of them take 512 tokens."""
    return config.max_position_embeddings - config.pad_token_id - 1


def _unlimited(config: PretrainedConfig) -> None:
    """XLNet's positions are relative."""


def _stack(path: str) -> Callable[[nn.Module, int], None]:
    """For an encoder whose layers are the ModuleList at `path`."""

    def keep(encoder: nn.Module, count: int) -> None:
        del encoder.get_submodule(path)[count:]
        encoder.config.num_hidden_layers = count

    return keep


def _keep_albert_layers(encoder: nn.Module, count: int) -> None:
    """ALBERT runs each group of weights several times in a row; usually there is one group."""
    config = encoder.config
    repeats = config.num_hidden_layers // config.num_hidden_groups
    if config.num_hidden_groups > 1:
        if count % repeats:
            raise ExportError(f"this model's layers come in groups of {repeats}: --layer must be a multiple of that")
        config.num_hidden_groups = count // repeats
        del encoder.encoder.albert_layer_groups[config.num_hidden_groups :]
    config.num_hidden_layers = count


ACTIVATIONS = {  # transformers' name -> the manifest's
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "relu": "relu",
    "tanh": "tanh",
    "linear": "none",
}
ANY_EPSILON = 1e-12  # of XLNet's embeddings alone, which have no norm


def encoder_settings(model: nn.Module, family: Family, task: str) -> dict[str, object] | None:
    """The manifest's `encoder`; None if its keys cannot express what the network does."""
    config = model.config
    own = family.own_settings(config, task)
    activation = ACTIVATIONS.get(str(getattr(config, family.activation)))
    epsilons = {norm.eps for norm in model.modules() if isinstance(norm, nn.LayerNorm)} or {ANY_EPSILON}
    absolute = getattr(config, "position_embedding_type", "absolute") == "absolute"
    if own is None or activation is None or len(epsilons) > 1 or not absolute:
        return None
    return {
        "heads": config.num_attention_heads,
        "layers": config.num_hidden_layers,
        "activation": activation,
        "layer_norm_epsilon": epsilons.pop(),
        **own,
    }


def _robertas_own(config: PretrainedConfig, task: str) -> dict[str, object]:
    return {"padding_id": config.pad_token_id}


def _xlnets_own(config: PretrainedConfig, task: str) -> dict[str, object] | None:
    if config.attn_type != "bi" or config.bi_data or config.clamp_len > 0:
        return None
    if task != SEQUENCE_CLASSIFICATION:
        return {}
    activation = ACTIVATIONS.get(config.summary_activation or "linear")
    if config.summary_type != "last" or not config.summary_use_proj or activation is None:
        return None
    return {"summary_activation": activation}


NO_POOLER = {"add_pooling_layer": False}

FAMILIES = (
    Family("bert", "Bert", WITH_TYPES, _as_configured, _stack("encoder.layer"), encoder_options=NO_POOLER),
    Family(
        "roberta",
        "Roberta",
        WITHOUT_TYPES,
        _after_padding_id,
        _stack("encoder.layer"),
        own_settings=_robertas_own,
        encoder_options=NO_POOLER,
    ),
    Family(
        "distilbert",
        "DistilBert",
        WITHOUT_TYPES,
        _as_configured,
        _stack("transformer.layer"),
        activation="activation",
    ),
    Family(
        "xlnet",
        "XLNet",
        WITH_TYPES,
        _unlimited,
        _stack("layer"),
        padding_side="left",
        attention="eager",
        question_answering="ForQuestionAnsweringSimple",
        activation="ff_activation",
        own_settings=_xlnets_own,
        settings={"use_mems_eval": False},
    ),
    Family("albert", "Albert", WITH_TYPES, _as_configured, _keep_albert_layers, encoder_options=NO_POOLER),
)


def family_and_task(architectures: list[str], asked: str | None) -> tuple[Family, str]:
    """What to export from a checkpoint whose config.json lists these `architectures`; `asked` is the task wanted.

    Raises ExportError, which says what is the matter: an unknown kind of model, or a known one without the head.
    """
    if not architectures:
        raise ExportError(
            "config.json names no architecture, so nothing says how to load the checkpoint; "
            "save it with save_pretrained() from the class it was trained with"
        )
    architecture = architectures[0]
    family = _family(architecture)
    made_for = family.architectures().get(architecture)
    task = asked or made_for
    if task and task in (EMBEDDINGS, made_for):
        return family, task
    if made_for and made_for != EMBEDDINGS:
        raise ExportError(
            f"{architecture} is made for {made_for}, not for {task}; its encoder alone gives {EMBEDDINGS}"
        )
    raise ExportError(_no_head(architecture, family, asked))


def _family(architecture: str) -> Family:
    for family in FAMILIES:
        if architecture.startswith((f"{family.prefix}For", f"{family.prefix}LMHead")) or architecture == family.encoder:
            return family
    raise ExportError(
        f"architecture {architecture} is not supported: the families are {TITLES}; any other TorchScript module "
        "forward(input_ids, attention_mask[, token_type_ids]) works as a package made by hand, "
        'with family "torchscript" (docs/package.md)'
    )


def _no_head(architecture: str, family: Family, asked: str | None) -> str:
    heads = ", ".join(name for name in family.architectures() if name != family.encoder)
    instead = f"fine-tune it as one of {heads}, or take its encoder with --task {EMBEDDINGS}"
    if architecture.endswith(GENERATORS):
        return f"{architecture} predicts the next word, which is none of bertha's tasks: {instead}"
    if architecture == "XLNetForQuestionAnswering":
        return f"{architecture} searches answers with a beam that a package cannot hold: {instead}"
    return f"{architecture} has no head for {asked or 'any of the tasks ' + ', '.join(TASKS[:-1])}: {instead}"
