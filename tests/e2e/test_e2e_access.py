"""Who is let in: tokens and scopes, TLS with and without client certificates, rate limits; and files that change."""

import hashlib
import os
import shutil
import ssl
import subprocess
import time

import grpc
import pytest
import requests

from bertha.v1 import bertha_pb2 as pb
from bertha.v1 import bertha_pb2_grpc, model_control_pb2
from certificates import Authority
from e2e_support import CHANNEL_OPTIONS, PATIENCE, Daemon, Stream, failure, texts_request, wait_until, with_quick

CODE = grpc.StatusCode
SHOP, OPS = "shop-token-0123456789", "ops-token-0123456789"
REQUEST = texts_request(["I love it"])


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    hashed = hashlib.sha256(OPS.encode()).hexdigest()
    path.write_text(f"# who may do what\nshop infer {SHOP}\nops admin sha256:{hashed}\n")
    path.chmod(0o600)
    return path


def replace(path, text):
    """In one step, as editors and kubelet do."""
    new = path.with_suffix(".new")
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(new, path)


# --- tokens ---


def test_a_call_needs_a_token_with_its_scope(daemon, tokens):
    d = daemon("--auth-tokens-file", tokens)
    classify = d.stub().Classify
    assert classify(REQUEST, metadata=bearer(SHOP)).results
    missing = failure(classify, REQUEST)
    wrong = failure(classify, REQUEST, metadata=bearer("wrong-token-0123456789"))
    assert missing.code() is wrong.code() is CODE.UNAUTHENTICATED
    assert missing.details() == wrong.details() and "authorization: Bearer" in wrong.details()
    without_scope = failure(classify, REQUEST, metadata=bearer(OPS))
    assert without_scope.code() is CODE.PERMISSION_DENIED
    assert '"ops"' in without_scope.details() and "infer" in without_scope.details()
    assert "token-0123456789" not in d.log()


def test_recording_feedback_needs_the_scope_feedback(daemon, tmp_path):
    voter = "voter-token-0123456789"
    (tmp_path / "tokens").write_text(f"shop infer {SHOP}\nvoter feedback {voter}\n")
    d = daemon("--auth-tokens-file", tmp_path / "tokens", "--feedback-database", tmp_path / "votes.db")
    vote = pb.RecordFeedbackRequest(input=pb.TextInput(text="x"), model="sentiment-bert", version=1, label="neutral")
    vote.verdict = pb.VERDICT_RIGHT
    without_scope = failure(d.stub().RecordFeedback, vote, metadata=bearer(SHOP))
    assert without_scope.code() is CODE.PERMISSION_DENIED
    assert '"shop" does not have the scope feedback' in without_scope.details()
    assert d.stub().RecordFeedback(vote, metadata=bearer(voter)).id == 1
    assert failure(d.stub().Classify, REQUEST, metadata=bearer(voter)).code() is CODE.PERMISSION_DENIED


def test_the_admin_listener_asks_for_the_scope_admin(daemon, tokens):
    unload = daemon("--auth-tokens-file", tokens).control().Unload
    request = model_control_pb2.UnloadRequest(model="nobody")
    assert failure(unload, request).code() is CODE.UNAUTHENTICATED
    assert failure(unload, request, metadata=bearer(SHOP)).code() is CODE.PERMISSION_DENIED
    assert failure(unload, request, metadata=bearer(OPS)).code() is CODE.NOT_FOUND


def test_a_stream_needs_a_token_and_health_does_not(daemon, tokens):
    d = daemon("--auth-tokens-file", tokens)  # waited for it with a health check
    refused = d.stub().StreamClassify(iter([]), timeout=PATIENCE)
    assert failure(list, refused).code() is CODE.UNAUTHENTICATED
    messages = iter([pb.StreamClassifyRequest(id=1, request=REQUEST)])
    assert [r.id for r in d.stub().StreamClassify(messages, metadata=bearer(SHOP), timeout=PATIENCE)] == [1]


def test_tokens_are_read_again_and_a_broken_file_changes_nothing(daemon, tokens):
    d = daemon("--auth-tokens-file", tokens)
    classify = d.stub().Classify
    replace(tokens, "shop infer tooshort\n")
    classify(REQUEST, metadata=bearer(SHOP))
    wait_until(lambda: classify(REQUEST, metadata=bearer(SHOP)) and d.log_lines("line 1: the token has less"), "it is read")
    time.sleep(2.5)
    classify(REQUEST, metadata=bearer(SHOP))
    assert len(d.log_lines("line 1: the token has less")) == 1
    replace(tokens, f"shop infer {SHOP}-second\n")

    def revoked():
        try:
            classify(REQUEST, metadata=bearer(SHOP))
        except grpc.RpcError as error:
            return error.code() is CODE.UNAUTHENTICATED

    wait_until(revoked, "the old token is refused", 10)
    assert classify(REQUEST, metadata=bearer(SHOP + "-second")).results


