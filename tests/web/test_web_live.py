"""The view "Live": charts of the server's own metrics, and the models."""

import re

from mock_server import classifier, error


def summary(p, title):
    return p.js("return [...document.querySelectorAll('svg.chart')].map((c) => c.getAttribute('aria-label') || '')"
                ".find((text) => text.startsWith(arguments[0])) || ''", title)


def test_charts_and_models_appear(page, base_url):
    p = page(base_url + "#live")
    p.wait(lambda: "now" in summary(p, "Requests,"), "a point of the requests")
    assert len(p.all("svg.chart")) == 6
    p.wait(lambda: "serving" in p.one("#live-summary").text, "the summary")
    p.one("table.models tbody tr")


def scripted(counts):
    """Pages of one model: OK requests so far, all of them between 1 and 2 ms."""
    left = iter(counts)
    last = [0]

    def page():
        last[0] = next(left, last[0])
        if isinstance(last[0], tuple):
            return last[0]
        own = 'model="sentiment-bert",version="1"'
        duration = "bertha_request_duration_seconds"
        lines = [f'bertha_requests_total{{transport="grpc",method="Classify",code="OK"}} {last[0]}']
        for le, count in (("0.001", 0), ("0.002", last[0]), ("+Inf", last[0])):
            lines.append(f'{duration}_bucket{{{own},stage="total",le="{le}"}} {count}')
        lines += [f'{duration}_count{{{own},stage="total"}} {last[0]}', f"bertha_model_up{{{own}}} 0"]
        lines += ["bertha_queue_requests 3", "bertha_in_flight_calls 5"]
        return "\n".join(lines)

    return page


def test_scripted_metrics_become_points(page, mock, fast_clock):
    mock.pages = scripted(range(0, 100_000, 20))
    p = page(mock.url + "#live")
    drawn = "return document.querySelector('path.line[data-series=ok]')?.getAttribute('d') ?? ''"
    p.wait(lambda: len(p.js(drawn).split("L")) >= 3, "three points")
    legend = lambda: dict(zip(p.texts(".chart-legend dt"), p.texts(".chart-legend dd")))
    # 20 in a second that is never quite one, and longer while this machine does something else.
    p.wait(lambda: 15 < float(legend()["OK"]) < 25, "20 a second")
    assert legend()["p50"].replace("\u202f", " ") == "1.50 ms"  # in the middle of its bucket
    assert legend()["waiting"] == "3" and legend()["in flight"] == "5"
    assert p.one("table.models .state").text == "failing now"
    p.all(".chart-table summary")[0].click()
    p.wait(lambda: len(p.all(".chart-table[open] tbody tr")) >= 3, "the table's rows")


def test_a_restart_is_marked(page, mock, fast_clock):
    mock.pages = scripted([0, 500, 520, *range(10, 100_000, 10)])
    p = page(mock.url + "#live")
    p.wait(lambda: len(p.all("path.restart")) == 6, "a mark in every chart")
    p.wait(lambda: re.search("OK: now (10|9)", summary(p, "Requests,")), "the new process counts")
    assert len(p.all("path.restart")) == 6, "more than one restart"


def test_pausing_stops_asking(page, mock, fast_clock):
    p = page(mock.url + "#live")
    asked = lambda: sum(path == "/metrics" for _, path, *_ in list(mock.requests))
    p.wait(lambda: asked() >= 2, "two scrapes")
    p.one("#live-pause").click()
    p.module("await new Promise((r) => setTimeout(r, 300))")
    before = asked()
    p.module("await new Promise((r) => setTimeout(r, 1600))")
    assert asked() == before
    p.button(p.one("#live"), "Go on").click()
    p.wait(lambda: asked() > before, "it goes on")


def test_metrics_that_fail_are_told_and_come_back(page, mock, fast_clock):
    answer = mock.answer
    draining = error(503, "draining")
    mock.answer = lambda method, path, *rest: draining if path == "/metrics" else answer(method, path, *rest)
    p = page(mock.url + "#live")
    p.wait(lambda: p.one("#live-notice").text == "draining", "the notice")
    mock.answer = answer
    p.wait(lambda: p.one("#live-notice").text == "", "it is gone")


def test_the_table_says_why_a_model_was_refused(page, mock):
    check = {"max_abs_diff": 0.031, "mean_abs_diff": 0.0042, "decisions": 64, "flips": 1, "tolerance": 0.08}
    mock.models = [classifier("good", self_check=check, refused_engines=["int8: too far"]),
                   classifier("bad", state="STATE_FAILED", reason="bertha.json: no such format"),
                   classifier("coming", state="STATE_LOADING")]
    mock.pages = lambda: "bertha_queue_requests 0\n"
    p = page(mock.url + "#live")
    rows = p.wait(lambda: p.all("table.models tbody tr"), "rows")
    assert [row.find_element("css selector", ".state").text for row in rows] == ["serving", "refused", "loading"]
    assert all(part in rows[0].text for part in ("3.1e-2", "4.2e-3", "8.0e-2", "1 of 64", "int8: too far"))
    assert "no such format" in rows[1].text


def test_without_models_the_view_says_so(page, mock):
    mock.models = []
    p = page(mock.url + "#live")
    p.wait(lambda: "No model" in p.one("#model-table").text, "it says so")
