"""TLS of both Python clients: the server is checked, and the client too if the server asks for it."""

import pathlib
import subprocess

import grpc
import pytest

from bertha import Unavailable
from client_fake import serving


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate authority, and what it signed for the server ("localhost") and a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    for name, host in (("server", "localhost"), ("client", "client")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        (folder / "names").write_text(f"subjectAltName=DNS:{host}")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return folder


def server_credentials(folder: pathlib.Path, check_clients):
    pair = ((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())
    roots = (folder / "ca.pem").read_bytes()
    return grpc.ssl_server_credentials([pair], roots if check_clients else None, check_clients)


def classify(client):
    return client.classify("a", timeout=20)


def give_up_soon(client):
    return client.classify("a", timeout=1)


def test_the_servers_certificate_is_checked(ask, certificates):
    with serving(credentials=server_credentials(certificates, False)) as server:
        ca = certificates / "ca.pem"
        for roots in (ca, str(ca), ca.read_bytes()):
            assert ask(classify, address=server.address, root_certificates=roots, token="t").model == "fake"
        assert server.bertha.metadata[0]["authorization"] == "Bearer t"
        port = server.address.rpartition(":")[2]
        address = f"127.0.0.1:{port}"
        assert ask(classify, address=address, root_certificates=ca, server_name="localhost").model == "fake"
        for options in ({"tls": True}, {}, {"root_certificates": ca, "server_name": "other"}):
            with pytest.raises(Unavailable):
                ask(give_up_soon, address=server.address, **options)


def test_a_server_that_asks_for_certificates_gets_the_clients(ask, certificates):
    with serving(credentials=server_credentials(certificates, True)) as server:
        pair = {"client_certificate": certificates / "client.pem", "client_key": certificates / "client.key"}
        roots = {"root_certificates": certificates / "ca.pem"}
        assert ask(classify, address=server.address, **roots, **pair).model == "fake"
        with pytest.raises(Unavailable):
            ask(give_up_soon, address=server.address, **roots)


def test_half_a_pair_and_missing_files_are_refused(ask, certificates):
    with pytest.raises(ValueError, match="go together"):
        ask(classify, client_certificate=certificates / "client.pem")
    with pytest.raises(ValueError, match="root_certificates: cannot read /none: No such file"):
        ask(classify, root_certificates="/none")
