"""The calls of bertha.v1 over HTTP: the same answers as over gRPC, and errors that say the same."""

import json
import pathlib
import re
import subprocess
import sys
import time

import pytest
import requests
from google.protobuf import json_format
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, failure, texts_request, wait_until


def url(daemon, path):
    return f"http://{daemon.http_address}{path}"


def post(daemon, path, body, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(url(daemon, path), json=body, headers=named, timeout=PATIENCE)


def get(daemon, path):
    return requests.get(url(daemon, path), timeout=PATIENCE)


def without_times(message):
    for result in message.results:
        result.ClearField("timing")
        result.ClearField("batch")
    return message


def test_classify_answers_as_over_grpc(shared):
    reply = post(shared, "/v1/classify", {"inputs": [{"text": "I love it"}, {"text": "Awful \U0001f600\u0000"}],
                                          "options": {"raw_logits": True}})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    request = texts_request(["I love it", "Awful \U0001f600\u0000"])
    request.options.raw_logits = True
    expected = without_times(shared.stub().Classify(request))
    assert without_times(json_format.Parse(reply.text, pb.ClassifyResponse())) == expected


def test_every_call_of_the_service_has_its_route(shared):
    service = pb.DESCRIPTOR.services_by_name["Bertha"]
    for method in service.methods:
        if method.client_streaming:
            continue
        words = re.sub("([A-Z])", r"-\1", method.name).lower().lstrip("-")
        reply = get(shared, "/v1/models") if words == "list-models" else post(shared, f"/v1/{words}", {})
        assert reply.status_code == 200 or "error" in reply.json(), (method.name, reply.text)
        assert reply.status_code != 404, (method.name, reply.text)


def test_models_are_listed(shared):
    models = get(shared, "/v1/models").json()["models"]
    assert models[0]["state"] == "STATE_SERVING" and models[0]["self_check"]["decisions"] > 0


@pytest.mark.parametrize(
    ("body", "status", "code", "part"),
    [
        ({"inputs": []}, 400, "INVALID_ARGUMENT", "inputs: is empty"),
        ({"inputs": [{"text": 5}]}, 400, "INVALID_ARGUMENT", "inputs[0].text: expected a string"),
        ({"inputs": [{"text": "a"}], "option": {}}, 400, "INVALID_ARGUMENT", '"option": unknown field'),
        ({"inputs": [{"text": "a"}], "model": "nope"}, 404, "NOT_FOUND", "nope"),
    ],
)
def test_an_error_says_what_grpc_says(shared, body, status, code, part):
    reply = post(shared, "/v1/classify", body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["status"]) == (status, status, code)
    assert part in error["message"]


def test_the_wrong_task_is_400(shared):
    error = post(shared, "/v1/tag-tokens", {"inputs": [{"text": "a"}]}).json()["error"]
    assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION") and "call Classify" in error["message"]


def test_what_is_not_json_is_refused(shared):
    for body in (b"", b"{", b'{"inputs": [{"text": "\\ud800"}]}', b'{"model": "\xff"}', b"[" * 100_000):
        reply = requests.post(url(shared, "/v1/classify"), data=body, headers={"content-type": "application/json"},
                              timeout=PATIENCE)
        assert reply.status_code == 400 and "JSON" in reply.json()["error"]["message"], reply.text
    form = requests.post(url(shared, "/v1/classify"), data={"text": "a"}, timeout=PATIENCE)
    assert form.status_code == 415 and "application/json" in form.json()["error"]["message"]


def test_the_deadline_comes_in_a_header(shared):
    assert post(shared, "/v1/classify", {"inputs": [{"text": "a"}]}, x_timeout_ms="60000").status_code == 200
    late = post(shared, "/v1/classify", {"inputs": [{"text": "a"}]}, x_timeout_ms="soon")
    assert late.status_code == 400 and "x-timeout-ms" in late.json()["error"]["message"]


def test_a_deadline_that_passes_is_504_although_the_forward_pass_goes_on(daemon, slow_models):
    flags = ("--cpu-workers", "2", "--batch-max-requests", "1", "--drain-timeout-ms", "300")
    d = daemon(*flags, models=slow_models, exit_code=1)  # 1: what was accepted does not end in time
    began = time.monotonic()
    reply = post(d, "/v1/classify", {"inputs": [{"text": "[MASK]"}]}, x_timeout_ms="500")
    assert reply.status_code == 504 and reply.json()["error"]["status"] == "DEADLINE_EXCEEDED", reply.text
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["[MASK] too"]}
    reply = post(d, "/v2/models/slow/infer", {"inputs": [tensor]}, x_timeout_ms="500")
    assert reply.status_code == 504 and "x-timeout-ms" in reply.json()["error"], reply.text
    assert 1 <= time.monotonic() - began < 60  # both passes take minutes
    assert "bertha_running_batches 2" in get(d, "/metrics").text
    line = 'bertha_requests_total{transport="http",method="%s",code="DEADLINE_EXCEEDED"} 1'
    for method in ("Classify", "ModelInfer"):
        assert line % method in get(d, "/metrics").text


