"""Thumbs up and down: about the answer that was shown, and "stored" only when it is."""

import threading

from mock_server import error


def judged(page, url, text, cards=2):
    p = page(url)
    p.one(".card")
    p.write(text)
    p.judged(cards)
    return p


def note(p, name="sentiment-bert"):
    return p.in_card(name, ".vote-note").text


def test_a_vote_is_stored(page, base_url):
    p = page(base_url)
    cards = p.wait(lambda: p.all(".card"), "cards")
    p.write("good")
    p.judged(len(cards))
    name = cards[0].find_element("css selector", "h2").text
    p.button(p.card(name), "Right").click()
    p.wait(lambda: note(p, name) == "stored", "it is stored")


def test_thumbs_up_posts_what_was_judged(page, mock):
    p = judged(page, mock.url, "a great film")
    p.button(p.card("sentiment-xlnet"), "Right").click()
    p.wait(lambda: note(p, "sentiment-xlnet") == "stored", "it is stored")
    (vote,) = mock.votes()
    assert 0 < vote.pop("score") <= 1
    assert vote == {"input": {"text": "a great film"}, "model": "sentiment-xlnet", "version": "1", "label": "positive",
                    "verdict": "VERDICT_RIGHT"}
    assert not p.button(p.card("sentiment-xlnet"), "Right").is_enabled(), "the same answer is voted on twice"
    assert p.button(p.card("sentiment-bert"), "Right").is_enabled()


def test_thumbs_down_may_say_what_is_right(page, mock):
    p = judged(page, mock.url, "a great film")
    p.button(p.card("sentiment-bert"), "Wrong").click()
    assert mock.votes() == [], "voted before the reader could say what is right"
    options = [o.text for o in p.card("sentiment-bert").find_elements("css selector", "option")]
    assert options == ["not said", "negative", "neutral"]
    p.card("sentiment-bert").find_elements("css selector", "option")[1].click()
    p.button(p.card("sentiment-bert"), "Store").click()
    p.wait(lambda: note(p) == "stored", "it is stored")
    (vote,) = mock.votes()
    assert (vote["verdict"], vote["correct_label"], vote["label"]) == ("VERDICT_WRONG", "negative", "positive")


def test_no_vote_on_an_answer_that_is_out_of_date(page, mock):
    p = judged(page, mock.url, "a great film")
    slow = mock.hold("awful")
    p.write("awful")
    assert not p.button(p.card("sentiment-bert"), "Right").is_enabled()
    assert not p.button(p.card("sentiment-bert"), "Wrong").is_enabled()
    slow.set()
    p.judged(2)
    p.button(p.card("sentiment-bert"), "Right").click()
    p.wait(mock.votes, "the vote")
    assert mock.votes()[0]["input"]["text"] == "awful"


def test_stored_is_said_only_when_it_is(page, mock):
    p = judged(page, mock.url, "a great film")
    go = threading.Event()
    store, mock.answer = mock.answer, lambda method, path, *rest: (go.wait(20), store(method, path, *rest))[1]
    p.button(p.card("sentiment-bert"), "Right").click()
    p.wait(mock.votes, "the vote is on its way")
    assert note(p) == "storing…"
    go.set()
    p.wait(lambda: note(p) == "stored", "it is stored")


def test_a_vote_that_could_not_be_stored_can_be_given_again(page, mock):
    mock.feedback = error(503, "the database does not answer")
    p = judged(page, mock.url, "a great film")
    p.button(p.card("sentiment-bert"), "Right").click()
    p.wait(lambda: note(p) == "not stored: the database does not answer", "the failure")
    mock.feedback = None
    p.button(p.card("sentiment-bert"), "Right").click()
    p.wait(lambda: note(p) == "stored", "it is stored")


def test_a_server_without_feedback_ends_voting(page, mock):
    mock.feedback = error(400, "no feedback is kept", status="FAILED_PRECONDITION")
    p = judged(page, mock.url, "a great film")
    p.button(p.card("sentiment-bert"), "Right").click()
    for name in ("sentiment-bert", "sentiment-xlnet"):
        p.wait(lambda: note(p, name) == "This server keeps no feedback.", "it says so")
        assert not p.button(p.card(name), "Right").is_enabled()
