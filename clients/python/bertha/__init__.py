"""Client of bertha, the gRPC server for BERT-family models.

    from bertha import Client
    print(Client().classify("I love it"))

Importing this package loads nothing else; gRPC is loaded when the first name that needs it is used.
"""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha.aio import *
    from bertha.client import *
    from bertha.errors import *
    from bertha.results import *
    from bertha.retry import *

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

_HOMES = ("results", "errors", "retry", "client", "aio")  # what loads least comes first


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in _HOMES:
            module = importlib.import_module(f"bertha.{home}")
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module 'bertha' has no attribute {name!r}")
