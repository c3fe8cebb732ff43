"""Bad input gets the status and the words that the service promises, and harms nobody else."""

import collections
import time

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bertha.v1 import bertha_pb2 as pb
from bertha.v1 import model_control_pb2
from bertha.v1 import bertha_pb2_grpc as rpc
from e2e_support import PATIENCE, Stream, failure, largest_difference, texts_request, wait_until

CODE = grpc.StatusCode
GOOD = "A perfectly good text"
WITHOUT_ADMISSION = ("--queue-admission", "false")


@pytest.fixture
def classify_bytes(shared):
    """Classify with a request of any bytes."""
    return shared.channel().unary_unary("/bertha.v1.Bertha/Classify")


@pytest.fixture(autouse=True)
def still_answers(shared):
    """Whatever was sent, the next caller gets the answer that the one before got."""
    before = shared.stub().Classify(texts_request([GOOD])).results[0].logits
    yield
    after = shared.stub().Classify(texts_request([GOOD])).results[0].logits
    assert largest_difference(before, after) <= 1e-5


def check(error, code, *words):
    assert error.code() is code, f"{error.code()}: {error.details()}"
    for word in words:
        assert word in error.details(), f"{word!r} is not in {error.details()!r}"


def test_an_unknown_model_is_not_found_and_the_loaded_ones_are_named(shared, package):
    error = failure(shared.stub().Classify, texts_request([GOOD], model="nobody"))
    check(error, CODE.NOT_FOUND, '"nobody"', f"{package.parent.name}:{package.name}")


def test_an_unknown_version_is_not_found(shared, package):
    error = failure(shared.stub().Classify, texts_request([GOOD], model=package.parent.name, version=987))
    check(error, CODE.NOT_FOUND, f"{package.parent.name}:987", f"{package.parent.name}:{package.name}")


LONG = "m" * 16_000
LONG_NAMES = {
    "Classify": lambda d: (d.stub().Classify, texts_request([GOOD], model=LONG)),
    "Classify, 2 bytes a character": lambda d: (d.stub().Classify, texts_request([GOOD], model="é" * 8000)),
    "Classify, the label": lambda d: (d.stub().Classify, texts_request([GOOD], version_label=LONG)),
    "Tokenize": lambda d: (d.stub().Tokenize, pb.TokenizeRequest(model=LONG, inputs=[pb.TextInput(text=GOOD)])),
    "ModelInfer": lambda d: (inference(d).ModelInfer, service_pb2.ModelInferRequest(model_name=LONG)),
    "ModelMetadata": lambda d: (inference(d).ModelMetadata, service_pb2.ModelMetadataRequest(name=LONG)),
    "ModelControl.Load": lambda d: (d.control().Load, model_control_pb2.LoadRequest(model=LONG)),
    "ModelControl.Unload": lambda d: (d.control().Unload, model_control_pb2.UnloadRequest(model=LONG)),
    "ModelControl.Status": lambda d: (d.control().Status, model_control_pb2.PackageStatusRequest(model=LONG)),
}


def inference(daemon):
    return service_pb2_grpc.GRPCInferenceServiceStub(daemon.channel())


@pytest.mark.parametrize("call", LONG_NAMES)
def test_a_long_name_is_quoted_in_short(shared, call):
    check(failure(*LONG_NAMES[call](shared), timeout=PATIENCE), CODE.NOT_FOUND, '..." (16000 bytes)')


@pytest.mark.parametrize(
    "bad, at", [(b"\xff", 2), (b"\xc0\x80", 2), (b"\xed\xa0\x80", 2), (b"\xf4\x90\x80\x80", 2), (b"\xe2\x82", 2)]
)
@pytest.mark.parametrize("field", ["text", "text_pair"])
def test_invalid_utf8_is_refused_by_field_index_and_byte(classify_bytes, field, bad, at):
    marker = "Q" * len(bad)
    broken = pb.TextInput(text="fine") if field == "text_pair" else pb.TextInput()
    setattr(broken, field, "ab" + marker)
    request = pb.ClassifyRequest(inputs=[pb.TextInput(text=GOOD), broken]).SerializeToString()
    error = failure(classify_bytes, request.replace(marker.encode(), bad))
    check(error, CODE.INVALID_ARGUMENT, f"inputs[1].{field}", "UTF-8", f"byte {at}")


