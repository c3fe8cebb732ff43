"""The HTML report of `bertha load`, as a browser shows the file: one run, many loads, several reports, and broken ones."""

import json
import subprocess

import load_reports
import pytest
from load_reports import ALL
from page_support import inside, plain
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


@pytest.fixture(scope="session")
def made(program, tmp_path_factory):
    """made(NAME...) is the address of a page about these reports of load_reports.py, by the program."""
    folder = tmp_path_factory.mktemp("reports")
    known = {}

    def make(*names):
        if names not in known:
            files = []
            for number, name in enumerate(names):
                files.append(folder / f"{name}{number or ''}.json")
                report = getattr(load_reports, name)() if not number else getattr(load_reports, name)(seed=7, speed=1.4)
                files[-1].write_text(json.dumps(report))
            page = folder / f"{'-'.join(names)}.html"
            subprocess.run([program("bertha"), "load-report", *files, "-o", page], check=True, capture_output=True, timeout=60)
            known[names] = page.as_uri()
        return known[names]

    return make


@pytest.fixture
def shown(page, made):
    return lambda *names: page(made(*names))


def first_run(p):
    """What the page was made of."""
    return json.loads(p.js("return document.getElementById('data').textContent"))["reports"][0]["runs"][0]


def titles(p):
    return p.texts(".figure h2")


@pytest.mark.parametrize("name", [make.__name__ for make in ALL])
def test_every_report_is_shown_whole(shown, name):
    p = shown(name)
    p.one(".pairs dd")  # the last panel: nothing broke before
    assert {"Latency by percentile", "Latency histogram", "Timeline", "Where the time goes", "Batch sizes", "How calls ended",
            "How it was measured"} <= set(titles(p))
    for text in p.texts("svg text"):
        assert "NaN" not in text and "undefined" not in text and "Infinity" not in text
    assert "NaN" not in p.one("main").text and "undefined" not in p.one("main").text
    assert p.js("return [...document.querySelectorAll('svg path, svg rect, svg circle')].filter((one) => "
                "[...one.attributes].some(({value}) => /NaN|undefined|Infinity/.test(value))).length") == 0
    assert p.js("return performance.getEntriesByType('resource').filter(({name}) => !name.startsWith('data:')).length") == 0


def test_the_answer_is_in_large_letters(shown):
    p = shown("sweep")
    tiles = {tile.split("\n")[0]: tile.split("\n")[1:] for tile in p.texts(".tile")}
    assert plain(tiles["capacity"][0]) == "2 000/s"
    assert plain(tiles["capacity"][1]) == "p99 ≤ 50 ms"
    assert p.one("h1").text == "sentiment-bert v1"
    assert "Valid" in p.one(".valid").text


def test_a_search_that_found_nothing_claims_nothing(shown):
    p = shown("no_capacity")
    assert p.all(".tile")[0].text.split("\n")[1:] == ["–", "no rate that was tried keeps the objective"]
    assert [plain(mark.text) for mark in inside(p.panel("Latency over load"), ".mark-name")] == ["objective: p99 ≤ 50 ms"]


def test_an_invalid_run_says_so_before_anything_else(shown):
    p = shown("invalid")
    banner = p.one("main > .invalid")
    assert banner.find_element("css selector", "h2").text == "INVALID"
    assert "it measured itself" in banner.text and "6.0 % off" in banner.text
    assert p.js("return document.querySelector('.invalid').compareDocumentPosition(document.querySelector('.tiles')) & 4")
    assert not p.all(".valid")


def test_many_reasons_do_not_push_the_figures_away(shown):
    banner = shown("partly_invalid").one("main > .invalid")
    assert len([one for one in inside(banner, "li") if one.is_displayed()]) == 6
    assert inside(banner, "summary")[0].text == "and 3 more reasons"


def test_a_closed_loop_is_called_one(shown):
    p = shown("closed_loop")
    assert "Closed loop: a slow server is sent fewer calls" in p.one(".lead").text
    assert "closed loop, 8 in flight" in p.one(".tiles").text


def test_the_curve_has_a_point_for_each_load_and_marks_capacity_and_objective(shown):
    p = shown("partly_invalid")
    curve = p.panel("Latency over load")
    marks = [plain(mark.text) for mark in inside(curve, ".mark-name")]
    assert marks == ["capacity 2 000/s", "objective: p99 ≤ 50 ms"]
    assert len(inside(curve, "circle.dot")) + len(inside(curve, "path.off")) == 3 * 13
    assert inside(curve, "path.off"), "a quantile that does not exist is drawn as one that does"
    assert len(inside(curve, "circle.hollow")) == 3, "the INVALID run looks like the others"
    rows = [row.get_attribute("textContent") for row in inside(curve, "tbody tr")]
    assert len(rows) == 13 and sum("INVALID" in row for row in rows) == 1


