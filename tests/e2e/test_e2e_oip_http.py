"""The Open Inference Protocol over HTTP, asked by the published tritonclient as it is, and by hand."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from e2e_support import PATIENCE, largest_difference, texts_request

TEXTS = ["I love it", "The train was late again", "", "naïve 😀", "a\0b", "word " * 500]


@pytest.fixture
def client(shared):
    with triton.InferenceServerClient(shared.http_address, network_timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def name(package):
    return package.parent.name


def tensor(texts, binary=True):
    one = triton.InferInput("text", [len(texts)], "BYTES")
    one.set_data_from_numpy(np.array([t.encode() for t in texts], dtype=object), binary_data=binary)
    return one


def post(shared, path, body, **headers):
    """Code and body."""
    request = urllib.request.Request(f"http://{shared.http_address}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_answers_are_those_of_classify(client, shared, name, binary_in, binary_out):
    expected = shared.stub().Classify(texts_request(TEXTS)).results
    wanted = None
    if binary_out is not None:
        names = ("label", "score", "logits")
        wanted = [triton.InferRequestedOutput(output, binary_data=binary_out) for output in names]
    result = client.infer(name, [tensor(TEXTS, binary_in)], request_id="seven", outputs=wanted)
    assert result.get_response()["id"] == "seven"
    labels = [label if isinstance(label, str) else label.decode() for label in result.as_numpy("label")]
    assert labels == [r.scores[0].label for r in expected]
    assert largest_difference(result.as_numpy("score"), [r.scores[0].score for r in expected]) <= 1e-5
    if wanted:
        for row, r in zip(result.as_numpy("logits"), expected):
            assert largest_difference(row, r.logits) <= 1e-5


def test_server_and_models_describe_themselves(client, name):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata()["name"] == "bertha"
    assert client.get_model_metadata(name)["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]
    assert client.get_model_config(name)["max_batch_size"] == 256
    assert [m["state"] for m in client.get_model_repository_index() if m["name"] == name] == ["READY"]
    before = client.get_inference_statistics(name)["model_stats"][0]["inference_count"]
    client.infer(name, [tensor(["a", "b"])])
    assert client.get_inference_statistics(name)["model_stats"][0]["inference_count"] == before + 2


def test_errors_of_what_reaches_no_call_have_the_protocols_form(client, shared, name):
    with pytest.raises(InferenceServerException) as info:
        client.get_trace_settings()
    assert info.value.status() == "404" and "there is nothing at this path" in str(info.value)
    with pytest.raises(InferenceServerException) as info:
        client.infer(name, [tensor(["x" * (9 << 20)])])
    assert info.value.status() == "413" and "the body is longer than" in str(info.value)
    for path, body, code, words in (
        (f"/v2/models/{name}/ready", b"{}", 405, "this path answers GET, HEAD, OPTIONS"),
        ("/v2/" + "x" * 9000, None, 414, "longer than 8192 bytes"),
        ("/v2/%zz", None, 400, "percent"),
    ):
        got, reply = post(shared, path, body)
        assert got == code and words in json.loads(reply)["error"], (got, reply)
    got, reply = post(shared, "/v2/models", None, x="y" * 20_000)
    assert got == 431 and "the header is longer" in json.loads(reply)["error"]
    assert json.loads(post(shared, "/v2x", None)[1])["error"]["status"] == "NOT_FOUND"
    url = f"http://{shared.admin_http_address}/v2/repository/index"
    admin = urllib.request.Request(url, b"", {"origin": "http://a.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(admin, timeout=PATIENCE)
    assert refused.value.code == 403 and "web pages" in json.loads(refused.value.read())["error"]


def test_errors_have_the_codes_of_http_and_the_words_of_grpc(client, shared, name):
    with pytest.raises(InferenceServerException, match='no model "nobody"') as info:
        client.infer("nobody", [tensor(["a"])])
    assert info.value.status() == "404"
    with pytest.raises(InferenceServerException, match="admin listener") as info:
        client.unload_model(name)
    assert info.value.status() == "403"
    path = f"/v2/models/{name}/infer"
    text = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    cases = [
        (b"", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["\\ud800"]}]}', "not valid JSON"),
        (json.dumps({"inputs": [text], "colour": 1}).encode(), "colour"),
        (json.dumps({"inputs": [{**text, "shape": [1 << 62, 1 << 62]}]}).encode(), "too large"),
        (json.dumps({"inputs": [{**text, "shape": [-1]}]}).encode(), "at least 1"),
        (json.dumps({"inputs": [{**text, "data": [10**30]}]}).encode(), "expected a string"),
    ]
    for body, words in cases:
        code, reply = post(shared, path, body)
        assert code == 400 and words in json.loads(reply)["error"], (code, reply)
    code, reply = post(shared, path, json.dumps({"inputs": [text]}).encode(), **{"Inference-Header-Content-Length": "9e9"})
    assert code == 400 and "Inference-Header-Content-Length" in json.loads(reply)["error"]
    assert post(shared, path, json.dumps({"inputs": [text]}).encode())[0] == 200
