"""The Open Inference Protocol, asked by the published tritonclient as it is."""

import asyncio
import json
import queue
import subprocess

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.protobuf import descriptor_pb2, descriptor_pool
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, ROOT, failure, largest_difference, texts_request, wait_until

TEXTS = ["I love it", "The train was late again", "", "naïve 😀", "a\0b", "word " * 500]


def tensor(name, values, datatype="BYTES", shape=None):
    dtypes = {"BYTES": object, "INT64": np.int64, "INT32": np.int32}
    array = np.array([v.encode() for v in values] if datatype == "BYTES" else values, dtype=dtypes[datatype])
    array = array.reshape(shape or array.shape)
    one = triton.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array)
    return one


def outputs(*names, **options):
    return [triton.InferRequestedOutput(name, **options) for name in names]


@pytest.fixture
def client(shared):
    with triton.InferenceServerClient(shared.address) as client:
        yield client


@pytest.fixture(scope="session")
def name(package):
    return package.parent.name


def refused(call, *arguments, **keywords):
    with pytest.raises(InferenceServerException) as info:
        call(*arguments, **keywords)
    return info.value.status(), info.value.message()


# --- the wire ---


def our_messages(tmp_path):
    """The descriptors of our .proto, in a pool of their own: tritonclient's have the same names."""
    target = tmp_path / "descriptors"
    proto = "inference/grpc_service.proto"
    subprocess.run(["protoc", "-I", ROOT / "proto", f"--descriptor_set_out={target}", proto], check=True)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file:
        pool.Add(file)
    return pool.FindFileByName(proto)


def published(full_name):
    return service_pb2.DESCRIPTOR.pool.FindMessageTypeByName(full_name)


def all_messages(messages):
    for message in messages:
        yield message
        yield from all_messages(message.nested_types)


def field_facts(field):
    named = field.message_type or field.enum_type
    oneof = field.containing_oneof
    repeated = field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED
    return (field.name, field.number, field.type, repeated, named and named.full_name, oneof and oneof.name)


def test_every_field_is_that_of_the_published_protocol(tmp_path):
    ours = our_messages(tmp_path)
    checked = 0
    for message in all_messages(ours.message_types_by_name.values()):
        theirs = published(message.full_name)
        for field in message.fields:
            assert field_facts(field) == field_facts(theirs.fields_by_name[field.name]), message.full_name
            checked += 1
    assert checked > 100
    for enum in ours.enum_types_by_name.values():
        theirs = model_config_pb2.DESCRIPTOR.pool.FindEnumTypeByName(enum.full_name)
        assert {v.name: v.number for v in enum.values} == {v.name: v.number for v in theirs.values}


def test_messages_that_carry_calls_lack_no_field(tmp_path):
    """What is left out: parts of ModelConfig, of ModelStatistics, and what goes with shared memory, tracing and logs."""
    ours = our_messages(tmp_path)
    lacking = {}
    for message in all_messages(ours.message_types_by_name.values()):
        missing = set(published(message.full_name).fields_by_name) - set(message.fields_by_name)
        if missing:
            lacking[message.name] = missing
    assert set(lacking) == {
        "ModelInput", "ModelOutput", "ModelDynamicBatching", "ModelConfig", "InferStatistics", "ModelStatistics"
    }  # fmt: skip
    assert lacking["ModelStatistics"] == {"batch_stats", "memory_usage", "response_stats"}


def test_every_call_is_that_of_the_published_protocol(tmp_path):
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    methods = our_messages(tmp_path).services_by_name["GRPCInferenceService"].methods
    for method in methods:
        other = theirs[method.name]
        assert method.input_type.full_name == other.input_type.full_name
        assert method.output_type.full_name == other.output_type.full_name
        assert (method.client_streaming, method.server_streaming) == (other.client_streaming, other.server_streaming)
    absent = set(theirs) - {m.name for m in methods}
    assert all("SharedMemory" in n or n in ("TraceSetting", "LogSettings") for n in absent), absent


