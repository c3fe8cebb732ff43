"""The Python clients and a real berthad, where the fake server of tests/python_client could be wrong about it; and the
examples of docs/python.md."""

import asyncio
import re
import subprocess
import sys

import pandas as pd
import pytest

from e2e_support import PATIENCE, ROOT, TOLERANCE, dead_address, environment, largest_difference
from e2e_texts import LINES as TEXTS


def test_lists_streams_and_frames_give_the_same_answers(shared, reference):
    from bertha import AsyncClient, Client

    options = {"raw_logits": True, "timeout": PATIENCE}
    with Client(shared.address) as client:
        listed = client.classify(TEXTS * 6, **options)
        streamed = list(client.classify_stream(TEXTS, **options))
        frame = client.classify_frame(pd.Series(TEXTS), timeout=PATIENCE)

    async def go():
        async with AsyncClient(shared.address) as client:
            listed = await client.classify(TEXTS * 6, **options)
            return listed, [r async for r in client.classify_stream(TEXTS, ordered=False, **options)]

    awaited, completed = asyncio.run(go())
    expected = [reference.logits(t) for t in TEXTS]
    for results in (listed, awaited, streamed, [r for _, r in sorted(completed, key=lambda item: item[0])]):
        assert len(results) % len(TEXTS) == 0
        for result, logits in zip(results, expected * 6):
            assert largest_difference(result.logits, logits) <= TOLERANCE
    assert list(frame["label"]) == [r.label for r in streamed]


def test_health_models_and_waiting(shared, package):
    from bertha import Client, NotFound

    with Client(shared.address) as client:
        client.wait_ready(timeout=PATIENCE)
        client.wait_ready(package.parent.name, timeout=PATIENCE)
        assert client.health(package.parent.name) == "SERVING"
        assert package.parent.name in [m.name for m in client.models()]
        with pytest.raises(NotFound):
            client.health("nobody")


def test_errors_name_the_text_in_the_whole_list(shared):
    from bertha import Client, InvalidRequest

    texts = ["short"] * 300 + ["long " * 2000]
    with Client(shared.address) as client, pytest.raises(InvalidRequest) as caught:
        client.classify(texts, truncation="error", timeout=PATIENCE)
    assert caught.value.index == 300 and "inputs[300]" in str(caught.value)


def test_waiting_for_a_server_that_never_comes_ends(shared):
    from bertha import Client, Unavailable

    with dead_address() as address, Client(address) as client, pytest.raises(Unavailable, match="cannot reach berthad"):
        client.wait_ready(timeout=1)


def test_the_examples_of_the_documentation_run(shared, tmp_path):
    page = (ROOT / "docs" / "python.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) >= 6
    for example in examples:
        code = example.replace("localhost:8001", shared.address).replace("Client()", f"Client({shared.address!r})")
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment(), cwd=tmp_path)
        assert done.returncode == 0, f"{example}\n{done.stderr}"


def test_tokens_comparisons_and_request_ids(shared, reference, package):
    from bertha import Client

    name = package.parent.name
    with Client(shared.address) as client:
        tokenized = client.tokenize("I love it", model=name)
        assert list(tokenized.ids) == reference.encode("I love it").ids and tokenized.model == name
        compared = client.compare("I love it", models=[name, "nobody"], tokens=True, raw_logits=True)
        assert largest_difference(compared[0].result.logits, reference.logits("I love it")) <= TOLERANCE
        assert [t.id for t in compared[0].tokens.tokens] == list(tokenized.ids)
        assert compared[1].result is None and compared[1].error.code().name == "NOT_FOUND"
        assert client.classify("I love it", request_id="order-7").request_id == "order-7"
        assert client.classify("I love it").request_id not in ("", "order-7")