@pytest.mark.parametrize("text", ["shop infer tooshort\n", "", None])
def test_a_daemon_without_good_tokens_does_not_start(berthad, models_dir, tmp_path, text):
    path = tmp_path / "tokens"
    if text is not None:
        path.write_text(text)
    ended = berthad("--models", models_dir, "--grpc-address", "127.0.0.1:0", "--auth-tokens-file", path)
    assert ended.returncode == 1 and str(path) in ended.stderr and "tooshort" not in ended.stderr


# --- rate limits ---


def test_a_client_over_its_rate_is_told_when_to_come_back(daemon, tokens):
    d = daemon("--auth-tokens-file", tokens, "--limits-requests-per-second", "2", "--limits-burst", "3")
    classify = d.stub().Classify
    for _ in range(3):
        classify(REQUEST, metadata=bearer(SHOP))
    refused = failure(classify, REQUEST, metadata=bearer(SHOP))
    assert refused.code() is CODE.RESOURCE_EXHAUSTED and "limits.requests_per_second" in refused.details()
    wait_ms = int(dict(refused.trailing_metadata())["grpc-retry-pushback-ms"])
    assert 0 < wait_ms <= 500
    time.sleep(wait_ms / 1000)
    assert classify(REQUEST, metadata=bearer(SHOP)).results


def test_each_message_of_a_stream_counts(daemon):
    d = daemon("--limits-requests-per-second", "1", "--limits-burst", "3")
    stream = Stream(d.stub())  # one
    for i in range(5):
        stream.send(i, REQUEST)
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    errors = {r.id: r.error for r in stream.replies if r.HasField("error")}
    assert set(errors) == {2, 3, 4}
    assert all(e.code == CODE.RESOURCE_EXHAUSTED.value[0] and 0 < e.retry_after_ms <= 1000 for e in errors.values())


def test_http_asks_for_the_same_tokens_and_counts_the_same_calls(daemon, tokens):
    d = daemon("--auth-tokens-file", tokens, "--limits-requests-per-second", "1", "--limits-burst", "2")

    def post(token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"inputs": [{"text": "I love it"}]}
        return requests.post(f"http://{d.http_address}/v1/classify", json=body, headers=headers, timeout=PATIENCE)

    assert post(None).status_code == 401
    assert post(OPS).status_code == 403
    assert post(SHOP).status_code == 200
    assert d.stub().Classify(REQUEST, metadata=bearer(SHOP)).results
    refused = post(SHOP)
    assert refused.status_code == 429 and refused.headers["retry-after"] == "1"


# --- TLS ---


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


class TlsDaemon(Daemon):
    """Its channels speak TLS: `credentials` are those of a client."""

    credentials = None

    def channel(self, address=None):
        channel = grpc.secure_channel(address or self.address, self.credentials, CHANNEL_OPTIONS)
        self._channels.append(channel)
        return channel


@pytest.fixture
def tls_daemon(program, models_dir, tmp_path, authority):
    started = []

    def start(credentials, *flags):
        for source, name in zip(authority.issue("server"), ("server.pem", "server.key")):
            shutil.copy(source, tmp_path / name)
        files = ["--tls-certificate", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key"]
        d = TlsDaemon(program("berthad"), models_dir, tmp_path / "log", *with_quick([*files, *flags]))
        started.append(d)
        d.credentials = credentials
        return d.wait_serving()

    yield start
    for d in started:
        d.close()


def trusting(authority, pair=None):
    key, certificate = (pair[1].read_bytes(), pair[0].read_bytes()) if pair else (None, None)
    return grpc.ssl_channel_credentials(authority.ca.read_bytes(), key, certificate)


def serial_of(address):
    """Of the certificate that the server shows now."""
    host, port = address.split(":")
    pem = ssl.get_server_certificate((host, int(port)), timeout=10)
    shown = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, check=True)
    return shown.stdout


def test_calls_over_tls_and_none_in_plaintext(tls_daemon, authority):
    d = tls_daemon(trusting(authority))
    assert d.stub().Classify(REQUEST).results
    with grpc.insecure_channel(d.address) as plaintext:
        error = failure(bertha_pb2_grpc.BerthaStub(plaintext).Classify, REQUEST, timeout=10)
    assert error.code() in (CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED)


def test_a_new_certificate_is_shown_and_a_broken_one_is_not(tls_daemon, authority, tmp_path):
    d = tls_daemon(trusting(authority))
    first = serial_of(d.address)
    old_connection = d.stub()
    assert old_connection.Classify(REQUEST).results
    certificate, key = authority.issue("second")
    replace(tmp_path / "server.key", key.read_bytes())  # for a while it is another one's
    wait_until(lambda: serial_of(d.address) and d.log_lines("does not belong to the certificate"), "it looks", 20)
    assert serial_of(d.address) == first and d.stub().Classify(REQUEST).results
    replace(tmp_path / "server.pem", certificate.read_bytes())
    second = wait_until(lambda: (serial := serial_of(d.address)) != first and serial, "the new one is shown", 20)
    assert d.stub().Classify(REQUEST).results
    assert old_connection.Classify(REQUEST).results
    (tmp_path / "server.pem").write_text("nonsense")
    wait_until(lambda: serial_of(d.address) and d.log_lines("holds no PEM certificate"), "it looks", 20)
    assert serial_of(d.address) == second
    assert len(d.log_lines("does not belong")) == len(d.log_lines("holds no PEM")) == 1


