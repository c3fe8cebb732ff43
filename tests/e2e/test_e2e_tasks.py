"""Five families, four tasks: small seeded checkpoints are exported and served, and answer as transformers does in Python."""

import random
import shutil
import sys
from pathlib import Path

import grpc
import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import TOLERANCE, failure, largest_difference, serving, texts_request
from e2e_texts import LINES, long_text, pairs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export"))

FAMILIES = ("bert", "roberta", "distilbert", "xlnet", "albert")
TASKS = ("sequence-classification", "token-classification", "question-answering", "embeddings")
LENGTH = 48
TAGS = {0: "B-DISH", 1: "I-DISH", 2: "O", 3: "B-DRINK", 4: "I-DRINK"}
SCORE_TOLERANCE = 2e-4  # of probabilities out of logits that agree within TOLERANCE
STRATEGIES = {
    "none": pb.AGGREGATION_NONE,
    "simple": pb.AGGREGATION_SIMPLE,
    "first": pb.AGGREGATION_FIRST,
    "average": pb.AGGREGATION_AVERAGE,
    "max": pb.AGGREGATION_MAX,
}


def changes_of(task):
    return {"id2label": TAGS, "label2id": {v: k for k, v in TAGS.items()}} if task == "token-classification" else {}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """[family-task] -> directory."""
    import tiny

    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        f"{family}-{task}": tiny.checkpoint(folder / f"{family}-{task}", family, task, **changes_of(task))
        for family in FAMILIES
        for task in TASKS
    }


@pytest.fixture(scope="module")
def served(program, checkpoints, tmp_path_factory):
    """One daemon with the twenty packages."""
    from bertha_export import Request, export

    folder = tmp_path_factory.mktemp("task_models")
    for name, checkpoint in checkpoints.items():
        export(Request(checkpoint=checkpoint, output=folder, name=name, max_length=LENGTH))
    with serving(program("berthad"), folder, tmp_path_factory.mktemp("tasks") / "log", "--cpu-threads", "1") as d:
        yield d
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stub(served):
    return served.stub()


def load(checkpoint, task):
    """Network and tokenizer as transformers has them, in fp32."""
    import torch
    import transformers

    classes = {
        "sequence-classification": transformers.AutoModelForSequenceClassification,
        "token-classification": transformers.AutoModelForTokenClassification,
        "question-answering": transformers.AutoModelForQuestionAnswering,
        "embeddings": transformers.AutoModel,
    }
    options = {"local_files_only": True, "dtype": torch.float32, "attn_implementation": "eager"}
    if task == "question-answering" and "xlnet" in str(checkpoint):
        model = transformers.XLNetForQuestionAnsweringSimple.from_pretrained(checkpoint, dtype=torch.float32)
    else:
        if "xlnet" in str(checkpoint):
            options.pop("attn_implementation")
        model = classes[task].from_pretrained(checkpoint, **options)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint, local_files_only=True, model_max_length=LENGTH)
    return model.eval(), tokenizer


def prose(count, seed, longest=60):
    rng = random.Random(seed)
    return [*LINES, *(long_text(rng, rng.randrange(1, longest)) for _ in range(count))]


def span(range_):
    return range_.begin, range_.end


