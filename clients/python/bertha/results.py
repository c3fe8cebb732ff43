"""What the client returns: plain, immutable values."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bertha.errors import BerthaError


@dataclass(frozen=True, slots=True)
class LabelScore:
    label: str
    score: float

    def __str__(self) -> str:
        return f"{self.label} {self.score:.4f}"


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one text went, in microseconds, measured by the server."""

    tokenize_us: int
    queue_us: int
    compute_us: int
    total_us: int

    def __str__(self) -> str:
        return (
            f"{self.total_us} µs: tokenize {self.tokenize_us}, queue {self.queue_us}, compute {self.compute_us}"
        )


@dataclass(frozen=True, slots=True)
class Account:
    """What every answer says besides the answer: where the time went, how much it was, and who answered.

    `windows`: in how many pieces the text was computed. `truncated`: some of it was cut off. `request_id`: of the call,
    as in the server's log.
    """

    timing: Timing
    tokens: int
    truncated: bool
    windows: int
    batch_size: int
    model: str
    version: int
    engine: str
    request_id: str = field(default="", kw_only=True, compare=False)

    def _account(self) -> str:
        return f"[{self.timing}; {self.model} v{self.version}, {self.engine}]"


@dataclass(frozen=True, slots=True)
class Result(Account):
    """The answer of `classify` for one text.

    `label` and `score` are those of the best label: None and nan if `threshold` left none. `scores` is best first.
    `logits` are the raw outputs in the model's label order, empty unless asked for.
    """

    label: str | None
    score: float
    scores: tuple[LabelScore, ...]
    logits: tuple[float, ...]

    def __str__(self) -> str:
        best = f"{self.label} {self.score:.4f}" if self.scores else "no label reaches the threshold"
        others = ", ".join(str(s) for s in self.scores[1:])
        return f"{best}{f' ({others})' if others else ''} {self._account()}"


@dataclass(frozen=True, slots=True)
class Entity:
    """`start` and `end` are those of the text as a str: text[start:end]. `bytes` is the same in UTF-8."""

    label: str
    score: float
    text: str
    start: int
    end: int
    bytes: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.label} {self.text!r} {self.score:.4f}"


@dataclass(frozen=True, slots=True)
class Tagged(Account):
    """The answer of `tag` for one text: its entities, in the order of the text."""

    entities: tuple[Entity, ...]

    def __str__(self) -> str:
        return f"{', '.join(str(e) for e in self.entities) or 'no entities'} {self._account()}"


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """`start` and `end` are those of the context as a str: context[start:end]. `bytes` is the same in UTF-8.

    With `no_answer` it says that there is none, and its text is empty.
    """

    text: str
    score: float
    start: int
    end: int
    bytes: tuple[int, int]
    no_answer: bool

    def __str__(self) -> str:
        return f"{'no answer' if self.no_answer else repr(self.text)} {self.score:.4f}"


@dataclass(frozen=True, slots=True)
class Answered(Account):
    """The answer of `answer` for one question.

    `text` and `score` are those of the best answer: None if there is none in the context; nan if nothing was found at
    all. `answers` is best first. `no_answer_score` means something only for models that were trained with questions
    that have no answer.
    """

    text: str | None
    score: float
    answers: tuple[FoundAnswer, ...]
    no_answer_score: float

    def __str__(self) -> str:
        return f"{', '.join(str(a) for a in self.answers) or 'nothing found'} {self._account()}"


@dataclass(frozen=True, slots=True)
class TokenVector:
    """`start` and `end` are where the token stands in the text; both 0 for special tokens."""

    token: str
    start: int
    end: int
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Embedding(Account):
    """The answer of `embed` for one text: its vector; or with `tokens=True` none, but one for each token."""

    vector: tuple[float, ...]
    token_vectors: tuple[TokenVector, ...]

    def __str__(self) -> str:
        if self.token_vectors:
            return f"{len(self.token_vectors)} vectors {self._account()}"
        first = ", ".join(f"{x:.4f}" for x in self.vector[:4])
        more = ", …" if len(self.vector) > 4 else ""
        return f"[{first}{more}] of {len(self.vector)} {self._account()}"


@dataclass(frozen=True, slots=True)
class Token:
    """One token of `tokenize`: its number in the vocabulary and its text there, e.g. "##ing".

    `start` and `end` are where it stands in its text, the first or (`sequence` 1) the second of a pair; both 0 for
    special tokens. `bytes` is the same in UTF-8. `cut`: not computed, since the text is too long.
    """

    id: int
    text: str
    special: bool
    cut: bool
    sequence: int
    start: int
    end: int
    bytes: tuple[int, int]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A text as a model sees it, what is cut off included. `computed` tokens are not; the model takes `max_length`."""

    tokens: tuple[Token, ...]
    computed: int
    max_length: int
    model: str
    version: int
    request_id: str = field(default="", kw_only=True, compare=False)

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the tokens that are computed."""
        return tuple(t.id for t in self.tokens if not t.cut)

    def __str__(self) -> str:
        kept = " ".join(t.text for t in self.tokens if not t.cut)
        cut = len(self.tokens) - self.computed
        return f"{kept}{f' ({cut} cut off)' if cut > 0 else ''} [{self.model} v{self.version}]"


@dataclass(frozen=True, slots=True)
class Compared:
    """What one model says in `compare`: a result, or the error why there is none. `tokens`: if asked for."""

    model: str
    version: int
    result: Result | None
    error: BerthaError | None
    tokens: Tokenized | None

    def __str__(self) -> str:
        return str(self.result) if self.error is None else f"{self.model or 'model'}: {self.error}"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One package that the server found. `state` is SERVING, LOADING or FAILED; `reason` says why it failed.

    `refused_update`: why a newer package in its place was refused. `dimension`: of a vector; 0 if it makes none.
    """

    name: str
    version: int
    state: str
    reason: str
    engine: str
    device: str
    dtype: str
    family: str
    task: str
    labels: tuple[str, ...]
    max_length: int
    accepts_pairs: bool
    probe_max_abs_diff: float
    probe_count: int
    is_default: bool
    version_labels: tuple[str, ...] = ()
    refused_update: str = ""
    dimension: int = 0
    weight_bytes: int = 0
