"""The arithmetic of the view "Live", in the browser that does it: the metrics' format, quantiles, what happened between
two scrapes, axes."""

import contextlib
import json

import pytest

from mock_server import MockServer
from page_support import Page


@pytest.fixture(scope="module")
def evaluate(driver):
    """evaluate(MODULE, EXPRESSION) with the module as `m`; in one page, of which nothing here changes anything."""
    with contextlib.closing(MockServer()) as mock, Page(driver) as page:
        page.open(mock.url)
        yield lambda module, expression: page.module(f"const m = await import('./{module}'); return {expression}")


QUANTILES = [
    # buckets (bound, cumulative count), q, expected: worked out by hand, as histogram_quantile is defined
    ([(1, 10), (2, 20), ("Infinity", 20)], 0.5, 1.0),
    ([(1, 10), (2, 20), ("Infinity", 20)], 0.75, 1.5),
    ([(1, 10), (2, 20), ("Infinity", 20)], 0.25, 0.5),
    ([(0.1, 0), (0.2, 4), (0.4, 4), ("Infinity", 4)], 0.5, 0.15),
    ([(0.1, 50), (0.5, 90), (1, 99), ("Infinity", 100)], 0.95, 0.5 + 0.5 * 5 / 9),
    ([(0.1, 50), (0.5, 90), (1, 99), ("Infinity", 100)], 0.999, 1.0),  # above the last bound nothing is known
    ([(1, 0), ("Infinity", 0)], 0.5, None),
    ([], 0.5, None),
]


@pytest.mark.parametrize("buckets, q, expected", QUANTILES)
def test_quantiles_of_known_histograms(evaluate, buckets, q, expected):
    pairs = ",".join(f"[{bound},{count}]" for bound, count in buckets)
    got = evaluate("metrics.js", f"m.quantile(new Map([{pairs}]), {q})")
    assert got == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("buckets, q, expected", [
    ([(1, 20), (2, 20), ("Infinity", 20)], 0.95, 1),  # all of size 1: nothing of size 0.95
    ([(1, 0), (2, 20), ("Infinity", 20)], 0.5, 2),
    ([(1, 10), (2, 10), (4, 30), ("Infinity", 30)], 0.5, 4),
    ([(1, 10), (2, 20), ("Infinity", 40)], 0.95, 2),  # above the last bound nothing is known
    ([(1, 0), ("Infinity", 0)], 0.5, None),
])
def test_quantiles_of_whole_numbers_are_whole_numbers_that_occur(evaluate, buckets, q, expected):
    pairs = ",".join(f"[{bound},{count}]" for bound, count in buckets)
    assert evaluate("metrics.js", f"m.wholeQuantile(new Map([{pairs}]), {q})") == expected


def test_the_text_format_is_read(evaluate):
    text = "\n".join([
        "# HELP a Some help with {braces}", "# TYPE a counter", "a 1", 'b{x="1",y="a\\"b\\\\c\\nd}"} 2.5e-3 1700000000',
        'c_bucket{le="+Inf"} 7 # {trace_id="x"} 0.5', "d NaN", "e +Inf", "f{} 3", "", "nonsense{", "1bad 2",
        'g{x="1",} 4',
    ])
    parsed = f"m.parseMetrics({json.dumps(text)})"
    got = evaluate("metrics.js", f"{parsed}.map(({{name, labels, value}}) => [name, labels, String(value)])")
    assert got == [["a", {}, "1"], ["b", {"x": "1", "y": 'a"b\\c\nd}'}, "0.0025"], ["c_bucket", {"le": "+Inf"}, "7"],
                   ["d", {}, "NaN"], ["e", {}, "Infinity"], ["f", {}, "3"], ["g", {"x": "1"}, "4"]]


def page_of(ok, model="a", waiting=2):
    own = f'model="{model}",version="1"'
    duration = "bertha_request_duration_seconds"
    return [
        ["bertha_requests_total", {"transport": "grpc", "method": "Classify", "code": "OK"}, ok],
        ["bertha_requests_total", {"transport": "http", "method": "ListModels", "code": "OK"}, 9 * ok],
        ["bertha_batch_size_sum", {"model": model, "version": "1"}, 4 * ok],
        ["bertha_batch_size_count", {"model": model, "version": "1"}, 2 * ok if model == "a" else ok],
        [f"{duration}_bucket", {"model": model, "version": "1", "stage": "total", "le": "0.001"}, ok],
        [f"{duration}_bucket", {"model": model, "version": "1", "stage": "total", "le": "+Inf"}, ok],
        ["bertha_queue_requests", {}, waiting],
    ]