def test_invalid_utf8_in_the_models_name_is_refused(classify_bytes):
    request = texts_request([GOOD], model="QQ").SerializeToString().replace(b"QQ", b"\xff\xff")
    check(failure(classify_bytes, request), CODE.INVALID_ARGUMENT, "model", "UTF-8")


@pytest.mark.parametrize("garbage", [b"\xff", b"\x1a\xff", b"\x1a\x05abc", b"\x08\x01\x0b", b"GET / HTTP/1.1"])
def test_garbage_is_invalid_argument_that_says_so(classify_bytes, garbage):
    check(failure(classify_bytes, garbage), CODE.INVALID_ARGUMENT, "cannot be decoded")


def test_no_inputs_are_refused(shared):
    check(failure(shared.stub().Classify, pb.ClassifyRequest()), CODE.INVALID_ARGUMENT, "inputs", "empty")


def test_too_many_inputs_are_refused_with_both_numbers(shared):
    stub = shared.stub()
    assert len(stub.Classify(texts_request(["x"] * 256)).results) == 256
    check(failure(stub.Classify, texts_request(["x"] * 257)), CODE.INVALID_ARGUMENT, "inputs", "257", "256")


def test_an_over_long_text_with_policy_error_is_refused_with_its_length(shared, reference):
    long = "word " * (2 * reference.max_length)
    request = texts_request([GOOD, GOOD, long], truncation=pb.TRUNCATION_POLICY_ERROR)
    error = failure(shared.stub().Classify, request)
    check(error, CODE.INVALID_ARGUMENT, "inputs[2].text", str(reference.full_length(long)), str(reference.max_length))


def test_policy_error_takes_a_text_that_just_fits(shared, reference):
    words = reference.max_length - 2
    while reference.full_length("a " * words) > reference.max_length:
        words -= 1
    assert reference.full_length("a " * (words + 1)) > reference.max_length
    stub = shared.stub()
    answer = stub.Classify(texts_request(["a " * words], truncation=pb.TRUNCATION_POLICY_ERROR))
    assert answer.results[0].tokens <= reference.max_length and not answer.results[0].truncated
    too_long = texts_request(["a " * (words + 1)], truncation=pb.TRUNCATION_POLICY_ERROR)
    assert failure(stub.Classify, too_long).code() is CODE.INVALID_ARGUMENT


def test_a_text_of_too_many_bytes_is_refused(shared):
    error = failure(shared.stub().Classify, texts_request([GOOD, "x" * ((1 << 20) + 1)]))
    check(error, CODE.INVALID_ARGUMENT, "inputs[1].text", str((1 << 20) + 1), str(1 << 20))


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_threshold_that_is_no_probability_is_refused(shared, threshold):
    request = pb.ClassifyRequest(
        inputs=[pb.TextInput(text=GOOD)], options=pb.ClassifyOptions(threshold=threshold)
    )
    check(failure(shared.stub().Classify, request), CODE.INVALID_ARGUMENT, "options.threshold")


def test_an_unknown_truncation_policy_is_refused(shared):
    error = failure(shared.stub().Classify, texts_request([GOOD], truncation=77))
    check(error, CODE.INVALID_ARGUMENT, "options.truncation", "77")


