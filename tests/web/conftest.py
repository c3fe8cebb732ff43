"""A headless Chromium, a server that a test scripts, and a page that must not complain."""

import contextlib
import importlib.util
import os
import pathlib

import pytest

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en", "--hide-scrollbars"]


@pytest.fixture(scope="session")
def driver():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield made
    made.quit()


@pytest.fixture
def mock():
    from mock_server import MockServer

    with contextlib.closing(MockServer()) as server:
        yield server


@pytest.fixture
def base_url(request):
    """Where the page is: BERTHA_WEB_URL names a running server, else a scripted one is started."""
    return os.environ.get("BERTHA_WEB_URL") or request.getfixturevalue("mock").url


@pytest.fixture
def page(driver):
    """page(URL) opens it and returns a Page. In the end the console must be clean but for what failed on purpose."""
    from page_support import Page

    with Page(driver) as made:
        yield made.open


@pytest.fixture
def inject(driver):
    """inject(SCRIPT) has every page of this test run it before its own scripts."""
    scripts = []

    def run_first(source):
        added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"{{ {source} }}"})
        scripts.append(added)

    yield run_first
    for script in scripts:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.fixture
def fast_clock(inject):
    """A second of the page, for its timers and its stopwatch alike, takes a quarter of one."""
    inject("""
        const timer = setTimeout, stopwatch = performance.now.bind(performance);
        window.setTimeout = (call, ms, ...rest) => timer(call, ms / 4, ...rest);
        performance.now = () => 4 * stopwatch();""")


@pytest.fixture(scope="session")
def axe():
    """axe-core's source, as a PyPI package ships it; only the file is used, not the package."""
    found = importlib.util.find_spec("axe_playwright_python")
    return (pathlib.Path(found.submodule_search_locations[0]) / "axe.min.js").read_text()