# --- answers ---


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_answers_are_those_of_classify(client, shared, name, shape):
    expected = shared.stub().Classify(texts_request(TEXTS)).results
    result = client.infer(name, [tensor("text", TEXTS, shape=shape)], request_id="seven", outputs=None)
    assert result.get_response().id == "seven"
    assert [label.decode() for label in result.as_numpy("label")] == [r.scores[0].label for r in expected]
    assert largest_difference(result.as_numpy("score"), [r.scores[0].score for r in expected]) <= 1e-5
    logits = client.infer(name, [tensor("text", TEXTS, shape=shape)], outputs=outputs("logits")).as_numpy("logits")
    assert logits.shape == (len(TEXTS), len(expected[0].logits))
    for row, r in zip(logits, expected):
        assert largest_difference(row, r.logits) <= 1e-5


def test_typed_contents_give_the_same_answer(shared, name):
    """tritonclient sends raw contents only; others send typed ones."""
    request = service_pb2.ModelInferRequest(model_name=name)
    one = request.inputs.add(name="text", datatype="BYTES", shape=[1])
    one.contents.bytes_contents.append(b"I love it")
    call = shared.channel().unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=service_pb2.ModelInferRequest.SerializeToString,
        response_deserializer=service_pb2.ModelInferResponse.FromString,
    )
    answer = call(request)
    score = np.frombuffer(answer.raw_output_contents[1], np.float32)
    expected = shared.stub().Classify(texts_request(["I love it"])).results[0]
    assert largest_difference(score, [expected.scores[0].score]) <= 1e-5
    request.raw_input_contents.append(b"")
    error = failure(call, request)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and "`contents` and in raw_input" in error.details()


def test_a_pair_is_classified_as_classify_does(client, shared, name):
    expected = shared.stub().Classify(texts_request([("a question", "an answer")])).results[0]
    inputs = [tensor("text", ["a question"]), tensor("text_pair", ["an answer"])]
    logits = client.infer(name, inputs, outputs=outputs("logits")).as_numpy("logits")
    assert largest_difference(logits[0], expected.logits) <= 1e-5


