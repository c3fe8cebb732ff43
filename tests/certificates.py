"""Certificates for the tests of TLS, made on the spot with the openssl command."""

from __future__ import annotations

import pathlib
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority of its own: `ca` is its certificate's file."""

    def __init__(self, folder: pathlib.Path, name: str = "authority") -> None:
        self.folder, self.ca, self._key = folder, folder / f"{name}.pem", folder / f"{name}.key"
        folder.mkdir(parents=True, exist_ok=True)
        _openssl("req", "-x509", *KEY, "-keyout", self._key, "-days", "2", "-subj", f"/CN={name}", "-out", self.ca)

    def issue(self, name: str, hosts: str = "DNS:localhost,IP:127.0.0.1") -> tuple[pathlib.Path, pathlib.Path]:
        """(certificate, key): files of a new pair for `hosts`."""
        certificate, key, request = (self.folder / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        _openssl("req", "-new", *KEY, "-keyout", key, "-subj", f"/O=Test/CN={name}", "-out", request)
        sign = ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2"]
        _openssl(*sign, "-extfile", extensions, "-out", certificate)
        return certificate, key
