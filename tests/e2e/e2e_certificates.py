"""Certificates for the tests of TLS, made on the spot with the openssl command."""

import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority of its own: `ca` is its certificate's file."""

    def __init__(self, folder, name="authority"):
        self.folder, self.ca, self._key = folder, folder / f"{name}.pem", folder / f"{name}.key"
        folder.mkdir(parents=True, exist_ok=True)
        request = ["req", "-x509", *self._new_key(self._key), "-days", "2", "-subj", f"/CN={name}"]
        _openssl(*request, "-out", self.ca)

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    def issue(self, name, hosts="DNS:localhost,IP:127.0.0.1"):
        """(certificate, key): files of a new pair for `hosts`."""
        certificate, key, request = (self.folder / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n")
        _openssl("req", "-new", *self._new_key(key), "-subj", f"/CN={name}", "-out", request)
        sign = ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2"]
        _openssl(*sign, "-extfile", extensions, "-out", certificate)
        return certificate, key
