"""pandas in and out. pandas itself is imported when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bertha import plans
from bertha.plan import Plan
from bertha.results import Result

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    "label": "object",
    "score": "float64",
    "truncated": "bool",
    "tokens": "int64",
    "windows": "int64",
    "tokenize_us": "int64",
    "queue_us": "int64",
    "compute_us": "int64",
    "total_us": "int64",
    "model": "object",
    "version": "int64",
}


def classify_frame(
    data: pd.DataFrame | pd.Series[Any], *, column: str, pair_column: str | None, all_scores: bool, **options: Any
) -> Plan[pd.DataFrame]:
    pandas = _import_pandas()
    if not isinstance(data, (pandas.DataFrame, pandas.Series)):
        raise TypeError(f"data must be a DataFrame or a Series, not {type(data).__name__}")
    texts = _texts(data, column)
    pairs = None if pair_column is None else _texts(data, pair_column)

    def finish(results: list[Result]) -> Any:
        return _frame(results, data.index, all_scores)

    return plans.classify(texts, pairs=pairs, finish=finish, **options)


def _import_pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        advice = "pip install './clients/python[pandas]', or pip install pandas"
        raise ImportError(f"classify_frame needs pandas: {advice}") from error
    return pandas


def _texts(data: Any, column: str) -> list[str]:
    series, where = data, "the Series"
    if data.ndim == 2:
        if column not in data.columns:
            raise KeyError(f"no column {column!r}; there are {', '.join(map(repr, data.columns))}")
        series, where = data[column], f"column {column!r}"
    if series.ndim != 1:
        raise ValueError(f"{where} is there {series.shape[1]} times")
    texts: list[str] = series.tolist()
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            row = f"row {data.index[position]!r} (number {position}, from 0) of {where}"
            raise ValueError(f"{row} is {text!r:.60}, not a str: drop such rows, or fill them")
    return texts


def _row(r: Result) -> tuple[Any, ...]:
    t = r.timing
    times = (t.tokenize_us, t.queue_us, t.compute_us, t.total_us)
    return (r.label, r.score, r.truncated, r.tokens, r.windows, *times, r.model, r.version)


def _frame(results: list[Result], index: Any, all_scores: bool) -> Any:
    pandas = _import_pandas()
    frame = pandas.DataFrame([_row(r) for r in results], columns=list(_DTYPES), index=index).astype(_DTYPES)
    if all_scores:
        scores = [{f"score:{s.label}": s.score for s in r.scores} for r in results]
        names = sorted({name for row in scores for name in row})
        frame[names] = pandas.DataFrame(scores, columns=names, index=index, dtype="float64")
    return frame