def test_the_pointer_and_the_arrow_keys_read_values(shown):
    p = shown("one_run")
    plot = inside(p.panel("Latency by percentile"), ".plot")[0]
    ActionChains(p.driver).move_to_element(plot).perform()
    tip = p.wait(lambda: plot.find_element("css selector", ".plot-tip").text, "the values")
    assert "%" in tip and "ms" in tip
    p.js("arguments[0].focus()", plot)
    ActionChains(p.driver).send_keys(Keys.END).perform()
    assert plot.get_attribute("role") == "slider"
    assert plot.get_attribute("aria-valuenow") == plot.get_attribute("aria-valuemax")
    said = plot.get_attribute("aria-valuetext")
    worst = first_run(p)["latency_ms"]["all"]["max"]
    shown_ms = float(said.split("latency ")[1].split("\u202f")[0])
    assert abs(shown_ms - worst) < 0.02 * worst, said
    ActionChains(p.driver).send_keys(Keys.HOME, Keys.ARROW_RIGHT).perform()
    assert plot.get_attribute("aria-valuenow") == "1"


def test_the_percentiles_are_those_of_the_report(shown):
    p = shown("one_run")
    table = {row.get_attribute("textContent").split("%")[0].strip("\u202f"): row.get_attribute("textContent").split("%")[1]
             for row in inside(p.panel("Latency by percentile"), "tbody tr")}
    quantiles = first_run(p)["latency_ms"]["all"]
    for share, name in (("50", "p50"), ("90", "p90"), ("99", "p99"), ("99.9", "p999")):
        value, unit = table[share].split("\u202f")
        assert unit == "ms" and abs(float(value) - quantiles[name]) <= 0.02 * quantiles[name]


def test_failed_calls_are_slower_than_all_others(shown):
    p = shown("sweep")
    p.js("const s = document.querySelector('select'); s.value = 9; s.dispatchEvent(new Event('change'))")  # 1.5 of the capacity
    spread = p.panel("Latency by percentile")
    assert "not answered" in " ".join(one.text for one in inside(spread, ".mark-name"))
    rows = [row.get_attribute("textContent") for row in inside(spread, "tbody tr")]
    unanswered = [row.split("\u202f")[0] for row in rows if row.endswith("–")]
    assert unanswered == ["90", "95", "99", "99.9", "99.99"], "a quantile of those that were answered only"
    assert "too many were not answered" in p.one(".tiles").text
    assert "RESOURCE_EXHAUSTED" in p.panel("How calls ended").text


def test_stages_add_up_to_the_latency(shown):
    p = shown("one_run")
    run = first_run(p)
    (bar,) = inside(p.panel("Where the time goes"), ".stages b")
    assert abs(float(bar.text.split("\u202f")[0]) - run["latency_ms"]["answered"]["mean"]) < 0.02
    p = shown("means_only")
    assert len(inside(p.panel("Where the time goes"), ".stages b")) == 1
    assert "did not say" in p.panel("Batch sizes").text


def test_two_reports_share_their_plots(shown):
    p = shown("sweep", "sweep")
    assert p.texts(".compared b") == ["sweep", "sweep1"]
    rows = {row.split("\n")[0]: row for row in (r.get_attribute("innerText").replace("\t", "\n") for r in p.all(".figure.wide tbody tr"))}
    assert "▲" in rows["answered"] and "×1.00" in rows["capacity"]
    histogram = p.panel("Latency histogram")
    assert [one.text for one in inside(histogram, ".legend li")] == ["sweep", "sweep1"]
    assert len(inside(histogram, "path.line")) == 2
    assert len(p.all("select")) == 2


def test_names_are_never_markup(shown):
    p = shown("hostile")
    p.one(".pairs dd")
    assert p.driver.title == "Load report · bertha"
    assert not p.all("main script, main img")
    assert "</script>" in p.one("h1").text


def test_no_other_script_runs(shown):
    p = shown("single_call")
    p.js("const s = document.createElement('script'); s.textContent = \"document.title = 'taken'\"; document.body.append(s)")
    assert p.driver.title == "Load report · bertha"
    faults = p.driver.get_log("browser")
    assert any("Content Security Policy" in fault["message"] for fault in faults), faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("names", [("sweep",), ("sweep", "sweep"), ("invalid",), ("all_failed",)])
def test_axe_finds_nothing(shown, axe, names, scheme):
    p = shown(*names)
    p.media(scheme)
    for summary in p.all("summary"):
        summary.click()
    assert p.violations(axe) == []


@pytest.mark.parametrize("names", [("sweep",), ("sweep", "sweep"), ("hostile",)])
@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_scrolls_sideways(shown, names, width):
    p = shown(*names)
    p.size(width, 800)
    p.one(".plot-picture path")
    assert p.width() <= width
