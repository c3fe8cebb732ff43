"""The view "Judge": verdicts while one types, and never one about another text."""

import time

from mock_server import classifier, error

NEVER_ABORTS = "AbortController.prototype.abort = function () {};"
# Keeps of each question its signal, and whether it is over: answered and read to the end, or given up.
KEEP_QUESTIONS = """
    const ask = fetch;
    window.questions = [];
    window.fetch = async (url, options) => {
      const question = {signal: options.signal, over: false};
      if (options.body) questions.push(question);
      try {
        const answer = await ask(url, options);
        return new Response(await answer.text(), {status: answer.status, headers: answer.headers});
      } finally {
        question.over = true;
      }
    };"""
KEEP_TOKENS = """
    window.shown = [];
    const keep = () => shown.push(document.querySelector(".tokens")?.textContent);
    new MutationObserver(keep).observe(document.body, {subtree: true, childList: true, characterData: true});"""


def compared(mock):
    return [body["input"]["text"] for body in mock.bodies("/v1/compare")]


def test_typing_shows_verdicts(page, base_url):
    p = page(base_url)
    cards = p.wait(lambda: p.all(".card"), "cards")
    p.type("A generous film, loved it.")
    p.judged(len(cards))
    for card in cards:
        assert any(label in card.text for label in ("negative", "neutral", "positive")), card.text
        assert "%" in p.js("return arguments[0].querySelector('.gauge-number').textContent", card)
        assert "Tokens" in card.text and "of at most" in card.text
        assert all(stage in card.text for stage in ("tokenize", "queue", "compute", "in all"))


def test_every_word_is_judged_and_asks_for_tokens(page, mock):
    p = page(mock.url)
    p.one(".card")
    for i, word in enumerate(("good ", "bad ", "great "), 1):
        p.type(word)
        p.wait(lambda: len(mock.bodies("/v1/compare")) == i, f"question {i}")
    assert compared(mock) == ["good ", "good bad ", "good bad great "]
    request = mock.bodies("/v1/compare")[0]
    assert request["tokens"] is True
    assert request["models"] == [{"name": n, "version": "1"} for n in ("sentiment-bert", "sentiment-xlnet")]


def test_letters_in_quick_succession_are_one_question(page, mock):
    p = page(mock.url)
    p.one(".card")
    p.js("for (let i = 1; i <= 6; i++) { const box = document.getElementById('text'); box.value = 'g'.repeat(i);"
         "box.dispatchEvent(new InputEvent('input', {data: 'g'})); }")
    p.judged(2)
    assert compared(mock) == ["gggggg"]


def ask_slowly(p, mock):
    """The event that lets the question be answered."""
    slow = mock.hold("good")
    p.one(".card")
    p.write("good")
    p.wait(lambda: compared(mock) == ["good"], "the slow question")
    return slow


def late_answer(p, mock):
    slow = ask_slowly(p, mock)
    p.write("awful letdown")
    p.judged(2)
    p.js(KEEP_TOKENS)
    slow.set()
    p.wait(lambda: p.js("return questions[0].over"), "the late answer")
    p.write("great")
    p.judged(2)
    shown = p.js("return shown")
    assert "[CLS]good[SEP]" not in shown and shown[-1] == "[CLS]great[SEP]"


def test_a_late_answer_to_an_older_text_is_never_shown(page, inject, mock):
    inject(KEEP_QUESTIONS)
    late_answer(page(mock.url), mock)


def test_nor_is_it_where_requests_cannot_be_aborted(page, inject, mock):
    """Then the numbers of the questions alone keep it out."""
    inject(NEVER_ABORTS + KEEP_QUESTIONS)
    late_answer(page(mock.url), mock)


def test_a_question_is_given_up_when_its_text_changes(page, inject, mock):
    inject(KEEP_QUESTIONS)
    p = page(mock.url)
    ask_slowly(p, mock)
    p.write("good g")
    asked = "return questions.map((one) => one.signal.aborted)"
    assert p.js(asked) == [True]
    p.judged(2)
    assert p.js(asked) == [True, False]


def test_an_emptied_text_clears_the_cards(page, mock):
    p = page(mock.url)
    p.one(".card")
    p.write("good")
    p.judged(2)
    p.write("  ")
    assert p.texts(".verdict") == ["waiting for a text"] * 2
    assert compared(mock) == ["good"]


def test_examples_are_judged_and_a_long_one_shows_what_was_cut(page, mock):
    p = page(mock.url)
    p.one(".card")
    next(b for b in p.all(".example") if b.text == "Too long").click()
    p.judged(2)
    assert "cut off" in p.card("sentiment-bert").text
    cut = p.one(".token.cut")
    assert "line-through" in cut.value_of_css_property("text-decoration")
    assert "not judged" in cut.get_attribute("title") and "id " in cut.get_attribute("title")


