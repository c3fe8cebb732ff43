"""10,000 mixed calls of 64 callers at once."""

import collections
import dataclasses
import random
import threading

import grpc

from bertha.v1 import bertha_pb2 as pb
from e2e_support import PATIENCE, TOLERANCE, largest_difference, texts_request
from e2e_texts import LINES, long_text, pairs, short_texts

CALLS, CALLERS, CHANNELS = 10_000, 64, 8
CODE = grpc.StatusCode


@dataclasses.dataclass
class Planned:
    """A call, and how it may end."""

    kind: str
    request: bytes
    codes: tuple = (CODE.OK,)
    texts: tuple = ()
    timeout: float = PATIENCE
    cancel: bool = False


@dataclasses.dataclass
class Ended:
    planned: Planned
    codes: list  # every terminal status that was reported: one
    problem: str = ""
    batch_size: int = 0


class Plan:
    def __init__(self, texts, too_long):
        self._texts, self._too_long = texts, too_long

    def make(self, rng):
        kinds = {"one": 50, "several": 10, "left": 5, "error policy": 4, "unknown model": 4, "unknown version": 2}
        kinds |= {"bad utf-8": 4, "garbage": 2, "no inputs": 4, "hurried": 8, "cancelled": 7}
        kind = rng.choices(list(kinds), kinds.values())[0]
        return getattr(self, "_" + kind.replace(" ", "_").replace("-", ""))(kind, rng)

    def _good(self, kind, texts, **fields):
        request = texts_request(texts).SerializeToString()
        return Planned(kind, request, texts=tuple(("right", t) for t in texts), **fields)

    def _bad(self, kind, code, request):
        bytes_ = request if isinstance(request, bytes) else request.SerializeToString()
        return Planned(kind, bytes_, codes=(code,))

    def _one(self, kind, rng):
        return self._good(kind, [rng.choice(self._texts)])

    def _several(self, kind, rng):
        return self._good(kind, rng.choices(self._texts, k=rng.randint(2, 6)))

    def _left(self, kind, rng):
        text = rng.choice(self._too_long)
        request = texts_request([text], truncation=pb.TRUNCATION_POLICY_LEFT).SerializeToString()
        return Planned(kind, request, texts=(("left", text),))

    def _error_policy(self, kind, rng):
        texts = [rng.choice(self._texts), rng.choice(self._too_long)]
        return self._bad(kind, CODE.INVALID_ARGUMENT, texts_request(texts, truncation=pb.TRUNCATION_POLICY_ERROR))

    def _unknown_model(self, kind, rng):
        return self._bad(kind, CODE.NOT_FOUND, texts_request(["x"], model="nobody"))

    def _unknown_version(self, kind, rng):
        return self._bad(kind, CODE.NOT_FOUND, texts_request(["x"], version=999))

    def _bad_utf8(self, kind, rng):
        good = texts_request(["QQQQ"]).SerializeToString()
        return self._bad(kind, CODE.INVALID_ARGUMENT, good.replace(b"QQQQ", b"Q\xff\xc0Q"))

    def _garbage(self, kind, rng):
        return self._bad(kind, CODE.INVALID_ARGUMENT, b"\x1a" + b"\xff" * rng.randint(2, 40))

    def _no_inputs(self, kind, rng):
        return self._bad(kind, CODE.INVALID_ARGUMENT, pb.ClassifyRequest())

    def _hurried(self, kind, rng):
        return self._good(
            kind,
            [rng.choice(self._texts)],
            codes=(CODE.OK, CODE.DEADLINE_EXCEEDED, CODE.RESOURCE_EXHAUSTED),
            timeout=rng.choice([1e-6, 0.0005, 0.002, 0.01, 0.05]),
        )

    def _cancelled(self, kind, rng):
        return self._good(kind, rng.choices(self._texts, k=2), codes=(CODE.OK, CODE.CANCELLED), cancel=True)


def cancel_at_once(method, planned):
    """Every terminal status that the call reports, and the last one's answer."""
    codes, ended = [], threading.Event()
    future = method.future(planned.request, timeout=planned.timeout)
    future.add_done_callback(lambda f: (codes.append(f.code()), ended.set()))
    future.cancel()
    ended.wait(2 * PATIENCE)
    return codes, future.details(), future.result() if codes == [CODE.OK] else None


def run(method, planned):
    if planned.cancel:
        return cancel_at_once(method, planned)
    try:
        return [CODE.OK], "", method(planned.request, timeout=planned.timeout)
    except grpc.RpcError as error:
        return [error.code()], error.details(), None


def classify(method, planned, alone):
    codes, details, answer = run(method, planned)
    if not codes:
        return Ended(planned, codes, "never ended")
    if codes[0] not in planned.codes:
        return Ended(planned, codes, f"{codes[0]}: {details}")
    if codes[0] is not CODE.OK:
        return Ended(planned, codes)
    answer = pb.ClassifyResponse.FromString(answer)
    if len(answer.results) != len(planned.texts):
        return Ended(planned, codes, f"{len(answer.results)} results for {len(planned.texts)} texts")
    difference = max(largest_difference(r.logits, alone[t]) for t, r in zip(planned.texts, answer.results))
    problem = f"differs by {difference} from the text alone" if not difference <= TOLERANCE else ""
    return Ended(planned, codes, problem, max(r.batch.size for r in answer.results))


def answers_alone(stub, texts, too_long):
    """(side, text) -> logits of the text in a batch of one."""
    alone = {}
    wanted = [("right", t) for t in texts] + [("left", t) for t in too_long]
    for side, text in wanted:
        policy = pb.TRUNCATION_POLICY_LEFT if side == "left" else pb.TRUNCATION_POLICY_RIGHT
        result = stub.Classify(texts_request([text], truncation=policy)).results[0]
        assert result.batch.size == 1
        alone[side, text] = list(result.logits)
    return alone


def test_each_of_10000_mixed_calls_ends_once_and_as_if_it_were_alone(daemon, reference):
    d = daemon()
    rng = random.Random(20)
    too_long = [long_text(rng, 2 * reference.max_length) for _ in range(8)]
    texts = LINES + short_texts(120, seed=21) + pairs(30, seed=22, longest=20) + too_long
    alone = answers_alone(d.stub(), texts, too_long)
    plan = Plan(texts, too_long)
    todo = collections.deque(plan.make(rng) for _ in range(CALLS))
    channels = [d.channel() for _ in range(CHANNELS)]
    ended = []

    def caller(number):
        method = channels[number % CHANNELS].unary_unary("/bertha.v1.Bertha/Classify")  # bytes in, bytes out
        while True:
            try:
                planned = todo.popleft()
            except IndexError:
                return
            ended.append(classify(method, planned, alone))

    threads = [threading.Thread(target=caller, args=(n,), daemon=True) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    problems = collections.Counter((e.planned.kind, e.problem) for e in ended if e.problem)
    assert not problems, f"{sum(problems.values())} of {CALLS} calls: {problems.most_common(5)}"
    assert len(ended) == CALLS and all(len(e.codes) == 1 for e in ended)
    by_kind = collections.Counter((e.planned.kind, e.codes[0]) for e in ended)
    # What the mix is for must have happened.
    assert by_kind["hurried", CODE.DEADLINE_EXCEEDED] and by_kind["cancelled", CODE.CANCELLED], by_kind
    assert len({kind for kind, _ in by_kind}) == 11
    assert max(e.batch_size for e in ended) > 1, "no two texts ever shared a batch"