def test_all_ports_show_the_same_certificate_and_complain_of_a_broken_one_together(tls_daemon, authority, tmp_path):
    d = tls_daemon(trusting(authority), "--admin-tls", "true")
    ports = (d.address, d.http_address, d.admin_address, d.admin_http_address)
    first = {serial_of(port) for port in ports}
    assert len(first) == 1
    certificate, key = authority.issue("second")
    replace(tmp_path / "server.key", key.read_bytes())  # for a while it is another one's
    wait_until(lambda: d.log_lines("does not belong to the certificate"), "it looks", 20)
    assert {serial_of(port) for port in ports} == first
    replace(tmp_path / "server.pem", certificate.read_bytes())
    wait_until(lambda: d.log_lines("new connections use them"), "it looks", 20)
    second = {serial_of(port) for port in ports}
    assert len(second) == 1 and second != first
    assert len(d.log_lines("TLS files changed")) == 2


def test_mutual_tls_lets_in_only_who_has_a_certificate_of_the_authority(tls_daemon, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", "stranger").issue("client")
    client = authority.issue("client")
    d = tls_daemon(trusting(authority, client), "--tls-client-ca", authority.ca)
    assert d.stub().Classify(REQUEST).results
    for credentials in (trusting(authority), trusting(authority, stranger)):
        d.credentials = credentials
        assert failure(d.stub().Classify, REQUEST, timeout=10).code() is CODE.UNAVAILABLE


def test_mutual_tls_holds_on_the_http_port_too(tls_daemon, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", "stranger").issue("client")
    client = authority.issue("client")
    d = tls_daemon(trusting(authority, client), "--tls-client-ca", authority.ca)

    def models(pair):
        cert = tuple(map(str, pair)) if pair else None
        url = f"https://{d.http_address}/v1/models"
        return requests.get(url, cert=cert, verify=str(authority.ca), timeout=PATIENCE)

    assert models(client).json()["models"]
    for pair in (None, stranger):
        with pytest.raises(requests.ConnectionError):
            models(pair)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{d.http_address}/v1/models", timeout=PATIENCE)


def test_the_admin_listener_speaks_tls_if_told_to(tls_daemon, authority):
    d = tls_daemon(trusting(authority), "--admin-tls", "true")
    assert failure(d.control().Unload, model_control_pb2.UnloadRequest(model="nobody")).code() is CODE.NOT_FOUND


def test_files_that_cannot_be_used_stop_the_start(berthad, models_dir, authority, tmp_path):
    certificate, _ = authority.issue("a")
    _, other_key = authority.issue("b")
    common = ["--models", models_dir, "--grpc-address", "127.0.0.1:0"]
    mismatch = berthad(*common, "--tls-certificate", certificate, "--tls-key", other_key)
    assert mismatch.returncode == 1 and "does not belong to the certificate" in mismatch.stderr
    missing = berthad(*common, "--tls-certificate", tmp_path / "none", "--tls-key", other_key)
    assert missing.returncode == 1 and "tls.certificate" in missing.stderr
    half = berthad(*common, "--tls-certificate", certificate)
    assert half.returncode == 2 and "tls.key" in half.stderr


# --- the command line client ---


def test_the_client_speaks_tls_and_sends_its_token(tls_daemon, authority, tokens, bertha, tmp_path):
    client = authority.issue("cli")
    flags = ["--auth-tokens-file", tokens, "--tls-client-ca", authority.ca]
    d = tls_daemon(trusting(authority, client), *flags)
    tls = ["--ca", authority.ca, "--cert", client[0], "--key", client[1]]
    token_file = tmp_path / "token"
    token_file.write_text(SHOP + "\n")
    for token in (["--token", SHOP], ["--token-file", token_file]):
        for command in (["classify", "I love it"], ["models"]):
            done = bertha(*command, *tls, *token, address=d.address)
            assert done.returncode == 0, done.stderr
    assert bertha("health", *tls, address=d.address).returncode == 0
    refused = bertha("classify", "I love it", *tls, address=d.address)
    assert refused.returncode == 1 and b"UNAUTHENTICATED" in refused.stderr
    assert bertha("models", "--tls", address=d.address).returncode == 3  # not an authority that this machine trusts


def test_the_client_does_not_send_a_token_in_plaintext_over_a_network(bertha):
    refused = bertha("models", "--token", SHOP, address="192.0.2.1:8001")
    assert refused.returncode == 2 and b"plaintext" in refused.stderr and SHOP.encode() not in refused.stderr
    allowed = bertha("models", "--token", SHOP, "--insecure-token", "--timeout", "0.2", address="192.0.2.1:8001")
    assert allowed.returncode == 3
