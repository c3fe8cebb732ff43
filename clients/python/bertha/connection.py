"""Where the server is and how it is talked to: address, TLS, token, metadata. What the two clients share of it."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, Union

import grpc

from bertha.v1 import bertha_pb2

Pair = tuple[str, str]
Token = Union[str, Callable[[], str], Callable[[], Awaitable[str]]]
MetadataHook = Callable[[str], Iterable[Pair]]
Pem = Union[bytes, str, "os.PathLike[str]"]
C = TypeVar("C")

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_http_proxy", 0),  # a proxy for the web must not stand between here and localhost
    ("grpc.max_receive_message_length", -1),
    # A server that restarts is found again soon: gRPC's own first wait is a second, and the longest two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)

# To all servers of a name in turn whose health (the service "") is SERVING: one that is about to end says NOT_SERVING
# while it still answers, and so loses no call.
_ROUND_ROBIN: tuple[tuple[str, Any], ...] = (
    (
        "grpc.service_config",
        '{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}',
    ),
    # The name is looked up again when a connection ends, but not sooner than this. With gRPC's own 30 s all servers
    # that are known could have been replaced by then.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
)
_POLICIES: dict[str, tuple[tuple[str, Any], ...]] = {"pick_first": (), "round_robin": _ROUND_ROBIN}


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method of a service, as gRPC's channels want it. `name` is for people and metadata hooks."""

    name: str
    path: str
    serialize: Callable[[Any], bytes]
    deserialize: Callable[[bytes], Any]


def _rpcs() -> dict[str, Rpc]:
    service = bertha_pb2.DESCRIPTOR.services_by_name["Bertha"]
    return {
        m.name: Rpc(
            m.name,
            f"/{service.full_name}/{m.name}",
            getattr(bertha_pb2, m.input_type.name).SerializeToString,
            getattr(bertha_pb2, m.output_type.name).FromString,
        )
        for m in service.methods
    }


RPCS = _rpcs()

# Two fields of grpc.health.v1, read here so that no further package is needed. Request: field 1 is the service's name.
# Reply: field 1 is a status, absent if 0.
_HEALTH_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


def _write_health_request(service: str) -> bytes:
    name = service.encode()
    if len(name) > 127:
        raise ValueError(f"no model has a name of {len(name)} bytes")
    return b"\n" + bytes([len(name)]) + name if name else b""


def _read_health_reply(reply: bytes) -> str:
    number = reply[1] if len(reply) >= 2 and reply[0] == 8 else 0
    return _HEALTH_STATUS[number] if number < len(_HEALTH_STATUS) else "UNKNOWN"


HEALTH = Rpc("Check", "/grpc.health.v1.Health/Check", _write_health_request, _read_health_reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """See `Methods.__init__` for the fields."""

    address: str
    load_balancing: str
    tls: bool
    root_certificates: Pem | None
    client_certificate: Pem | None
    client_key: Pem | None
    server_name: str
    token: Token | None
    allow_insecure: bool
    metadata: MetadataHook | None

    def __post_init__(self) -> None:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key go together")
        if self.load_balancing not in _POLICIES:
            raise ValueError(f"load_balancing must be one of {', '.join(_POLICIES)}, not {self.load_balancing!r}")
        if isinstance(self.token, str):
            check_token(self.token)
        if self.token is not None and not (self.encrypted or self.allow_insecure or is_loopback(self.address)):
            raise ValueError(
                f"a token for {self.address} would cross the network unencrypted: pass tls=True, or "
                "allow_insecure=True if something else protects the way"
            )

    @property
    def encrypted(self) -> bool:
        return self.tls or self.root_certificates is not None or self.client_certificate is not None

    def open(self, plain: Callable[..., C], secure: Callable[..., C]) -> C:
        """A channel, made by gRPC's functions for one without TLS or for one with it."""
        credentials, options = self.credentials(), self.options()
        if credentials is None:
            return plain(self.address, options=options)
        return secure(self.address, credentials, options=options)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """None: no TLS."""
        if not self.encrypted:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=_read_pem(self.root_certificates, "root_certificates"),
            private_key=_read_pem(self.client_key, "client_key"),
            certificate_chain=_read_pem(self.client_certificate, "client_certificate"),
        )

    def options(self) -> list[tuple[str, Any]]:
        named = [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []
        return [*_OPTIONS, *_POLICIES[self.load_balancing], *named]

    def call_metadata(self, rpc: Rpc, token: str | None, request_id: str, traceparent: str) -> tuple[Pair, ...]:
        """Of one attempt. `token`: what `self.token` gave for it."""
        pairs: list[Pair] = []
        if token is not None:
            pairs.append(("authorization", f"Bearer {check_token(token)}"))
        if request_id:
            pairs.append(("x-request-id", request_id))
        if traceparent:
            pairs.append(("traceparent", traceparent))
        if self.metadata is not None:
            pairs.extend(self.metadata(rpc.name))
        return tuple(pairs)


def check_token(token: str) -> str:
    """RFC 6750: no spaces, no line ends; a file's last line end is the usual mistake. The message does not show it."""
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("token must be a str of visible ASCII characters, without spaces or line ends")
    return token


def is_loopback(address: str) -> bool:
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    target = re.sub(r"^(dns:(//[^/]*/)?|ipv4:|ipv6:)", "", address)
    host = target[1 : target.find("]")] if target.startswith("[") else target.rsplit(":", 1)[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_pem(pem: Pem | None, what: str) -> bytes | None:
    if pem is None or isinstance(pem, bytes):
        return pem
    try:
        with open(pem, "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"{what}: cannot read {os.fspath(pem)}: {error.strerror}") from error
