"""`bertha tag`, `bertha answer` and `bertha embed` against a fake server: what goes in, what people and scripts see."""
import json
import math

import numpy
import pytest

from bertha.v1 import bertha_pb2
from cli_tools import json_lines
from fake_server import score_of, vector_of

ACCOUNT = {
    "timing_us": {"tokenize": 11, "queue": 22, "compute": 1700, "total": 1750},
    "truncated": False,
    "windows": 1,
    "model": "fake",
    "version": 3,
    "engine": "rule",
    "batch_size": 1,
}
LONG = "word " * 30


def shown(done):
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert "\033" not in text  # standard output is no terminal
    return text.splitlines()


# --- tag -------------------------------------------------------------------------------------------------------------


def test_tag_marks_entities_in_the_text_and_lists_them(cli):
    lines = shown(cli("tag", "café with Ada and Zoë"))
    assert lines[0] == "café with [Ada NAME] and [Zoë NAME]"
    assert lines[1].split() == ["LABEL", "SCORE", "CHARS", "TEXT"]
    assert lines[2].split() == ["NAME", f"{score_of('Ada')[1]:.4f}", "10:13", "Ada"]
    assert lines[3].split() == ["NAME", f"{score_of('Zoë')[1]:.4f}", "18:21", "Zoë"]
    assert lines[4].startswith("  1.75 ms: tokenize 11 µs") and lines[4].endswith("fake v3 (rule, cpu, fp32)")


def test_tag_shows_several_texts_one_after_another(cli):
    lines = shown(cli("tag", "nobody", "Ada"))
    assert lines[:4] == ["nobody", "  no entities", "", "[Ada NAME]"]
    assert lines[-1].startswith("mean: tokenize 11 µs")


def test_tag_json_carries_the_whole_answer(cli):
    (answer,) = json_lines(cli("tag", "é Ada", "--json"))
    (entity,) = answer["entities"]
    assert entity.pop("score") == pytest.approx(score_of("Ada")[1])
    assert entity == {"label": "NAME", "text": "Ada", "bytes": [3, 6], "chars": [2, 5]}
    assert answer == {"index": 0, "entities": [entity], "tokens": 4, **ACCOUNT}


@pytest.mark.parametrize("name", ["none", "simple", "first", "average", "max"])
def test_tag_options_reach_the_server(cli, server, name):
    arguments = f"--model fake:stable --aggregation {name} --threshold 0.25 --truncation window --stride 3"
    done = cli("tag", "Ada", *arguments.split())
    assert done.returncode == 0, done.stderr
    (request,) = server.bertha.calls
    assert (request.model, request.version_label) == ("fake", "stable")
    assert request.options == bertha_pb2.TagTokensOptions(
        aggregation=getattr(bertha_pb2, f"AGGREGATION_{name.upper()}"),
        threshold=0.25,
        truncation=bertha_pb2.TRUNCATION_POLICY_WINDOW,
        stride=3,
    )


def test_tag_leaves_to_the_model_what_nobody_asks_for(cli, server):
    cli("tag", "Ada")
    assert server.bertha.calls[0].options == bertha_pb2.TagTokensOptions(
        truncation=bertha_pb2.TRUNCATION_POLICY_RIGHT
    )


def test_tag_keeps_lines_in_order_and_fails_bad_ones_alone(cli):
    lines = [f"Name{i}" for i in range(300)]
    lines[7] = LONG
    done = cli("tag", "--json", "--truncation", "error", "--batch", "10", stdin="\n".join(lines))
    assert done.returncode == 1
    answers = json_lines(done)
    assert [a["index"] for a in answers] == list(range(300))
    assert [a["index"] for a in answers if "error" in a] == [7]
    assert [a["entities"][0]["text"] for a in answers if "error" not in a] == lines[:7] + lines[8:]
    assert b"1 of 300 inputs failed; the first: index 7: INVALID_ARGUMENT: text: 32 tokens" in done.stderr


# --- answer ----------------------------------------------------------------------------------------------------------


def test_answer_shows_the_answer_in_its_context(cli):
    lines = shown(cli("answer", "--question", "Who?", "--context", "It was Ada Lovelace."))
    assert lines[0] == "Who?"
    assert lines[1] == f"  {score_of('Lovelace')[1]:.4f}  It was Ada [Lovelace]."
    assert lines[2].startswith("  1.75 ms: tokenize 11 µs")


