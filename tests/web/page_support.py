"""What the page's tests do with it, by what a person sees and types."""

import time

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By

PATIENCE = 20  # seconds
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Page:
    """The browser's only page, in a `with`: as a reader's first one, and in the end its console must be clean."""

    def __init__(self, driver):
        self.driver = driver

    def __enter__(self):
        self.driver.get_log("browser")
        self.size(1280, 900)
        self.media(scheme="light")
        return self

    def __exit__(self, *_):
        """Ends the page's requests before its server ends."""
        self.driver.get("about:blank")
        faults = self.faults()
        assert not faults, faults

    def faults(self):
        """Scripts' errors and violated policies since the last time. Answers of 4xx and 5xx, noted as "network", are
        none."""
        return [entry for entry in self.driver.get_log("browser") if entry["source"] != "network"]

    def open(self, url):
        self.driver.get(url)
        return self

    def size(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, scheme, motion="no-preference"):
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def module(self, body):
        """What the body of an asynchronous function returns; it may import("./x.js")."""
        script = f"const done = arguments[0]; (async () => {{ {body} }})().then(done, (e) => done('failed: ' + e))"
        return self.driver.execute_async_script(script)

    def violations(self, axe):
        """What axe-core (its source) finds on the page as it stands."""
        self.js(axe)
        return self.module(f"const {{violations}} = await axe.run(document, {{runOnly: {RULES}}});"
                           "return violations.map((v) => [v.id, v.nodes.map((n) => n.html + n.failureSummary)])")

    def width(self):
        """What its content takes, once it is laid out."""
        self.module("await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
        return self.js("return document.documentElement.scrollWidth")

    def panel(self, title):
        """The figure of a report with this heading."""
        return next(one for one in self.all(".figure") if one.find_element(By.CSS_SELECTOR, "h2").text == title)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.wait(lambda: self.all(selector), selector)[0]

    def texts(self, selector):
        return [element.text for element in self.all(selector)]

    def wait(self, condition, what, seconds=PATIENCE):
        """The first true value of condition()."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                value = condition()
            except StaleElementReferenceException:
                value = None
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
            time.sleep(0.02)

    def judged(self, cards=1):
        """Waits until `cards` cards show a verdict on the text as it stands."""
        fresh = ".card[aria-busy=false] .verdict:not(.none)"
        return self.wait(lambda: len(self.all(fresh)) == cards, f"{cards} verdicts")

    def type(self, text):
        self.one("#text").send_keys(text)
        return self

    def write(self, text):
        """Any text at once, also what the driver's keyboard does not have."""
        self.js("const box = document.getElementById('text'); box.value = arguments[0];"
                "box.dispatchEvent(new InputEvent('input', {bubbles: true}))", text)
        return self

    def card(self, name):
        return next(card for card in self.all(".card") if card.find_element(By.CSS_SELECTOR, "h2").text == name)

    def in_card(self, name, selector):
        return self.card(name).find_element(By.CSS_SELECTOR, selector)

    def button(self, within, word):
        return next(b for b in within.find_elements(By.TAG_NAME, "button") if b.text == word)


def inside(element, selector):
    return element.find_elements(By.CSS_SELECTOR, selector)


def plain(text):
    """With ordinary spaces between figures and units."""
    return text.replace("\u202f", " ")