def test_request_id_and_trace_come_back_over_both_transports(shared):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    reply = post(shared, "/v1/classify", {"inputs": [{"text": "a"}]}, x_request_id="order-17", traceparent=trace)
    assert (reply.headers["x-request-id"], reply.headers["traceparent"]) == ("order-17", trace)
    made = post(shared, "/v1/classify", {}, traceparent="nonsense")
    assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"]) and "traceparent" not in made.headers
    metadata = [("x-request-id", "order-17"), ("traceparent", trace)]
    _, call = shared.stub().Classify.with_call(texts_request(["a"]), metadata=metadata)
    trailers = dict(call.trailing_metadata())
    assert (trailers["x-request-id"], trailers["traceparent"]) == ("order-17", trace)


def test_what_reaches_no_call_is_logged_with_its_id_if_requests_are(daemon):
    d = daemon("--log-requests", "all")
    named = requests.get(url(d, "/nothing"), headers={"x-request-id": "order-18"}, timeout=PATIENCE)
    assert (named.status_code, named.headers["x-request-id"]) == (404, "order-18")
    large = requests.post(url(d, "/v1/classify"), data=b" " * (9 << 20), timeout=PATIENCE)
    assert large.status_code == 413
    for name, code in (("order-18", 404), (large.headers["x-request-id"], 413)):
        line = f"request {name}: refused over http from 127.0.0.1: {code}"
        wait_until(lambda: d.log_lines(line), f"{code} is logged")


def test_a_client_that_goes_away_cancels_its_call(daemon, slow_models):
    d = daemon(models=slow_models)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(url(d, "/v1/classify"), json={"inputs": [{"text": "wait"}]}, timeout=0.2)
    line = 'bertha_requests_total{transport="http",method="Classify",code="CANCELLED"} 1'
    wait_until(lambda: line in get(d, "/metrics").text, "the call is cancelled")


