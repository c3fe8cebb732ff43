"""TLS of both Python clients: the server is checked, and the client too if the server asks for it."""

import grpc
import pytest

from bertha import Unavailable
from certificates import Authority
from client_fake import serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def server_credentials(authority, check_clients):
    """Of a server that is only known as "localhost"."""
    certificate, key = authority.issue("server", "DNS:localhost")
    roots = authority.ca.read_bytes() if check_clients else None
    return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())], roots, check_clients)


def classify(client):
    return client.classify("a", timeout=20)


def give_up_soon(client):
    return client.classify("a", timeout=1)


def test_the_servers_certificate_is_checked(ask, authority):
    with serving(credentials=server_credentials(authority, False)) as server:
        ca = authority.ca
        for roots in (ca, str(ca), ca.read_bytes()):
            assert ask(classify, address=server.address, root_certificates=roots, token="t").model == "fake"
        assert server.bertha.metadata[0]["authorization"] == "Bearer t"
        port = server.address.rpartition(":")[2]
        address = f"127.0.0.1:{port}"
        assert ask(classify, address=address, root_certificates=ca, server_name="localhost").model == "fake"
        for options in ({"tls": True}, {}, {"root_certificates": ca, "server_name": "other"}):
            with pytest.raises(Unavailable):
                ask(give_up_soon, address=server.address, **options)


def test_a_server_that_asks_for_certificates_gets_the_clients(ask, authority):
    with serving(credentials=server_credentials(authority, True)) as server:
        pair = dict(zip(("client_certificate", "client_key"), authority.issue("client")))
        roots = {"root_certificates": authority.ca}
        assert ask(classify, address=server.address, **roots, **pair).model == "fake"
        with pytest.raises(Unavailable):
            ask(give_up_soon, address=server.address, **roots)


def test_half_a_pair_and_missing_files_are_refused(ask, authority):
    with pytest.raises(ValueError, match="go together"):
        ask(classify, client_certificate=authority.ca)
    with pytest.raises(ValueError, match="root_certificates: cannot read /none: No such file"):
        ask(classify, root_certificates="/none")