@pytest.mark.parametrize("mib", [8.5, 9.5, 20])
def test_a_message_over_the_limit_is_refused_and_calls_beside_it_are_not(shared, mib):
    """gRPC reads it to its end first, which must not pass for a flood (server/connection_judge.h)."""
    channel = shared.channel()
    stub, too_large = rpc.BerthaStub(channel), texts_request(["x" * (1 << 19)] * int(2 * mib))
    for _ in range(5):
        refused = stub.Classify.future(too_large, timeout=PATIENCE)
        while not refused.done():
            assert stub.Classify(texts_request(["beside it"]), timeout=PATIENCE).results
        assert refused.code() is CODE.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("body", [b"", b"nonsense"])
def test_an_unknown_method_is_unimplemented(shared, body):
    call = shared.channel().unary_unary("/bertha.v1.Bertha/Sing")
    assert failure(call, body).code() is CODE.UNIMPLEMENTED


# --- a busy server: 40 ms a text, one at a time; "wait" keeps it for more than a second ---


@pytest.fixture
def busy(daemon, slow_models):
    def start(*flags):
        return daemon("--batch-max-requests", "1", *flags, models=slow_models)

    return start


def test_a_full_queue_refuses_at_once_and_says_when_to_try_again(busy):
    d = busy("--queue-max-requests", "10", "--limits-max-inputs-per-call", "10")
    stub, stream = d.stub(), Stream(d.stub())
    stub.ListModels(pb.ListModelsRequest())  # connects
    begin = time.monotonic()
    stream.send(0, texts_request(["wait", *(f"text {n}" for n in range(9))]))
    for i in (1, 2):
        stream.send(i, texts_request([f"text {n}" for n in range(10)]))
        refused = stream.wait_reply(i).error
        assert refused.code == CODE.RESOURCE_EXHAUSTED.value[0] and refused.retry_after_ms > 0
    # The unary form of the same, while the first call is still waiting.
    asked = time.monotonic()
    error = failure(stub.Classify, texts_request(["x"] * 10), timeout=PATIENCE)
    took = time.monotonic() - asked
    assert 0 not in stream.ids(), "the queue was not full any more"
    check(error, CODE.RESOURCE_EXHAUSTED)
    assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
    # Refused in a fraction of its neighbour's waiting; and what was accepted was answered.
    assert stream.wait_reply(0).HasField("response")
    assert took < (time.monotonic() - begin) / 4
    stream.half_close()
    assert stream.wait_end() is CODE.OK


def test_a_client_that_obeys_the_pushback_gets_through(busy):
    from bertha import Client

    d = busy("--queue-max-requests", "4", "--limits-max-inputs-per-call", "4")
    d.stub().Classify(texts_request(["from now on the daemon knows how long a text takes"]))
    stream = Stream(d.stub())
    stream.send(1, texts_request(["a", "b", "c", "d"]))
    stream.send(2, texts_request(["e"]))
    stream.wait_read(1000)
    with Client(d.address) as client:
        assert len(client.classify(["f"], timeout=PATIENCE)) == 1


def test_expired_calls_get_deadline_exceeded_and_the_others_their_answers(busy):
    """Of 40 calls with 0.2 s, which is time for 5 of them, most must expire where nothing is refused beforehand."""
    stub = busy(*WITHOUT_ADMISSION).stub()
    futures = [stub.Classify.future(texts_request([f"text {i}"]), timeout=0.2) for i in range(40)]
    patient = stub.Classify.future(texts_request(["patient"]), timeout=PATIENCE)
    codes = [f.code() for f in futures]
    assert set(codes) <= {CODE.OK, CODE.DEADLINE_EXCEEDED}, codes
    assert codes.count(CODE.DEADLINE_EXCEEDED) > 20
    assert patient.result().results