@pytest.mark.parametrize("datatype", ["INT64", "INT32"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_tokens_get_the_answer_of_their_text(client, shared, reference, name, datatype, side):
    texts = TEXTS[:2]
    encodings = [reference.encode(text) for text in texts]
    length = max(len(e.ids) for e in encodings) + 2

    def padded(values):
        gap = [0] * (length - len(values))
        return values + gap if side == "right" else gap + values

    columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    inputs = [tensor(n, [padded(getattr(e, a)) for e in encodings], datatype) for n, a in columns.items()]
    logits = client.infer(name, inputs, outputs=outputs("logits")).as_numpy("logits")
    for row, r in zip(logits, shared.stub().Classify(texts_request(texts)).results):
        assert largest_difference(row, r.logits) <= 1e-5


def test_classification_lists_the_best_labels(client, shared, name):
    expected = shared.stub().Classify(texts_request(TEXTS[:2])).results
    listed = client.infer(name, [tensor("text", TEXTS[:2])], outputs=outputs("score", class_count=2)).as_numpy("score")
    assert listed.shape == (2, 2)
    for row, r in zip(listed, expected):
        for entry, best in zip(row, r.scores):
            score, index, label = entry.decode().split(":", 2)
            assert (int(index), label) == (best.index, best.label)
            assert abs(float(score) - best.score) <= 1e-5


def test_asyncio_gets_the_same_answers(shared, name):
    async def ask():
        async with triton_aio.InferenceServerClient(shared.address) as client:
            assert await client.is_server_ready()
            results = await asyncio.gather(*(client.infer(name, [tensor("text", [t])]) for t in TEXTS))
            return [result.as_numpy("score")[0] for result in results]

    expected = [r.scores[0].score for r in shared.stub().Classify(texts_request(TEXTS)).results]
    assert largest_difference(asyncio.run(ask()), expected) <= 1e-5


def test_a_stream_answers_in_order_and_outlives_bad_requests(client, shared, name):
    replies = queue.Queue()
    client.start_stream(lambda result, error: replies.put((result, error)))
    for i in range(200):
        text = "x" * 600_000 if i % 10 == 0 else f"text {i}"
        model = "nobody" if i % 25 == 3 else name
        client.async_stream_infer(model, [tensor("text", [text])], request_id=str(i))
    for i in range(200):
        result, error = replies.get(timeout=PATIENCE)
        if i % 25 == 3:
            assert error.message().startswith("NOT_FOUND: ") and '"nobody"' in error.message()
        else:
            assert error is None and result.get_response().id == str(i)
            assert result.as_numpy("label").shape == (1,)
    client.stop_stream()


# --- bad input ---


def test_bad_requests_say_what_is_wrong(client, shared, name):
    text = tensor("text", ["fine"])
    code = "StatusCode.INVALID_ARGUMENT"
    lone = triton.InferInput("text", [1], "BYTES")
    lone.set_data_from_numpy(np.array([b"\xed\xa0\x80"], dtype=object))
    cases = [
        ({"inputs": [tensor("TEXT", ["a"])]}, code, 'input "TEXT": the model has no such input'),
        ({"inputs": [text, text]}, code, "is there twice"),
        ({"inputs": [lone]}, code, "text[0]: invalid UTF-8"),
        ({"inputs": [tensor("text", [[1]], "INT64")]}, code, 'has the data type "INT64", expected BYTES'),
        ({"inputs": [tensor("input_ids", [[1]], "INT64")]}, code, '"attention_mask": is missing'),
        ({"inputs": [text], "outputs": outputs("labels")}, code, 'output "labels"'),
        ({"inputs": [text], "priority": 9}, code, '"priority": is 9'),
        ({"inputs": [text], "sequence_id": 1}, code, "sequences are not supported"),
        ({"inputs": [text], "model_version": "987"}, "StatusCode.NOT_FOUND", "987"),
        ({"inputs": [tensor("text", ["x"] * 257)]}, code, "has 257 rows, at most 256"),
    ]
    for arguments, expected, words in cases:
        status, message = refused(client.infer, name, **arguments)
        assert status == expected and words in message, (status, message)
    assert client.infer(name, [text], parameters={"something_else": "ignored"}).as_numpy("label").shape == (1,)


@pytest.mark.parametrize("garbage", [b"\xff", b"\x0a\x02\xff\xff", b"GET / HTTP/1.1"])
def test_garbage_is_invalid_argument(shared, garbage):
    error = failure(shared.channel().unary_unary("/inference.GRPCInferenceService/ModelInfer"), garbage)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT and error.details()


def test_a_timeout_of_the_request_is_a_deadline(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", "--queue-admission", "false", models=slow_models)
    with triton.InferenceServerClient(d.address) as client:
        outcomes = queue.Queue()
        for i in range(20):
            text = tensor("text", [f"text {i}"])
            client.async_infer("slow", [text], lambda result, error: outcomes.put(error), timeout=200_000)
        errors = [outcomes.get(timeout=PATIENCE) for _ in range(20)]
    codes = [error and error.status() for error in errors]
    assert set(codes) == {None, "StatusCode.DEADLINE_EXCEEDED"}, codes


# --- the server and its models ---


def test_server_and_models_describe_themselves(client, reference, name):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(name)
    assert not client.is_model_ready("nobody") and not client.is_model_ready(name, "987")
    assert client.get_server_metadata().name == "bertha"
    metadata = client.get_model_metadata(name)
    assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [("text", "BYTES", [-1, 1])]
    assert {t.name: list(t.shape) for t in metadata.outputs}["logits"] == [-1, len(reference.labels)]
    config = client.get_model_config(name).config
    assert config.max_batch_size == 256 and config.parameters["family"].string_value == reference.manifest["family"]
    assert [m.state for m in client.get_model_repository_index().models if m.name == name] == ["READY"]


def test_statistics_count_calls_of_both_protocols(daemon, name):
    d = daemon()
    with triton.InferenceServerClient(d.address) as client:
        client.infer(name, [tensor("text", ["a", "b"])])
        d.stub().Classify(texts_request(["c", "d", "e"]))
        assert failure(d.stub().Classify, pb.ClassifyRequest()).code() is grpc.StatusCode.INVALID_ARGUMENT
        (stats,) = client.get_inference_statistics(name).model_stats
    assert stats.inference_count == 5 and 2 <= stats.execution_count <= 5
    times = stats.inference_stats
    assert times.success.count == times.queue.count == times.compute_infer.count == 2 and times.fail.count == 1
    parts = times.queue.ns + times.compute_input.ns + times.compute_infer.ns + times.compute_output.ns
    assert 0 < times.compute_infer.ns < parts <= times.success.ns


def test_models_are_loaded_on_the_admin_listener_only(daemon, name):
    d = daemon(exit_code=None)
    with triton.InferenceServerClient(d.address) as client, triton.InferenceServerClient(d.admin_address) as admin:
        for call in (client.load_model, client.unload_model):
            status, message = refused(call, name)
            assert status == "StatusCode.PERMISSION_DENIED" and "admin listener" in message
        admin.unload_model(name)
        assert not client.is_model_ready(name) and not client.is_server_ready()
        admin.load_model(name)
        assert client.is_model_ready(name)
        assert client.infer(name, [tensor("text", ["a"])]).as_numpy("label").shape == (1,)
        status, message = refused(admin.load_model, name, config=json.dumps({"max_batch_size": 1}))
        assert status == "StatusCode.INVALID_ARGUMENT" and '"config"' in message
        assert refused(admin.load_model, "nobody")[0] == "StatusCode.NOT_FOUND"


def test_a_stream_is_answered_when_the_daemon_stops(daemon, slow_models):
    d = daemon(models=slow_models)
    replies = queue.Queue()
    with triton.InferenceServerClient(d.address) as client:
        client.start_stream(lambda result, error: replies.put((result, error)))
        client.async_stream_infer("slow", [tensor("text", ["wait"])], request_id="1")
        client.async_stream_infer("slow", [tensor("text", ["b"])], request_id="2")
        client.async_stream_infer("slow", [tensor("TEXT", ["c"])], request_id="3")  # refused at once, counted as such

        def refused_ones():
            return client.get_inference_statistics("slow").model_stats[0].inference_stats.fail.count

        wait_until(lambda: refused_ones() == 1, "the daemon has read all three")
        assert replies.empty(), "the first one is computed still, and the others' replies wait for its"
        d.signal()
        answered = [replies.get(timeout=PATIENCE) for _ in range(3)]
        assert [error is None for _, error in answered] == [True, True, False]
        assert 'input "TEXT"' in answered[2][1].message()
        assert d.wait() == 0


# --- perf_analyzer ---


def test_the_calls_of_perf_analyzer_in_their_order(shared, name):
    """What perf_analyzer 2.60 sends to this daemon, call by call, and what it needs in each reply. The program itself
    runs where glibc is 2.38 or newer: see docs/oip.md."""
    calls = {m.name: m for m in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}
    channel = shared.channel()

    def call(method, **fields):
        types = {kind: getattr(service_pb2, getattr(calls[method], f"{kind}_type").name) for kind in ("input", "output")}
        stub = channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=types["input"].SerializeToString,
            response_deserializer=types["output"].FromString,
        )
        return stub(types["input"](**fields))

    metadata = call("ModelMetadata", name=name)
    config = call("ModelConfig", name=name).config
    assert config.name == metadata.name == name and config.max_batch_size > 0
    assert {i.name for i in config.input} == {i.name for i in metadata.inputs} == {"text"}
    assert {o.name for o in config.output} == {o.name for o in metadata.outputs}
    assert all(dimension > 0 for i in metadata.inputs for dimension in i.shape[1:]), "it would ask for --shape"
    assert not config.model_transaction_policy.decoupled
    assert "statistics" in call("ServerMetadata").extensions
    before = call("ModelStatistics", name=name).model_stats[0].inference_stats.queue.count
    request = service_pb2.ModelInferRequest(model_name=name, id="0")
    request.inputs.add(name="text", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(b"\x05\0\0\0words")
    for output in metadata.outputs:
        request.outputs.add(name=output.name)
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    infer = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=service_pb2.ModelInferRequest.SerializeToString,
        response_deserializer=service_pb2.ModelInferResponse.FromString,
    )
    assert [o.name for o in infer(request).outputs] == [o.name for o in metadata.outputs]
    assert call("ModelStatistics", name=name).model_stats[0].inference_stats.queue.count == before + 1
