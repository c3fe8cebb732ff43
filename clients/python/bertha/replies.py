"""From the wire's messages to the client's results."""

from __future__ import annotations

from typing import Any

from bertha import results
from bertha.errors import error_from_wire
from bertha.v1 import bertha_pb2


def _account(r: Any, model: bertha_pb2.ModelInfo, request_id: str) -> dict[str, Any]:
    return {
        "timing": results.Timing(r.timing.tokenize_us, r.timing.queue_us, r.timing.compute_us, r.timing.total_us),
        "tokens": r.tokens,
        "truncated": getattr(r, "truncated", False),  # a context never is
        "windows": r.windows,
        "batch_size": r.batch.size,
        "model": model.name,
        "version": model.version,
        "engine": model.engine,
        "request_id": request_id,
    }


def _bytes(place: Any) -> tuple[int, int]:
    return (place.bytes.begin, place.bytes.end)


def read_result(r: bertha_pb2.ClassifyResult, model: bertha_pb2.ModelInfo, request_id: str) -> results.Result:
    scores = tuple(results.LabelScore(s.label, s.score) for s in r.scores)
    return results.Result(
        label=scores[0].label if scores else None,
        score=scores[0].score if scores else float("nan"),
        scores=scores,
        logits=tuple(r.logits),
        **_account(r, model, request_id),
    )


def read_tagged(r: bertha_pb2.TagTokensResult, model: bertha_pb2.ModelInfo, request_id: str) -> results.Tagged:
    return results.Tagged(
        entities=tuple(
            results.Entity(e.label, e.score, e.text, e.chars.begin, e.chars.end, _bytes(e)) for e in r.entities
        ),
        **_account(r, model, request_id),
    )


def read_answered(r: bertha_pb2.AnswerResult, model: bertha_pb2.ModelInfo, request_id: str) -> results.Answered:
    answers = tuple(
        results.FoundAnswer(a.text, a.score, a.chars.begin, a.chars.end, _bytes(a), a.no_answer) for a in r.answers
    )
    return results.Answered(
        text=answers[0].text if answers and not answers[0].no_answer else None,
        score=answers[0].score if answers else float("nan"),
        answers=answers,
        no_answer_score=r.no_answer_score,
        **_account(r, model, request_id),
    )


def read_embedding(r: bertha_pb2.EmbedResult, model: bertha_pb2.ModelInfo, request_id: str) -> results.Embedding:
    return results.Embedding(
        vector=tuple(r.vector),
        token_vectors=tuple(
            results.TokenVector(t.token, t.chars.begin, t.chars.end, tuple(t.vector)) for t in r.token_vectors
        ),
        **_account(r, model, request_id),
    )


def read_tokenized(r: bertha_pb2.TokenizeResult, model: bertha_pb2.ModelInfo, request_id: str) -> results.Tokenized:
    return results.Tokenized(
        tokens=tuple(
            results.Token(t.id, t.text, t.special, t.cut, t.sequence, t.chars.begin, t.chars.end, _bytes(t))
            for t in r.tokens
        ),
        computed=r.computed,
        max_length=r.max_length,
        model=model.name,
        version=model.version,
        request_id=request_id,
    )


def read_compared(c: bertha_pb2.CompareResult, request_id: str) -> results.Compared:
    error = None
    if c.HasField("error"):
        error = error_from_wire(c.error.code, c.error.message, c.error.retry_after_ms, request_id=request_id)
    return results.Compared(
        model=c.model.name,
        version=c.model.version,
        result=read_result(c.result, c.model, request_id) if c.HasField("result") else None,
        error=error,
        tokens=read_tokenized(c.tokens, c.model, request_id) if c.HasField("tokens") else None,
    )


def read_model(m: bertha_pb2.ModelStatus) -> results.ModelStatus:
    return results.ModelStatus(
        name=m.model.name,
        version=m.model.version,
        state=bertha_pb2.ModelStatus.State.Name(m.state).removeprefix("STATE_"),
        reason=m.reason,
        engine=m.model.engine,
        device=m.model.device,
        dtype=m.model.dtype,
        family=m.family,
        task=m.task,
        labels=tuple(m.labels),
        max_length=m.max_length,
        accepts_pairs=m.accepts_pairs,
        probe_max_abs_diff=m.probe_max_abs_diff,
        probe_count=m.probe_count,
        is_default=m.is_default,
        version_labels=tuple(m.version_labels),
        refused_update=m.refused_update,
        dimension=m.dimension,
        weight_bytes=m.weight_bytes,
    )
