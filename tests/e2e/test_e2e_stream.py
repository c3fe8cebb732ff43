"""StreamClassify over the wire."""

import grpc
import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, TOLERANCE, Stream, largest_difference, texts_request, wait_until
from e2e_texts import short_texts

CODE = grpc.StatusCode


def number(code):
    return code.value[0]


@pytest.fixture
def stream(shared):
    return Stream(shared.stub())


def test_2000_requests_each_get_their_own_answer(shared, stream):
    texts = short_texts(100, seed=40)
    alone = [shared.stub().Classify(texts_request([t])).results[0].logits for t in texts]
    ids = [7 * i + 3 for i in range(2000)]
    for i in ids:
        stream.send(i, texts_request([texts[i % 100]]))
    stream.half_close()
    assert stream.wait_end() is CODE.OK, stream.details
    assert sorted(stream.ids()) == ids
    for reply in stream.replies:
        assert largest_difference(reply.response.results[0].logits, alone[reply.id % 100]) <= TOLERANCE
    assert max(r.response.results[0].batch.size for r in stream.replies) > 1


def test_an_empty_stream_ends_well(stream):
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    assert stream.replies == []


def test_errors_are_replies_and_do_not_end_the_stream(stream, reference):
    long = "word " * (2 * reference.max_length)
    stream.send(1, texts_request(["good"]))
    stream.send(2, texts_request(["x"], model="nobody"))
    stream.send(3, pb.ClassifyRequest())
    stream.send(4, texts_request(["good", long], truncation=pb.TRUNCATION_POLICY_ERROR))
    stream.send((1 << 64) - 1, texts_request(["good"]))
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    replies = {r.id: r for r in stream.replies}
    assert len(stream.replies) == len(replies) == 5
    assert replies[1].HasField("response") and replies[(1 << 64) - 1].HasField("response")
    assert replies[2].error.code == number(CODE.NOT_FOUND) and '"nobody"' in replies[2].error.message
    assert replies[3].error.code == number(CODE.INVALID_ARGUMENT) and "inputs" in replies[3].error.message
    assert replies[4].error.code == number(CODE.INVALID_ARGUMENT) and "inputs[1].text" in replies[4].error.message
    assert all(r.error.retry_after_ms == 0 for r in stream.replies)


def test_a_message_that_cannot_be_decoded_gets_a_reply_with_its_id(shared):
    call = shared.channel().stream_stream("/bertha.v1.Bertha/StreamClassify")
    good = pb.StreamClassifyRequest(id=5, request=texts_request(["ab QQ"])).SerializeToString()
    replies = [
        pb.StreamClassifyResponse.FromString(b)
        for b in call(iter([good.replace(b"QQ", b"Q\xff"), b"\xff\xff", good]), timeout=PATIENCE)
    ]
    by_id = {r.id: r for r in replies if r.HasField("error")}
    assert len(replies) == 3 and set(by_id) == {0, 5}
    assert by_id[5].error.code == by_id[0].error.code == number(CODE.INVALID_ARGUMENT)
    assert "inputs[0].text" in by_id[5].error.message and "byte 4" in by_id[5].error.message
    assert [r.id for r in replies if r.HasField("response")] == [5]


def test_ids_may_repeat(stream):
    for _ in range(3):
        stream.send(9, texts_request(["same"]))
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    assert stream.ids() == [9, 9, 9]


def test_a_request_with_a_timeout_expires_alone(daemon, slow_models):
    stream = Stream(daemon("--batch-max-requests", "1", "--queue-admission", "false", models=slow_models).stub())
    stream.send(0, texts_request(["wait"]))  # more than a second
    stream.wait_read(1000)
    for i in range(1, 10):
        stream.send(i, texts_request([f"text {i}"]))
    stream.send(10, texts_request(["in a hurry"]), timeout_ms=1)
    stream.send(11, texts_request(["patient"]), timeout_ms=60_000)
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    replies = {r.id: r for r in stream.replies}
    assert sorted(replies) == [*range(12), 1000]
    assert replies[10].error.code == number(CODE.DEADLINE_EXCEEDED)
    assert all(replies[i].HasField("response") for i in range(12) if i != 10)


def test_replies_come_in_completion_order(daemon, slow_models):
    """A refusal overtakes an answer that takes more than a second."""
    stream = Stream(daemon(models=slow_models).stub())
    stream.send(1, texts_request(["wait"]))
    stream.send(2, texts_request(["x"], model="nobody"))
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    assert stream.ids() == [2, 1]


def test_the_server_reads_no_further_than_the_limit(daemon, slow_models):
    """While 4 are unanswered nothing is read: a refusal cannot overtake them."""
    d = daemon("--batch-max-requests", "1", "--limits-max-stream-in-flight", "4", models=slow_models)
    stream = Stream(d.stub())
    for i in range(10):
        stream.send(i, texts_request([f"text {i}"]))
    stream.wait_read(1000)
    assert len(stream.replies) >= 7
    stream.half_close()
    assert stream.wait_end() is CODE.OK
    assert sorted(stream.ids()) == [*range(10), 1000]


def test_a_cancelled_stream_gives_its_places_back(daemon, slow_models):
    """250 requests of 40 ms each are waiting when their stream is cancelled: 10 s of computing."""
    d = daemon("--batch-max-requests", "1", "--queue-max-requests", "256", models=slow_models)
    stream = Stream(d.stub())
    for i in range(250):
        stream.send(i, texts_request([f"text {i}"]))
    stream.wait_read(1000)
    before = d.cpu_seconds()
    stream.call.cancel()
    assert stream.wait_end() is CODE.CANCELLED
    stub = d.stub()

    def takes_a_full_call():
        try:
            return stub.Classify.future(texts_request(["x"] * 50), timeout=PATIENCE).result()
        except grpc.RpcError as error:
            assert error.code() is CODE.RESOURCE_EXHAUSTED
            return None

    wait_until(takes_a_full_call, "the places are free again")
    assert d.cpu_seconds() - before < 6  # 50 of its own take 2 s


def test_the_deadline_of_the_stream_ends_it(daemon, slow_models):
    d = daemon("--batch-max-requests", "1", models=slow_models)
    stream = Stream(d.stub(), timeout=0.5)
    for i in range(100):
        stream.send(i, texts_request([f"text {i}"]))
    assert stream.wait_end() is CODE.DEADLINE_EXCEEDED
    assert d.stub().Classify(texts_request(["next"]), timeout=PATIENCE).results