def test_all_twenty_serve_and_say_what_they_are(stub):
    models = {m.model.name: m for m in stub.ListModels(pb.ListModelsRequest()).models}
    assert set(models) == {f"{family}-{task}" for family in FAMILIES for task in TASKS}
    for name, status in models.items():
        family, _, task = name.partition("-")
        assert status.state == pb.ModelStatus.STATE_SERVING, (name, status.reason)
        assert (status.family, status.task, status.max_length) == (family, task, LENGTH)
        assert status.dimension == (32 if task == "embeddings" else 0)
        assert len(status.labels) == {"sequence-classification": 3, "token-classification": len(TAGS)}.get(task, 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_classify_gives_the_logits_of_transformers(stub, checkpoints, family):
    import torch

    name = f"{family}-sequence-classification"
    model, tokenizer = load(checkpoints[name], "sequence-classification")
    texts = prose(20, seed=1) + pairs(10, seed=2, longest=90)
    results = stub.Classify(texts_request(texts, model=name)).results
    with torch.inference_mode():
        for text, result in zip(texts, results, strict=True):
            parts = (text,) if isinstance(text, str) else text
            encoded = tokenizer(*parts, truncation=True, max_length=LENGTH, return_tensors="pt")
            assert largest_difference(result.logits, model(**encoded).logits[0].tolist()) <= TOLERANCE
    assert len({r.scores[0].label for r in results}) > 1, "the head tells no two texts apart"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_tag_finds_the_entities_of_the_pipeline(stub, checkpoints, family, strategy):
    import transformers

    name = f"{family}-token-classification"
    model, tokenizer = load(checkpoints[name], "token-classification")
    pipeline = transformers.TokenClassificationPipeline(
        model=model, tokenizer=tokenizer, aggregation_strategy=strategy, framework="pt"
    )
    texts = [text for text in prose(10, seed=3) if text.strip()]
    options = pb.TagTokensOptions(aggregation=STRATEGIES[strategy])
    request = pb.TagTokensRequest(model=name, inputs=[pb.TextInput(text=t) for t in texts], options=options)
    results = stub.TagTokens(request).results
    key = "entity" if strategy == "none" else "entity_group"
    assert sum(len(r.entities) for r in results) > 20, "too few entities to compare"
    for text, result in zip(texts, results, strict=True):
        expected = pipeline(text)
        got = [(e.label, *span(e.chars)) for e in result.entities]
        assert got == [(e[key], e["start"], e["end"]) for e in expected], text
        for entity, other in zip(result.entities, expected, strict=True):
            assert abs(entity.score - other["score"]) <= SCORE_TOLERANCE
            assert entity.text == text[other["start"] : other["end"]]
            assert text.encode()[entity.bytes.begin : entity.bytes.end].decode() == entity.text


@pytest.mark.parametrize("family", FAMILIES)
def test_tag_reads_long_texts_in_windows_as_the_pipeline_does(stub, checkpoints, family):
    import transformers

    name = f"{family}-token-classification"
    model, tokenizer = load(checkpoints[name], "token-classification")
    pipeline = transformers.TokenClassificationPipeline(
        model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=10, framework="pt"
    )
    rng = random.Random(4)
    texts = [long_text(rng, words) for words in (30, 60, 90, 150)]
    options = pb.TagTokensOptions(
        aggregation=pb.AGGREGATION_SIMPLE, truncation=pb.TRUNCATION_POLICY_WINDOW, stride=10
    )
    request = pb.TagTokensRequest(model=name, inputs=[pb.TextInput(text=t) for t in texts], options=options)
    results = stub.TagTokens(request).results
    assert max(r.windows for r in results) > 2
    for text, result in zip(texts, results, strict=True):
        expected = [(e["entity_group"], e["start"], e["end"]) for e in pipeline(text)]
        assert [(e.label, *span(e.chars)) for e in result.entities] == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("no_answer", [False, True], ids=["must-answer", "may-not"])
def test_answer_finds_the_spans_of_the_pipeline(stub, checkpoints, family, no_answer):
    import transformers

    name = f"{family}-question-answering"
    model, tokenizer = load(checkpoints[name], "question-answering")
    pipeline = transformers.QuestionAnsweringPipeline(model=model, tokenizer=tokenizer, framework="pt")
    rng = random.Random(5)
    contexts = [long_text(rng, words) for words in (1, 3, 8, 20, 60, 120)] + [t for t in LINES if len(t.split()) > 2]
    inputs = [pb.QuestionInput(question=f"Who is number {i}?", context=c) for i, c in enumerate(contexts)]
    stride = 12
    options = pb.AnswerOptions(top_k=3, allow_no_answer=no_answer, stride=stride, max_answer_tokens=7)
    results = stub.Answer(pb.AnswerRequest(model=name, inputs=inputs, options=options)).results
    assert max(r.windows for r in results) > 2
    for given, result in zip(inputs, results, strict=True):
        expected = pipeline(
            question=given.question,
            context=given.context,
            top_k=3,
            handle_impossible_answer=no_answer,
            max_seq_len=LENGTH,
            doc_stride=stride,
            max_answer_len=7,
        )
        # The pipeline fills up with answers of score 0, in an order of no meaning; has places in the question for XLNet; and
        # lets answers end before they begin.
        expected = [e for e in (expected if isinstance(expected, list) else [expected]) if e["score"] > 0]
        end = len(given.context)
        places = [(min(e["start"], end), max(min(e["start"], end), min(e["end"], end)), e["answer"]) for e in expected]
        assert [(*span(a.chars), a.text) for a in result.answers] == places, given
        for answer, other in zip(result.answers, expected, strict=True):
            assert abs(answer.score - other["score"]) <= SCORE_TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_embed_pools_the_hidden_states_of_transformers(stub, checkpoints, family):
    import torch

    name = f"{family}-embeddings"
    model, tokenizer = load(checkpoints[name], "embeddings")
    texts = prose(10, seed=6)
    ask = lambda **options: stub.Embed(  # noqa: E731
        pb.EmbedRequest(
            model=name, inputs=[pb.TextInput(text=t) for t in texts], options=pb.EmbedOptions(**options)
        )
    ).results
    pooled = {
        pb.POOLING_MEAN: lambda states: states.mean(0),
        pb.POOLING_CLS: lambda states: states[0],
        pb.POOLING_MAX: lambda states: states.max(0).values,
        pb.POOLING_CLS_MEAN: lambda states: torch.cat([states[0], states.mean(0)]),
        pb.POOLING_LAST: lambda states: states[-1],
    }
    with torch.inference_mode():
        encoded = [tokenizer(t, truncation=True, max_length=LENGTH, return_tensors="pt") for t in texts]
        states = [model(**e).last_hidden_state[0] for e in encoded]
    for pooling, of in pooled.items():
        for result, hidden in zip(ask(pooling=pooling), states, strict=True):
            assert largest_difference(result.vector, of(hidden).tolist()) <= TOLERANCE
    for result, hidden in zip(ask(pooling=pb.POOLING_MEAN, normalize=True), states, strict=True):
        assert largest_difference(result.vector, torch.nn.functional.normalize(hidden.mean(0), dim=0).tolist()) <= TOLERANCE
    for result, hidden, e in zip(ask(pooling=pb.POOLING_NONE), states, encoded, strict=True):
        assert [t.token for t in result.token_vectors] == tokenizer.convert_ids_to_tokens(e["input_ids"][0])
        for token, row in zip(result.token_vectors, hidden.tolist(), strict=True):
            assert largest_difference(token.vector, row) <= TOLERANCE


CALLS = {
    "sequence-classification": ("Classify", pb.ClassifyRequest, pb.TextInput(text="x")),
    "token-classification": ("TagTokens", pb.TagTokensRequest, pb.TextInput(text="x")),
    "question-answering": ("Answer", pb.AnswerRequest, pb.QuestionInput(question="q", context="c")),
    "embeddings": ("Embed", pb.EmbedRequest, pb.TextInput(text="x")),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("called", TASKS)
def test_a_call_of_the_wrong_task_names_the_right_one(stub, task, called):
    model, (right, _, _), (call, request, text) = f"bert-{task}", CALLS[task], CALLS[called]
    if task == called:
        assert len(getattr(stub, call)(request(model=model, inputs=[text])).results) == 1
        return
    error = failure(getattr(stub, call), request(model=model, inputs=[text]))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == f'the model "{model}" does {task}; call {right}, not {call}'


def test_a_pair_for_a_model_without_pairs_is_refused_with_its_task(stub):
    request = pb.TagTokensRequest(model="bert-token-classification", inputs=[pb.TextInput(text="x", text_pair="y")])
    error = failure(stub.TagTokens, request)
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "inputs[0].text_pair" in error.details() and "token-classification" in error.details()


def test_what_is_not_utf8_is_named_in_every_call(served):
    bad = served.channel().unary_unary("/bertha.v1.Bertha/Answer", lambda bytes_: bytes_, lambda bytes_: bytes_)
    error = failure(bad, b"\x1a\x05\x12\x03ab\xff")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "inputs[0].context: invalid UTF-8 at byte 2"