def test_openapi_describes_every_route(shared):
    document = get(shared, "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "Labels for one or several texts" in document["paths"]["/v1/classify"]["post"]["description"]
    schemas = document["components"]["schemas"]
    assert schemas["ClassifyRequest.in"]["additionalProperties"] is False
    assert json.dumps(document).count("$ref") > 20
    assert OPENAPI_31_VALIDATOR.validate(document) is None
    infer = document["paths"]["/v2/models/{model}/infer"]["post"]
    assert infer["description"] == "Texts, or tokens, to labels or vectors."
    assert "Inference-Header-Content-Length" in infer["responses"]["200"]["headers"]


def test_health_and_metrics(shared):
    assert get(shared, "/healthz").status_code == 200
    assert get(shared, "/readyz").status_code == 200
    reply = get(shared, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "bertha_request_duration_seconds_bucket" in reply.text


def test_promtool_finds_nothing_wrong_with_the_metrics(shared):
    shared.stub().Classify(texts_request(["a"]))
    metrics = get(shared, "/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_not_ready_before_a_model_serves_and_while_draining(daemon, slow_models, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    d = daemon("--models-allow-empty", "true", models=empty, wait=False)
    wait_until(lambda: d.log_lines("listening"), "it listens")
    assert get(d, "/healthz").status_code == 200
    assert get(d, "/readyz").status_code == 503


def test_compare_and_tokenize(shared):
    reply = post(shared, "/v1/compare", {"input": {"text": "I love it"}, "tokens": True}).json()
    (result,) = reply["results"]
    assert result["result"]["scores"][0]["score"] > 0.5
    assert [t["text"] for t in result["tokens"]["tokens"]][0] == "[CLS]"
    tokens = post(shared, "/v1/tokenize", {"inputs": [{"text": "I love it"}]}).json()["results"][0]
    assert tokens == result["tokens"]
    grpc_reply = shared.stub().Compare(pb.CompareRequest(input=pb.TextInput(text="I love it")))
    assert grpc_reply.results[0].result.scores[0].label == result["result"]["scores"][0]["label"]
    error = failure(shared.stub().Compare, pb.CompareRequest())
    assert "input: is missing" in error.details()


def lines_over(daemon, path, lines, *flags):
    """What curl prints: lines that go in and come out at the same time."""
    command = ["curl", "-sS", "-N", "-T", ".", "-X", "POST", *flags, url(daemon, path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_stream_answers_while_it_is_read(shared):
    curl = lines_over(shared, "/v1/stream-classify", [])
    with curl:
        for number in (7, 8):
            request = {"id": str(number), "request": {"inputs": [{"text": "I love it"}]}}
            curl.stdin.write(json.dumps(request) + "\n")
            curl.stdin.flush()
            reply = json.loads(curl.stdout.readline())  # before the next line is sent
            assert reply["id"] == str(number) and reply["response"]["results"][0]["scores"]
        curl.stdin.write('{"id": 9, "request": {"inputs": []}}\n\nnonsense\n{"id": "10", "reqest": {}}\n')
        curl.stdin.write('{"id": 11, "request": {"inputs": [{"text": "no end of line"}]}}')
        curl.stdin.close()
        replies = [json.loads(line) for line in curl.stdout]
    assert sorted(int(r["id"]) for r in replies) == [0, 9, 10, 11]
    by_id = {int(r["id"]): r for r in replies}
    assert by_id[9]["error"]["code"] == 3 and "inputs: is empty" in by_id[9]["error"]["message"]
    assert "not valid JSON" in by_id[0]["error"]["message"]
    assert '"reqest": unknown field' in by_id[10]["error"]["message"]
    assert by_id[11]["response"]["results"]


def test_many_lines_at_once_are_all_answered(shared):
    lines = [json.dumps({"id": i, "request": {"inputs": [{"text": f"text {i}"}]}}) for i in range(3000)]
    body = "\n".join(lines).encode()
    reply = requests.post(url(shared, "/v1/stream-classify"), data=body, timeout=PATIENCE)
    answered = [json.loads(line) for line in reply.text.splitlines()]
    assert sorted(int(a["id"]) for a in answered) == list(range(3000))
    assert all("response" in a for a in answered)


def test_a_line_without_end_is_refused(daemon):
    d = daemon("--limits-max-message-bytes", "65536", "--limits-max-text-bytes", "65536")
    reply = requests.post(url(d, "/v1/stream-classify"), data=b"x" * 200_000, timeout=PATIENCE)
    assert "a line has more than 65536 bytes" in json.loads(reply.text)["error"]["message"]


def test_a_stream_ends_when_the_server_drains(daemon):
    d = daemon(exit_code=None)
    with lines_over(d, "/v1/stream-classify", []) as curl:
        curl.stdin.write(json.dumps({"id": 1, "request": {"inputs": [{"text": "a"}]}}) + "\n")
        curl.stdin.flush()
        assert json.loads(curl.stdout.readline())["id"] == "1"
        d.signal()
        assert d.wait() == 0
        curl.stdin.close()  # curl waits for more to send, though the answer has ended
        assert curl.stdout.read() == ""


def admin(d, method, path, **arguments):
    return requests.request(method, f"http://{d.admin_http_address}{path}", timeout=PATIENCE, **arguments)


def test_operators_load_and_unload_over_http(daemon, package):
    d = daemon("--models-allow-empty", "true")
    name = package.parent.name
    packages = admin(d, "GET", "/v1/model-control/list").json()["packages"]
    assert [p["status"]["state"] for p in packages] == ["STATE_SERVING"]
    assert admin(d, "POST", "/v1/model-control/unload", json={"model": name}).status_code == 200
    assert post(d, "/v1/classify", {"inputs": [{"text": "a"}]}).status_code in (404, 503)
    assert admin(d, "POST", f"/v2/repository/models/{name}/load", json={}).status_code == 200
    assert post(d, "/v1/classify", {"inputs": [{"text": "a"}]}).status_code == 200
    assert admin(d, "POST", "/v1/model-control/unload", json={}).status_code == 400
    document = admin(d, "GET", "/openapi.json").json()
    assert OPENAPI_31_VALIDATOR.validate(document) is None
    assert "/v1/model-control/unload" in document["paths"] and "/v2/repository/index" in document["paths"]


def test_operators_calls_are_not_on_the_public_port_nor_taken_from_pages(shared, package):
    name = package.parent.name
    assert post(shared, "/v1/model-control/unload", {"model": name}).status_code == 404
    assert post(shared, f"/v2/repository/models/{name}/unload", {}).status_code == 403
    page = admin(shared, "POST", "/v1/model-control/unload", json={"model": name}, headers={"origin": "http://evil"})
    assert page.status_code == 403 and "web pages" in page.json()["error"]["message"]


# Paths name a model that is there: else all of them would only ever say that there is none. Readiness is told by 503,
# which is no failure of the server.
SCHEMATHESIS = """
[parameters]
"path.model" = "{model}"
"path.version" = "1"
[[operations]]
include-path-regex = "/ready$"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", "503"]
"""


def test_schemathesis_finds_no_break_with_the_openapi_document(shared, package, tmp_path):
    """Answers as described, and everything refused that is not as described. Of what is as described, the server may
    refuse more: no inputs, a model that is not there. One worker: several share a cache of hypothesis' that breaks."""
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SCHEMATHESIS.format(model=package.parent.name))
    done = subprocess.run(
        [program, "--config-file", settings, "run", url(shared, "/openapi.json"), "--max-examples", "40",
         "--seed", "1", "--workers", "1", "--exclude-path-regex", "stream", "--exclude-checks",
         "positive_data_acceptance"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "25 selected" in done.stdout