def test_answer_asks_several_questions_of_one_context(cli, server, tmp_path):
    file = tmp_path / "context"
    file.write_text("one\nthree five")
    lines = shown(cli("answer", "-q", "A?", "-q", "B?", "--context-file", str(file), "--top-k", "2"))
    assert lines[0] == "A?" and lines[1].endswith("  one [three] five") and lines[2].endswith("  one three [five]")
    assert lines[4] == "B?"
    (request,) = server.bertha.calls
    assert [(i.question, i.context) for i in request.inputs] == [("A?", "one\nthree five"), ("B?", "one\nthree five")]


def test_answer_takes_the_context_or_the_questions_from_standard_input(cli, server):
    assert cli("answer", "-q", "A?", "--context-file", "-", stdin="from\nstdin\n").returncode == 0
    assert cli("answer", "-q", "-", "-c", "given", stdin="A?\nB?\n").returncode == 0
    assert [[(i.question, i.context) for i in c.inputs] for c in server.bertha.calls] == [
        [("A?", "from\nstdin\n")],
        [("A?", "given"), ("B?", "given")],
    ]


def test_answer_reads_json_lines_and_fails_bad_ones_alone(cli, server):
    lines = [
        json.dumps({"question": "A?", "context": "x\nlong", "id": 7}),
        '{"question": "B?"}',
        "C?",
        json.dumps({"question": "D?", "context": ""}),
    ]
    done = cli("answer", "--json", stdin="\n".join(lines))
    assert done.returncode == 1
    answers = json_lines(done)
    assert [a["index"] for a in answers] == [0, 1, 2, 3]
    assert (answers[0]["answer"], answers[0]["answers"][0]["chars"]) == ("long", [2, 6])
    assert answers[1]["error"] == {"code": "INVALID_ARGUMENT", "message": "context is missing"}
    assert "must be a JSON object" in answers[2]["error"]["message"]
    assert (answers[3]["answer"], answers[3]["score"], answers[3]["answers"]) == (None, None, [])
    assert sum(len(c.inputs) for c in server.bertha.calls) == 2  # bad lines are never sent


def test_answer_json_carries_the_whole_answer(cli):
    (answer,) = json_lines(cli("answer", "-q", "Who?", "-c", "é Ada", "--json"))
    score = pytest.approx(score_of("Ada")[1])
    assert answer == {
        "index": 0,
        "answer": "Ada",
        "score": score,
        "answers": [{"text": "Ada", "score": score, "bytes": [3, 6], "chars": [2, 5], "no_answer": False}],
        "no_answer_score": 0.25,
        "tokens": 4,
        **ACCOUNT,
    }


def test_answer_may_be_that_there_is_none(cli):
    lines = shown(cli("answer", "-q", "Who?", "-c", "", "--no-answer"))
    assert lines[:3] == ["Who?", "  0.2500  no answer in the context", "  no answer: 0.2500"]
    (answer,) = json_lines(cli("answer", "-q", "Who?", "-c", "", "--no-answer", "--json"))
    assert answer["answer"] is None and answer["answers"][0]["no_answer"] is True


def test_answer_says_in_how_many_windows_it_looked(cli):
    assert "32 tokens in 2 windows" in shown(cli("answer", "-q", "Who?", "-c", LONG))[-1]


def test_answer_options_reach_the_server(cli, server):
    done = cli(*"answer -q q -c c --model fake:2 --top-k 3 --max-answer-tokens 5 --no-answer --stride 9".split())
    assert done.returncode == 0, done.stderr
    (request,) = server.bertha.calls
    assert (request.model, request.version) == ("fake", 2)
    assert request.options == bertha_pb2.AnswerOptions(top_k=3, max_answer_tokens=5, allow_no_answer=True, stride=9)


def test_a_context_that_is_not_utf8_is_not_sent(cli, server):
    done = cli("answer", "-q", "Who?", "--context-file", "-", stdin=b"ab\xff")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "bertha: the context is not UTF-8: bad byte at offset 2; convert it, e.g. with iconv\n"
    )
    assert server.bertha.calls == []


# --- embed -----------------------------------------------------------------------------------------------------------