def points(evaluate, scrapes, model=""):
    script = f"""(() => {{
        const h = new m.History();
        for (const [t, samples] of {json.dumps(scrapes)})
          h.add(t, samples.map(([name, labels, value]) => ({{name, labels, value}})));
        return m.points(h.intervals({json.dumps(model)}));
    }})()"""
    return evaluate("history.js", script)


def test_rates_are_growth_over_the_time_that_passed(evaluate):
    first, second = points(evaluate, [(0, page_of(10)), (1, page_of(30)), (3, page_of(40))])
    assert (first["values"]["ok"], second["values"]["ok"]) == (20, 5)
    assert first["values"]["p50"] == pytest.approx(0.0005) and first["values"]["waiting"] == 2


def test_a_restart_counts_from_nought(evaluate):
    (made,) = points(evaluate, [(0, page_of(100)), (1, page_of(8))])
    assert made["restart"] is True and made["values"]["ok"] == 8


def test_scrapes_that_failed_leave_a_gap(evaluate):
    made = points(evaluate, [(0, page_of(1)), (1, page_of(2)), (9, page_of(90)), (10, page_of(91))])
    assert [p["values"] and p["values"]["ok"] for p in made] == [1, None, 1]


def test_without_requests_quantiles_are_unknown_not_nought(evaluate):
    (made,) = points(evaluate, [(0, page_of(5)), (1, page_of(5))])
    assert made["values"]["p50"] is None and made["values"]["ok"] == 0


def test_one_model_can_be_looked_at_alone(evaluate):
    scrapes = [(0, page_of(1) + page_of(1, "b")), (1, page_of(5) + page_of(5, "b"))]
    assert points(evaluate, scrapes)[0]["values"]["size"] == pytest.approx(32 / 12)
    assert points(evaluate, scrapes, "b:1")[0]["values"]["size"] == 4


def test_batches_of_one_have_no_quantile_below_one(evaluate):
    def sizes(ones):
        own = {"model": "a", "version": "1"}
        return [["bertha_batch_size_bucket", {**own, "le": le}, ones] for le in ("1", "2", "+Inf")]

    (made,) = points(evaluate, [(0, sizes(0)), (1, sizes(20))])
    assert made["values"]["sizeP95"] == 1


def test_a_code_that_occurs_for_the_first_time_is_counted(evaluate):
    late = ["bertha_requests_total", {"transport": "grpc", "method": "Classify", "code": "RESOURCE_EXHAUSTED"}, 3]
    (made,) = points(evaluate, [(0, page_of(1)), (1, [*page_of(2), late])])
    assert (made["values"]["ok"], made["values"]["refused"]) == (1, 3)


def test_gauges_that_fall_are_no_restart(evaluate):
    up = lambda value: ["bertha_model_up", {"model": "a", "version": "1"}, value]
    (made,) = points(evaluate, [(0, [*page_of(1), up(1)]), (1, [*page_of(2), up(0)])])
    assert made["restart"] is False


CODES = {"OK": "ok", "200": "ok", "RESOURCE_EXHAUSTED": "refused", "429": "refused", "Unavailable": "refused",
         "INVALID_ARGUMENT": "caller", "404": "caller", "INTERNAL": "failed", "500": "failed"}


def test_codes_fall_into_classes(evaluate):
    assert evaluate("history.js", f"{json.dumps(list(CODES))}.map(m.codeClass)") == list(CODES.values())


@pytest.mark.parametrize(
    "top, expected", [(0, [0, 1]), (1, [0, 0.5, 1]), (7, [0, 2, 4, 6, 8]), (120, [0, 50, 100, 150])]
)
def test_axes_have_round_marks(evaluate, top, expected):
    assert evaluate("ticks.js", f"m.ticks({top})") == expected


@pytest.mark.parametrize("expression, expected", [
    ("m.percent(0.97345)", "97.3 %"), ("m.percent(0.99999)", ">99.9 %"), ("m.percent(1)", "100.0 %"),
    ("m.percent(0.0000001)", "<0.1 %"), ("m.duration(840)", "840 µs"), ("m.duration(1840)", "1.84 ms"),
    ("m.duration(2.1e6)", "2.10 s"), ("m.significant(12345)", "12 345"), ("m.bytes(212 * 2 ** 20)", "212 MiB"),
])
def test_numbers_are_readable(evaluate, expression, expected):
    assert evaluate("format.js", expression).replace("\u202f", " ") == expected
