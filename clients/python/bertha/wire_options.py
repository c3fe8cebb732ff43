"""From the words of the options to the fields of the wire's messages."""

from __future__ import annotations

from typing import Any

from bertha.options import Version
from bertha.v1 import bertha_pb2

PRIORITIES = {
    "high": bertha_pb2.PRIORITY_HIGH,
    "normal": bertha_pb2.PRIORITY_NORMAL,
    "batch": bertha_pb2.PRIORITY_BATCH,
}
TRUNCATIONS = {
    "right": bertha_pb2.TRUNCATION_POLICY_RIGHT,
    "left": bertha_pb2.TRUNCATION_POLICY_LEFT,
    "error": bertha_pb2.TRUNCATION_POLICY_ERROR,
    "window": bertha_pb2.TRUNCATION_POLICY_WINDOW,
}
AGGREGATIONS = {
    None: bertha_pb2.AGGREGATION_UNSPECIFIED,
    "none": bertha_pb2.AGGREGATION_NONE,
    "simple": bertha_pb2.AGGREGATION_SIMPLE,
    "first": bertha_pb2.AGGREGATION_FIRST,
    "average": bertha_pb2.AGGREGATION_AVERAGE,
    "max": bertha_pb2.AGGREGATION_MAX,
}
POOLINGS = {
    None: bertha_pb2.POOLING_UNSPECIFIED,
    "mean": bertha_pb2.POOLING_MEAN,
    "cls": bertha_pb2.POOLING_CLS,
    "max": bertha_pb2.POOLING_MAX,
    "cls+mean": bertha_pb2.POOLING_CLS_MEAN,
    "last": bertha_pb2.POOLING_LAST,
}


def choose(what: str, name: str | None, names: dict[Any, Any]) -> Any:
    if name not in names:
        raise ValueError(f"{what} must be one of {', '.join(str(n) for n in names)}, not {name!r}")
    return names[name]


def priority_field(priority: str) -> dict[str, Any]:
    return {"priority": choose("priority", priority, PRIORITIES)}


def addressee(model: str, version: Version) -> dict[str, Any]:
    named = {"version_label": version} if isinstance(version, str) else {"version": version}
    return {"model": model, **named}


def model_ref(name: str) -> bertha_pb2.ModelRef:
    """Of NAME, NAME:VERSION or NAME:LABEL, as the command line takes them."""
    model, _, version = name.partition(":")
    if version.isascii() and version.isdigit():
        return bertha_pb2.ModelRef(name=model, version=int(version))
    return bertha_pb2.ModelRef(name=model, version_label=version)


def classify_options(
    *,
    top_k: int = 0,
    threshold: float = 0.0,
    raw_logits: bool = False,
    truncation: str = "right",
    stride: int | None = None,
) -> bertha_pb2.ClassifyOptions:
    return bertha_pb2.ClassifyOptions(
        top_k=top_k,
        threshold=threshold,
        raw_logits=raw_logits,
        truncation=choose("truncation", truncation, TRUNCATIONS),
        stride=stride,
    )
