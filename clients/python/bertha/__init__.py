"""Client of bertha, the gRPC server for BERT-family models.

    from bertha import Client
    print(Client().classify("I love it"))

Importing this package loads nothing else; gRPC is loaded when the first of its names is used.
"""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha.client import BerthaError, Client
    from bertha.results import (
        Answered,
        Embedding,
        Entity,
        FoundAnswer,
        LabelScore,
        ModelStatus,
        Result,
        Tagged,
        Timing,
        TokenVector,
    )

__all__ = [
    "Answered",
    "BerthaError",
    "Client",
    "Embedding",
    "Entity",
    "FoundAnswer",
    "LabelScore",
    "ModelStatus",
    "Result",
    "Tagged",
    "Timing",
    "TokenVector",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bertha' has no attribute {name!r}")
    from bertha import client, results

    return getattr(client, name, None) or getattr(results, name)
