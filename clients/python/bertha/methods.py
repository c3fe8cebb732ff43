"""What can be asked of a berthad, declared once for both clients: each method makes a Plan, and the client runs it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, overload

from bertha import frames, plans
from bertha.base import Awaiting, Base, Blocking, Way

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

    from bertha.options import (
        AnswerOptions,
        CallOptions,
        ClassifyOptions,
        CompareOptions,
        EmbedOptions,
        Judged,
        TagOptions,
        Texts,
        TokenizeOptions,
    )
    from bertha.results import Answered, Compared, Embedding, ModelStatus, Result, Tagged, Tokenized


class Methods(Base[Way]):
    """The methods of Client; those of AsyncClient are the same, to be awaited.

    Options of all calls:

    timeout: seconds for one call on the wire with all its retries; None: the client's. A list of many texts takes
    several calls. There is no call without a deadline.
    request_id: stands in every line that the server logs about the call, and in its reply; by default the server makes
    one.
    traceparent: as in W3C Trace Context, for tracing; passed on to the server.

    Options of all calls of a model:

    model, version: which model; by default the server's default one, in its newest version. A str is a label of a
    version, such as "stable".
    priority: "high", "normal", or "batch" for bulk work that takes what others leave on a busy server.

    All raise a BerthaError (a grpc.RpcError) if a call fails: then no results are returned. ValueError or TypeError:
    the arguments are wrong, and nothing was sent to the server, or not all of it.
    """

    # For each method: of one text and of several, for a client that blocks and for one that awaits.

    @overload
    def classify(
        self: Methods[Blocking], texts: str, *, pairs: str | None = None, **options: Unpack[ClassifyOptions]
    ) -> Result: ...
    @overload
    def classify(
        self: Methods[Blocking], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[ClassifyOptions]
    ) -> list[Result]: ...
    @overload
    def classify(
        self: Methods[Awaiting], texts: str, *, pairs: str | None = None, **options: Unpack[ClassifyOptions]
    ) -> Awaitable[Result]: ...
    @overload
    def classify(
        self: Methods[Awaiting], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[ClassifyOptions]
    ) -> Awaitable[list[Result]]: ...

    def classify(
        self, texts: Texts, *, pairs: Texts | None = None, **options: Unpack[ClassifyOptions]
    ) -> Any:
        """One Result for a text, a list of them, in order, for several, however many.

        pairs: the second text (or one for each text), for models that judge pairs.
        top_k: only the k best labels; 0: all. threshold: only labels that score at least this.
        raw_logits: also fill Result.logits.
        truncation: of a text longer than the model takes, "right" cuts the end, "left" the beginning, "error" fails,
        and "window" computes it in overlapping windows, which share `stride` tokens.
        The others: see the class.
        """
        return self._run(plans.classify(texts, pairs=pairs, **options))

    @overload
    def tag(self: Methods[Blocking], texts: str, **options: Unpack[TagOptions]) -> Tagged: ...
    @overload
    def tag(self: Methods[Blocking], texts: Texts, **options: Unpack[TagOptions]) -> list[Tagged]: ...
    @overload
    def tag(self: Methods[Awaiting], texts: str, **options: Unpack[TagOptions]) -> Awaitable[Tagged]: ...
    @overload
    def tag(self: Methods[Awaiting], texts: Texts, **options: Unpack[TagOptions]) -> Awaitable[list[Tagged]]: ...

    def tag(self, texts: Texts, **options: Unpack[TagOptions]) -> Any:
        """The entities of a text, or a list of such for several texts. `tag_tokens` is the same.

        aggregation: how tokens become entities, with the names of the Hugging Face pipeline: "none", "simple", "first",
        "average" or "max"; None: as the model's package says. threshold: only entities that score at least this.
        The others: as for `classify`.
        """
        return self._run(plans.tag(texts, **options))

    tag_tokens = tag

    @overload
    def answer(
        self: Methods[Blocking], questions: str, context: str, **options: Unpack[AnswerOptions]
    ) -> Answered: ...
    @overload
    def answer(
        self: Methods[Blocking], questions: Texts, context: Texts, **options: Unpack[AnswerOptions]
    ) -> list[Answered]: ...
    @overload
    def answer(
        self: Methods[Awaiting], questions: str, context: str, **options: Unpack[AnswerOptions]
    ) -> Awaitable[Answered]: ...
    @overload
    def answer(
        self: Methods[Awaiting], questions: Texts, context: Texts, **options: Unpack[AnswerOptions]
    ) -> Awaitable[list[Answered]]: ...

    def answer(self, questions: Texts, context: Texts, **options: Unpack[AnswerOptions]) -> Any:
        """The answer to a question from its context, or a list of such for several questions.

        context: one for all questions, or one for each. A longer one than the model takes is searched in windows, which
        share `stride` tokens.
        top_k: the k best answers. max_answer_tokens: the longest answer.
        allow_no_answer: "there is none" may be an answer too; for models that were trained with such questions.
        The others: as for `classify`.
        """
        return self._run(plans.answer(questions, context, **options))

    @overload
    def embed(
        self: Methods[Blocking], texts: str, *, pairs: str | None = None, **options: Unpack[EmbedOptions]
    ) -> Embedding: ...
    @overload
    def embed(
        self: Methods[Blocking], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[EmbedOptions]
    ) -> list[Embedding]: ...
    @overload
    def embed(
        self: Methods[Awaiting], texts: str, *, pairs: str | None = None, **options: Unpack[EmbedOptions]
    ) -> Awaitable[Embedding]: ...
    @overload
    def embed(
        self: Methods[Awaiting], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[EmbedOptions]
    ) -> Awaitable[list[Embedding]]: ...

    def embed(self, texts: Texts, *, pairs: Texts | None = None, **options: Unpack[EmbedOptions]) -> Any:
        """The vector of a text, or a list of such for several texts.

        pooling: how the vectors of tokens become that of the text: "mean", "cls", "max", "cls+mean" or "last"; None: as
        the model's package says. tokens: a vector for each token instead. normalize: scale to length 1; None: as the
        model's package says.
        The others: as for `classify`.
        """
        return self._run(plans.embed(texts, pairs=pairs, **options))

    @overload
    def tokenize(
        self: Methods[Blocking], texts: str, *, pairs: str | None = None, **options: Unpack[TokenizeOptions]
    ) -> Tokenized: ...
    @overload
    def tokenize(
        self: Methods[Blocking], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[TokenizeOptions]
    ) -> list[Tokenized]: ...
    @overload
    def tokenize(
        self: Methods[Awaiting], texts: str, *, pairs: str | None = None, **options: Unpack[TokenizeOptions]
    ) -> Awaitable[Tokenized]: ...
    @overload
    def tokenize(
        self: Methods[Awaiting], texts: Texts, *, pairs: Texts | None = None, **options: Unpack[TokenizeOptions]
    ) -> Awaitable[list[Tokenized]]: ...

    def tokenize(
        self, texts: Texts, *, pairs: Texts | None = None, **options: Unpack[TokenizeOptions]
    ) -> Any:
        """A text as the model sees it, or a list of such for several texts: its tokens, and which of them are cut off.

        truncation: as for `classify`; "window" cuts nothing off.
        """
        return self._run(plans.tokenize(texts, pairs=pairs, **options))

    @overload
    def compare(
        self: Methods[Blocking], text: str, *, pair: str | None = None, **options: Unpack[CompareOptions]
    ) -> list[Compared]: ...
    @overload
    def compare(
        self: Methods[Awaiting], text: str, *, pair: str | None = None, **options: Unpack[CompareOptions]
    ) -> Awaitable[list[Compared]]: ...

    def compare(self, text: str, *, pair: str | None = None, **options: Unpack[CompareOptions]) -> Any:
        """One text judged by several classifiers. A model that cannot does not fail the others: its `error` says why.

        models: their names, as NAME, NAME:VERSION or NAME:LABEL; None: every classifier that serves.
        tokens: also the text as each of them sees it.
        The others: as for `classify`.
        """
        return self._run(plans.compare(text, pair=pair, **options))

    @overload
    def record_feedback(
        self: Methods[Blocking],
        text: str,
        judged: Judged,
        *,
        right: bool,
        correct_label: str = "",
        pair: str | None = None,
        **options: Unpack[CallOptions],
    ) -> int: ...
    @overload
    def record_feedback(
        self: Methods[Awaiting],
        text: str,
        judged: Judged,
        *,
        right: bool,
        correct_label: str = "",
        pair: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Awaitable[int]: ...

    def record_feedback(
        self,
        text: str,
        judged: Judged,
        *,
        right: bool,
        correct_label: str = "",
        pair: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Stores a person's verdict on the Result that the text got. Returns the number of the vote; then it is stored.

        judged: the Result, or anything with its `model`, `version`, `label` and `score`.
        correct_label: the right label, if known, of an answer that is wrong.
        It is tried again only where the server says that it did not store it, so that no vote counts twice.
        """
        return self._run(
            plans.record_feedback(text, judged, right=right, correct_label=correct_label, pair=pair, **options)
        )

    @overload
    def models(self: Methods[Blocking], **options: Unpack[CallOptions]) -> list[ModelStatus]: ...
    @overload
    def models(self: Methods[Awaiting], **options: Unpack[CallOptions]) -> Awaitable[list[ModelStatus]]: ...

    def models(self, **options: Unpack[CallOptions]) -> Any:
        """Every package that the server found, the refused ones with the reason."""
        return self._run(plans.models(**options))

    @overload
    def health(self: Methods[Blocking], model: str = "", **options: Unpack[CallOptions]) -> str: ...
    @overload
    def health(self: Methods[Awaiting], model: str = "", **options: Unpack[CallOptions]) -> Awaitable[str]: ...

    def health(self, model: str = "", **options: Unpack[CallOptions]) -> Any:
        """"SERVING" or "NOT_SERVING", of a model or of the whole server. NotFound if there is no such model."""
        return self._run(plans.health(model, **options))

    @overload
    def wait_ready(self: Methods[Blocking], model: str = "", **options: Unpack[CallOptions]) -> None: ...
    @overload
    def wait_ready(
        self: Methods[Awaiting], model: str = "", **options: Unpack[CallOptions]
    ) -> Awaitable[None]: ...

    def wait_ready(self, model: str = "", **options: Unpack[CallOptions]) -> Any:
        """Returns when the model, or the whole server, is SERVING; raises why it is not when `timeout` has passed."""
        return self._run(plans.wait_ready(model, **options))

    @overload
    def classify_frame(
        self: Methods[Blocking],
        data: pd.DataFrame | pd.Series[Any],
        *,
        column: str = "text",
        pair_column: str | None = None,
        all_scores: bool = False,
        **options: Unpack[ClassifyOptions],
    ) -> pd.DataFrame: ...
    @overload
    def classify_frame(
        self: Methods[Awaiting],
        data: pd.DataFrame | pd.Series[Any],
        *,
        column: str = "text",
        pair_column: str | None = None,
        all_scores: bool = False,
        **options: Unpack[ClassifyOptions],
    ) -> Awaitable[pd.DataFrame]: ...

    def classify_frame(
        self,
        data: pd.DataFrame | pd.Series[Any],
        *,
        column: str = "text",
        pair_column: str | None = None,
        all_scores: bool = False,
        **options: Unpack[ClassifyOptions],
    ) -> Any:
        """`classify` for pandas: a DataFrame with the index of `data`, to be joined to it, and for each row label,
        score, truncated, tokens, windows, the four times in microseconds, model and version.

        data: a DataFrame whose `column` holds the texts (and `pair_column` the second texts), or a Series of them.
        all_scores: also a column "score:LABEL" for each label; NaN where top_k or threshold left it out.
        A missing text is a ValueError that names the row. The others: as for `classify`.
        """
        return self._run(
            frames.classify_frame(data, column=column, pair_column=pair_column, all_scores=all_scores, **options)
        )
