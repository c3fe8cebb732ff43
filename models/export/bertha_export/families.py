"""What the exporter knows of each model family: adding one is adding a line to FAMILIES."""

from __future__ import annotations

from dataclasses import dataclass

from bertha_export.errors import ExportError

WITH_TYPES = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class Family:
    """How the models of one architecture are called.

    `name` is the manifest's `family`; `prefix` begins the names of its architectures; `inputs` are those of
    `forward` in order; `padding_side` is where short rows are filled up.
    """

    name: str
    prefix: str
    inputs: tuple[str, ...]
    padding_side: str


FAMILIES = {
    "BertForSequenceClassification": Family("bert", "Bert", WITH_TYPES, "right"),
}


def family_of(architectures: list[str] | None) -> Family:
    """The family of a checkpoint whose config.json lists these `architectures`.

    Raises ExportError, which tells a model without a classification head from one of an unknown kind.
    """
    if not architectures:
        raise ExportError(
            "config.json names no architecture, so nothing says how to load the checkpoint; "
            "save it with save_pretrained() from the class it was trained with"
        )
    architecture = architectures[0]
    if family := FAMILIES.get(architecture):
        return family
    known = ", ".join(sorted(FAMILIES))
    if any(_is_headless(architecture, family.prefix) for family in FAMILIES.values()):
        raise ExportError(
            f"{architecture} has no classification head: fine-tune the checkpoint as one of {known}"
        )
    raise ExportError(
        f"architecture {architecture} is not supported (supported: {known}); any TorchScript module with "
        'the same inputs still works as a package made by hand, with family "torchscript"'
    )


def _is_headless(architecture: str, prefix: str) -> bool:
    return architecture in {f"{prefix}Model", f"{prefix}ForMaskedLM", f"{prefix}ForPreTraining"}