def test_chosen_models_are_kept_in_address_and_browser(page, mock):
    p = page(mock.url)
    p.one(".choice input[value='sentiment-xlnet:1']").click()
    p.wait(lambda: len(p.all(".card")) == 1, "one card left")
    assert p.js("return location.hash") == "#judge?models=sentiment-bert:1"
    page(mock.url)
    p.one(".card")
    assert p.texts(".card h2") == ["sentiment-bert"]
    page("about:blank")
    page(mock.url + "#judge?models=sentiment-xlnet:1")
    p.one(".card")
    assert p.texts(".card h2") == ["sentiment-xlnet"]


def test_two_labels_share_one_gauge(page, mock):
    mock.models = [classifier("polarity", ["negative", "positive"])]
    p = page(mock.url)
    p.one(".card")
    p.write("great")
    p.judged(1)
    parts = p.js("return [...document.querySelectorAll('.gauge .arc')].map((a) => parseFloat(a.style.strokeDasharray))")
    assert len(parts) == 2 and 97 < sum(parts) < 100
    assert len(p.all(".labels.ends li")) == 2


def test_any_set_of_models_fits(page, mock):
    mock.models = []
    p = page(mock.url)
    p.wait(lambda: "no models" in p.one("#judge-notice").text, "it says so")
    long = "a label of sixty letters that goes on and on, and then on, up"
    mock.models = [classifier(f"model-{i}", [f"{long} {k}" for k in range(i + 1)]) for i in range(12)]
    mock.models += [classifier("dishes", ["O"], task="token-classification"),
                    classifier("broken", state="STATE_FAILED", reason="no weights")]
    page("about:blank")
    page(mock.url + "#judge?models=" + ",".join(f"model-{i}:1" for i in range(12)))
    p.wait(lambda: len(p.all(".card")) == 12, "12 cards")
    p.write("مرحبا بالعالم 😍 <img src=x onerror=alert(1)> " + "word " * 3000)
    p.judged(12)
    assert not p.all(".card img"), "a text became markup"
    assert "dishes" in p.one(".chooser").text and not p.all("input[value='dishes:1']")
    assert not p.one("input[value='broken:1']").is_enabled()
    assert "more labels" in p.card("model-11").text
    p.size(320, 700)
    assert p.js("return document.documentElement.scrollWidth") <= 320


def test_a_model_that_fails_leaves_the_others(page, mock):
    mock.outcomes["sentiment-bert"] = lambda text: {"error": {"code": 13, "message": "the engine failed"}}
    p = page(mock.url)
    p.one(".card")
    p.write("good")
    p.judged(1)
    p.wait(lambda: "the engine failed" in p.card("sentiment-bert").text, "the error")


def test_a_full_queue_is_waited_for_as_long_as_the_server_says(page, mock):
    mock.failures = [error(429, "the queue is full", retry="0.020s")] * 5
    p = page(mock.url)
    p.one(".card")
    began = time.monotonic()
    p.write("good")
    p.judged(2)
    assert compared(mock) == ["good"] * 6
    assert time.monotonic() - began < 8, "the page waited as it would without RetryInfo, 15.5 s in all"
    assert p.one("#judge-notice").text == ""


def test_draining_is_told_calmly(page, mock):
    mock.failures = [error(503, "the server is draining.", retry="5s")]
    p = page(mock.url)
    p.one(".card")
    p.write("good")
    p.wait(lambda: "draining. Trying again in" in p.one("#judge-notice").text, "the notice")
    p.write("great")
    p.judged(2)
    assert p.one("#judge-notice").text == ""


def test_a_refused_text_says_why(page, mock):
    mock.failures = [error(400, "inputs[0].text is too long")]
    p = page(mock.url)
    p.one(".card")
    p.write("good")
    p.wait(lambda: "too long" in p.one("#judge-notice").text, "the reason")
    p.button(p.one("#judge-notice"), "Try again").click()
    p.judged(2)


def test_a_server_that_went_away_is_found_again(page, driver, mock):
    p = page(mock.url)
    p.one(".card")
    driver.execute_cdp_cmd("Network.enable", {})
    lost = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", lost)
    try:
        p.write("good")
        p.wait(lambda: "cannot be reached" in p.one("#judge-notice").text, "the notice")
    finally:
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**lost, "offline": False})
    p.judged(2)


def test_an_access_token_is_asked_for_and_sent(page, mock):
    mock.token = "s3cret"
    p = page(mock.url)
    field = p.wait(lambda: next((e for e in p.all("#access-token") if e.is_displayed()), None), "the field")
    field.send_keys("wrong\n")
    p.wait(lambda: "did not take" in p.one("#access").text, "it says so")
    field.send_keys("s3cret\n")
    p.one(".card")
    p.write("good")
    p.judged(2)
    assert not p.one("#access").is_displayed()
    assert mock.requests[-1][3]["Authorization"] == "Bearer s3cret"
    assert p.js("return Object.values(localStorage).join()").find("s3cret") < 0
