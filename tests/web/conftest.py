"""A headless Chromium, a server that a test scripts, and a page that must not complain."""

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

    server = MockServer()
    yield server
    server.close()


@pytest.fixture
def base_url(request):
    """Where the page is: BERTHA_WEB_URL names a running server, else a scripted one is started."""
    return os.environ.get("BERTHA_WEB_URL") or request.getfixturevalue("mock").url


@pytest.fixture
def page(driver):
    """page(URL) opens it and returns a Page. In the end the console must be clean but for what failed on purpose."""
    from page_support import Page

    made = Page(driver)
    made.reset()
    yield made.open
    made.leave()
    # Answers of 4xx and 5xx are noted as "network"; everything else (scripts' errors, violated policies) is a fault.
    faults = [entry for entry in driver.get_log("browser") if entry["source"] != "network"]
    assert not faults, faults


@pytest.fixture(scope="session")
def axe():
    """axe-core's source, as a PyPI package ships it; only the file is used, not the package."""
    found = importlib.util.find_spec("axe_playwright_python")
    return (pathlib.Path(found.submodule_search_locations[0]) / "axe.min.js").read_text()
