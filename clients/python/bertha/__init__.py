"""Client of bertha, the gRPC server for BERT-family models.

    from bertha import Client
    print(Client().classify("I love it"))

Importing this package loads nothing else; gRPC is loaded when the first of its names is used.
"""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha.aio import AsyncClient
    from bertha.client import Client
    from bertha.errors import (
        BerthaError,
        DeadlineExceeded,
        InvalidRequest,
        NotAllowed,
        NotFound,
        Overloaded,
        Unavailable,
    )
    from bertha.results import (
        Answered,
        Compared,
        Embedding,
        Entity,
        FoundAnswer,
        LabelScore,
        ModelStatus,
        Result,
        Tagged,
        Timing,
        Token,
        Tokenized,
        TokenVector,
    )
    from bertha.retry import Retry

__all__ = [
    "Answered",
    "AsyncClient",
    "BerthaError",
    "Client",
    "Compared",
    "DeadlineExceeded",
    "Embedding",
    "Entity",
    "FoundAnswer",
    "InvalidRequest",
    "LabelScore",
    "ModelStatus",
    "NotAllowed",
    "NotFound",
    "Overloaded",
    "Result",
    "Retry",
    "Tagged",
    "Timing",
    "Token",
    "TokenVector",
    "Tokenized",
    "Unavailable",
]

_ELSEWHERE = {"AsyncClient": "aio", "Client": "client", "Retry": "retry"}
_ERRORS = {"BerthaError", "DeadlineExceeded", "InvalidRequest", "NotAllowed", "NotFound", "Overloaded", "Unavailable"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'bertha' has no attribute {name!r}")
    module = _ELSEWHERE.get(name) or ("errors" if name in _ERRORS else "results")
    return getattr(importlib.import_module(f"bertha.{module}"), name)