def test_embed_shows_one_vector_with_its_dimension_and_norm(cli):
    lines = shown(cli("embed", "I love it", "--no-normalize"))
    vector = vector_of("I love it", scaled=False)
    assert lines[0] == "I love it"
    assert [float(x) for x in lines[1].split()] == pytest.approx(vector)
    assert lines[2] == f"  3 dimensions, norm {math.hypot(*vector):.4f}"
    assert lines[3].startswith("  1.75 ms: tokenize 11 µs")


def test_embed_shows_how_similar_several_texts_are(cli):
    texts = ["one", "two", "three"]
    lines = shown(cli("embed", *texts))
    assert lines[0].split() == ["#", "DIM", "NORM", "VECTOR", "TOKENS", "TIME", "TEXT"]
    assert lines[1].split()[:3] == ["0", "3", "1.0000"]
    assert lines[4] == "cosine similarity"
    vectors = numpy.array([vector_of(t, scaled=True) for t in texts])
    matrix = numpy.array([[float(x) for x in line.split()[1:]] for line in lines[6:9]])
    numpy.testing.assert_allclose(matrix, vectors @ vectors.T, atol=6e-5)  # 4 digits are printed


def test_embed_json_carries_the_whole_answer(cli):
    (answer,) = json_lines(cli("embed", "a b", "--json"))
    assert answer.pop("vector") == pytest.approx(vector_of("a b", scaled=True))
    assert answer == {"index": 0, "tokens": 4, **ACCOUNT}


def test_embed_tokens_gives_a_vector_for_each(cli):
    lines = shown(cli("embed", "--tokens", "naïve b"))
    assert lines[1].split()[:4] == ["naïve", "0:5", "3", "1.0000"]
    assert lines[2].split()[:4] == ["b", "6:7", "3", "1.0000"]
    (answer,) = json_lines(cli("embed", "--tokens", "--json", "naïve b"))
    assert "vector" not in answer
    assert [(t["token"], t["bytes"], t["chars"]) for t in answer["token_vectors"]] == [
        ("naïve", [0, 6], [0, 5]),
        ("b", [7, 8], [6, 7]),
    ]
    assert answer["token_vectors"][1]["vector"] == pytest.approx(vector_of("b", scaled=True))


def test_embed_npy_is_read_back_by_numpy_with_nan_for_failed_texts(cli, tmp_path):
    file = tmp_path / "vectors.npy"
    texts = [LONG] + [f"text {i}" for i in range(200)]
    done = cli("embed", "--npy", str(file), "--truncation", "error", "--batch", "7", stdin="\n".join(texts))
    assert done.returncode == 1
    assert done.stdout.decode() == f"{file}: 201 x 3 float32\n"
    array = numpy.load(file)
    assert (array.shape, array.dtype) == ((201, 3), numpy.float32)
    assert numpy.isnan(array[0]).all()
    numpy.testing.assert_allclose(array[1:], [vector_of(t, scaled=True) for t in texts[1:]], rtol=1e-6)


def test_embed_npy_of_no_text_is_an_empty_array(cli, tmp_path):
    file = tmp_path / "vectors.npy"
    assert cli("embed", "--npy", str(file)).returncode == 0
    assert numpy.load(file).shape == (0, 0)


def test_embed_npy_of_a_failed_run_leaves_what_was_there(cli, tmp_path):
    file = tmp_path / "vectors.npy"
    file.write_text("before")
    assert cli("embed", "--npy", str(file), "--model", "nope", "text").returncode == 1
    assert file.read_text() == "before"


@pytest.mark.parametrize(
    "arguments, pooling, normalize",
    [
        ("", "UNSPECIFIED", None),
        ("--pooling mean --normalize", "MEAN", True),
        ("--pooling cls --no-normalize", "CLS", False),
        ("--pooling max", "MAX", None),
        ("--pooling cls+mean", "CLS_MEAN", None),
        ("--pooling last", "LAST", None),
        ("--tokens", "NONE", None),
    ],
)
def test_embed_options_reach_the_server(cli, server, arguments, pooling, normalize):
    assert cli("embed", "text", *arguments.split()).returncode == 0
    assert server.bertha.calls[0].options == bertha_pb2.EmbedOptions(
        pooling=getattr(bertha_pb2, f"POOLING_{pooling}"),
        normalize=normalize,
        truncation=bertha_pb2.TRUNCATION_POLICY_RIGHT,
    )
