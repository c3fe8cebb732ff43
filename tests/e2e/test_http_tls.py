"""TLS of the HTTP server: versions, client certificates, and certificates that change while it runs."""

import contextlib
import os
import ssl
import subprocess
import time

import pytest

from certificates import Authority
from e2e_support import wait_until
from http_core_support import Probe, get, seconds

QUICK = {"tls_poll": 50, "header_timeout": 500}


def trusting(authority, certificate=None, **versions):
    """A client's context that trusts the authority, and shows `certificate`."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    for name, version in versions.items():
        setattr(context, name, version)
    if certificate:
        context.load_cert_chain(*map(str, certificate))
    return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(authority, tmp_path):
    """The server's own certificate and key, which tests may replace."""
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    put(authority.issue("first"), (certificate, key))
    return certificate, key


def put(source, target):
    for one, other in zip(source, target):
        fresh = other.with_suffix(".new")
        fresh.write_bytes(one.read_bytes())
        os.replace(fresh, other)


@pytest.fixture
def tls(program, files):
    """tls(OPTION=VALUE...) starts a server with these files."""
    started = []

    def start(**options):
        certificate, key = files
        started.append(Probe(program("http_probe_server"), {**QUICK, "certificate": certificate, "key": key, **options}))
        return started[-1]

    yield start
    for server in started:
        assert server.close() == 0, server.log


def name_shown(server, context):
    """The common name in the server's certificate."""
    with server.connect(context=context) as raw:
        subject = raw.socket.getpeercert()["subject"]
        return next(value for part in subject for key, value in part if key == "commonName")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_answered_over_tls(tls, authority, version):
    server = tls()
    context = trusting(authority, minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with server.connect(context=context) as raw:
        assert raw.socket.selected_alpn_protocol() == "http/1.1"
        raw.send(get("/describe") * 3 + get("/big"))
        assert all(b"tls 1 subject \n" in raw.answer().body for _ in range(3))
        assert len(raw.answer().body) == 32 << 20


def test_streams_work_over_tls(tls, authority):
    server = tls()
    command = ["curl", "-sS", "--cacert", str(authority.ca), "-T", "-", "-X", "POST", "--max-time", "60",
               f"https://localhost:{server.port}/stream"]
    data = b"".join(b"%d\n" % i for i in range(100_000))
    assert subprocess.run(command, input=data, capture_output=True, check=True).stdout == data


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_other_protocols_are_turned_away(tls, authority):
    server = tls()
    context = trusting(authority, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        server.connect(context=context)
    only_h2 = trusting(authority)
    only_h2.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no application protocol"):
        server.connect(context=only_h2)
    with server.connect() as raw:  # no TLS at all
        raw.send(get("/"))
        with contextlib.suppress(ConnectionError):
            while raw._more():
                pass
        assert b"HTTP/" not in raw._read
    assert server.ask(get("/"), context=trusting(authority)).status == 200


def test_a_handshake_must_end_in_time(tls, authority):
    server = tls()
    with server.connect() as raw:
        raw.send(b"\x16\x03\x01")
        ended, took = seconds(raw.ended)
        assert ended and took < 10
    wait_until(lambda: server.stats()["timed_out"] == 1, "it is counted")


def test_a_client_that_goes_is_noticed_over_tls(tls, authority):
    server = tls()
    with server.connect(context=trusting(authority)) as raw:
        raw.send(get("/later?ms=600000"))
        wait_until(lambda: server.stats()["requests"] == 1, "it is computed")
    server.wait_seen("abandoned")
    wait_until(lambda: server.stats()["open"] == 0, "nothing is left")


def test_mutual_tls_lets_in_only_certified_clients(tls, authority, tmp_path):
    server = tls(client_ca=authority.ca)
    with server.connect(context=trusting(authority, authority.issue("client"))) as raw:
        raw.send(get("/describe"))
        assert b"subject CN=client,O=Test\n" in raw.answer().body
    stranger = Authority(tmp_path, "stranger").issue("client")
    for certificate in (None, stranger):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            server.ask(get("/describe"), context=trusting(authority, certificate))
    assert server.stats()["requests"] == 1


def test_new_certificates_are_used_without_a_restart(tls, authority, files):
    server, context = tls(), trusting(authority)
    with server.connect(context=context) as kept:
        assert name_shown(server, context) == "first"
        put(authority.issue("second"), files)
        wait_until(lambda: name_shown(server, context) == "second", "the new one is shown")
        kept.send(get("/describe"))
        assert kept.answer().status == 200  # what is open stays open
    assert server.logged("new connections use them") == 1


def test_a_broken_pair_keeps_the_old_one(tls, authority, files):
    server, context = tls(), trusting(authority)
    certificate, key = files
    _, other_key = authority.issue("other")
    put([other_key], [key])  # does not fit
    wait_until(lambda: server.logged("does not belong to the certificate"), "it says so")
    assert name_shown(server, context) == "first"
    certificate.write_text("nonsense")
    wait_until(lambda: server.logged("holds no PEM certificate"), "it says so")
    certificate.unlink()
    wait_until(lambda: server.logged("cannot be read"), "it says so")
    time.sleep(0.3)  # several looks later
    assert server.logged("cannot be used") == 3  # each once
    assert name_shown(server, context) == "first"
    put(authority.issue("third"), files)
    wait_until(lambda: name_shown(server, context) == "third", "the good pair is shown")


@pytest.mark.parametrize("broken, message", [
    ("certificate", "holds no PEM certificate"),
    ("key", "holds no PEM private key without a passphrase"),
    ("client_ca", "holds no PEM certificate"),
])
def test_files_that_are_no_use_stop_the_start(program, files, tmp_path, broken, message):
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    options = {"certificate": files[0], "key": files[1], broken: nonsense}
    command = [str(program("http_probe_server")), *(f"{name}={value}" for name, value in options.items())]
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert run.returncode == 1 and str(nonsense) in run.stdout and message in run.stdout


def test_idle_tls_connections_cost_little(tls, authority):
    server, context, count = tls(per_client=0), trusting(authority), 500
    with contextlib.ExitStack() as stack:
        assert server.ask(get("/"), context=context).status == 200
        before = server.resident_bytes()
        for _ in range(count):
            raw = stack.enter_context(server.connect(context=context))
            raw.send(get("/describe"))
            raw.answer()
        each = (server.resident_bytes() - before) / count
        print(f"{count} idle TLS connections cost {each:.0f} bytes each")
        assert each < 65536