def test_calls_that_cannot_end_in_time_are_refused_at_once_and_the_others_are_in_time(busy):
    """The same with admission: what is accepted ends in time, and who is refused can try elsewhere."""
    d = busy()
    stub = d.stub()
    for i in range(5):  # it learns how long a forward pass takes
        stub.Classify(texts_request([f"warm {i}"]), timeout=PATIENCE)
    futures = [stub.Classify.future(texts_request([f"text {i}"]), timeout=0.2) for i in range(40)]
    codes = collections.Counter(f.code() for f in futures)
    assert codes[CODE.RESOURCE_EXHAUSTED] > 20 and codes[CODE.OK] >= 1, codes
    assert codes[CODE.DEADLINE_EXCEEDED] <= 4, codes
    refused = next(f for f in futures if f.code() is CODE.RESOURCE_EXHAUSTED)
    assert "deadline would be missed" in refused.details()


def test_expired_requests_are_never_computed(busy):
    """300 requests that expire behind the first would take 12 s of computing."""
    d = busy("--limits-max-stream-in-flight", "1000", *WITHOUT_ADMISSION)
    stream = Stream(d.stub())
    before = d.cpu_seconds()
    stream.send(0, texts_request(["wait"]))
    for i in range(1, 301):
        stream.send(i, texts_request([f"text {i}"]), timeout_ms=60)
    stream.send(301, texts_request(["last"]))
    assert stream.wait_reply(301).HasField("response")
    assert d.cpu_seconds() - before < 6
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    expired = [r for r in stream.replies if r.error.code == CODE.DEADLINE_EXCEEDED.value[0]]
    assert len(expired) > 250
    assert sorted(stream.ids()) == list(range(302))


def test_the_servers_own_deadline_serves_callers_without_one(busy):
    d = busy("--queue-default-deadline-ms", "500", *WITHOUT_ADMISSION)
    stream = Stream(d.stub(), timeout=None)
    stream.send(0, texts_request(["wait"]))  # for longer than the others may
    for i in range(1, 40):
        stream.send(i, texts_request([f"text {i}"]))
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    codes = {r.error.code for r in stream.replies}
    assert codes == {0, CODE.DEADLINE_EXCEEDED.value[0]}
    assert sorted(stream.ids()) == list(range(40))


def test_a_text_that_breaks_the_network_does_not_harm_its_batch(daemon, slow_models):
    d = daemon(models=slow_models)
    stub, stream = d.stub(), Stream(d.stub())
    stream.send(1, texts_request(["wait"]))  # keeps the worker busy while the others gather
    stream.wait_read(2)
    futures = [
        stub.Classify.future(texts_request(["nan" if i == 5 else f"text {i}"]), timeout=PATIENCE) for i in range(12)
    ]
    assert futures[5].code() is CODE.INTERNAL, futures[5].code()
    assert "NaN" in futures[5].details()
    results = [f.result().results[0] for i, f in enumerate(futures) if i != 5]
    assert max(r.batch.size for r in results) > len(results) // 2, "they did not share a batch"
    assert stream.wait_reply(1).HasField("response")


def test_cancelled_calls_leave_the_queue(busy):
    """200 calls wait when they are cancelled; they would take 8 s of computing."""
    d = busy("--queue-max-requests", "200", "--limits-max-inputs-per-call", "200")
    stub = d.stub()
    before = d.cpu_seconds()
    futures = [stub.Classify.future(texts_request([f"text {i}"]), timeout=PATIENCE) for i in range(250)]
    wait_until(lambda: CODE.RESOURCE_EXHAUSTED in {f.code() for f in futures if f.done()}, "the queue is full")
    for future in futures:
        future.cancel()

    def last():
        try:
            return stub.Classify(texts_request(["last"]), timeout=PATIENCE).results
        except grpc.RpcError as error:
            assert error.code() is CODE.RESOURCE_EXHAUSTED
            return None

    assert len(wait_until(last, "a place is free again")) == 1
    assert d.cpu_seconds() - before < 4
    codes = {f.code() for f in futures}
    assert CODE.CANCELLED in codes and codes <= {CODE.CANCELLED, CODE.OK, CODE.RESOURCE_EXHAUSTED}, codes
