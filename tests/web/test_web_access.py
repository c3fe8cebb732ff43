"""The page for everybody: by keyboard, for screen readers, on a phone, in light and dark; and within its policies."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


def press(p, *keys):
    ActionChains(p.driver).send_keys(*keys).perform()


def focused(p):
    return p.js("const e = document.activeElement; return e.id || e.value || e.textContent.trim()")


def tab_to(p, what, most=40):
    """Tab until the focus is on what; the way must be short and its end must be seen."""
    for _ in range(most):
        if focused(p) == what:
            outline = p.js("const e = document.activeElement.closest('.choice') ?? document.activeElement;"
                           "return getComputedStyle(e).outlineStyle")
            assert outline != "none", f"nothing shows that {what} has the focus"
            return
        press(p, Keys.TAB)
    raise AssertionError(f"{most} times Tab did not reach {what}")


def test_all_of_it_works_by_keyboard(page, mock):
    p = page(mock.url)
    p.one(".card")
    press(p, Keys.TAB)
    assert focused(p) == "skip"
    press(p, Keys.ENTER)
    assert focused(p) == "main"
    tab_to(p, "text")
    press(p, "a great film ")
    p.judged(2)
    tab_to(p, "sentiment-xlnet:1")
    press(p, Keys.SPACE)
    p.wait(lambda: len(p.all(".card")) == 1, "one card")
    assert focused(p) == "sentiment-xlnet:1", "the focus was lost"
    tab_to(p, "tokens-1")
    press(p, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "characters" in p.one(".token-detail").text or "character 1" in p.one(".token-detail").text
    tab_to(p, "Wrong")
    press(p, Keys.ENTER)
    press(p, Keys.ARROW_DOWN)
    tab_to(p, "Store")
    press(p, Keys.ENTER)
    p.wait(lambda: p.one(".vote-note").text == "stored", "it is stored")
    assert mock.votes()[0]["correct_label"] == "negative"


def test_verdicts_are_announced_once_it_is_quiet(page, mock):
    p = page(mock.url)
    p.one(".card")
    p.write("a great film")
    region = p.one("#verdicts")
    assert region.get_attribute("role") == "status"
    text = p.wait(lambda: p.js("return arguments[0].textContent", region), "the announcement")
    assert text.startswith("sentiment-bert: positive ") and "sentiment-xlnet: positive" in text


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "view, scheme", [("judge", "light"), ("live", "dark"), slow("judge", "dark"), slow("live", "light")]
)
def test_axe_finds_nothing(page, mock, fast_clock, axe, view, scheme):
    p = page(mock.url + f"#{view}")
    p.media(scheme, motion="reduce")
    if view == "judge":
        p.one(".card")
        p.write("a great film " * 60)
        p.judged(2)
        p.button(p.card("sentiment-bert"), "Wrong").click()
    else:
        p.wait(lambda: len(p.all("path.line")) >= 4, "lines")
        p.all(".chart-table summary")[0].click()
    assert p.violations(axe) == []


@pytest.mark.parametrize("view", ["judge", "live"])
@pytest.mark.parametrize("width", [320, slow(390), slow(768)])
def test_nothing_scrolls_sideways(page, mock, fast_clock, view, width):
    p = page(mock.url + f"#{view}")
    p.size(width, 700)
    if view == "judge":
        p.one(".card")
        p.write("Donaudampfschifffahrtsgesellschaftskapitänspatentinhaberversammlung")
        p.judged(2)
    else:
        p.wait(lambda: len(p.all("path.line")) >= 4, "lines")
        p.one("table.models")
    assert p.js("return document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system_until_it_is_chosen(page, mock):
    p = page(mock.url)
    ground = lambda: p.js("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    p.media("dark")
    assert ground() != light
    p.one("#theme").click()
    assert ground() == light
    page(mock.url)
    assert ground() == light, "the choice is forgotten"


def test_reduced_motion_stops_transitions(page, mock):
    p = page(mock.url)
    p.media("light", motion="reduce")
    p.one(".card")
    p.write("good")
    p.judged(2)
    assert p.one(".gauge .arc").value_of_css_property("transition-duration") == "0s"


def test_the_page_asks_nobody_but_its_own_server(page, base_url):
    p = page(base_url)
    p.one(".card")
    origins = p.js("return performance.getEntriesByType('resource').map((e) => new URL(e.name).origin)")
    assert origins and set(origins) == {p.js("return location.origin")}


def test_the_policy_forbids_inline_script(page, mock):
    """The check that the console's complaints fail a test must itself be able to fail."""
    p = page(mock.url)
    p.js("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
    assert p.js("return window.ran") is None
    log = p.faults()
    assert any("Content Security Policy" in entry["message"] for entry in log), log
