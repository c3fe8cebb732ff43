"""Both Python clients against a fake server of its own for each test."""

import asyncio
import inspect
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "clients" / "python"), str(HERE.parent / "cli"), str(HERE)]


@pytest.fixture
def server():
    from client_fake import FakeServer

    fake = FakeServer()
    yield fake
    fake.stop()


@pytest.fixture(params=["Client", "AsyncClient"])
def ask(request, server):
    """ask(FUNCTION, ..., OPTIONS=...) gives FUNCTION(client) of a client with the options, or a list of several; for
    both clients. What is to be awaited is awaited, and streams are lists."""
    import bertha

    def blocking(*functions, address=server.address, **options):
        with bertha.Client(address, **options) as client:
            answers = [f(client) for f in functions]
            return [list(a) if inspect.isgenerator(a) else a for a in answers]

    async def awaiting(*functions, address=server.address, **options):
        async with bertha.AsyncClient(address, **options) as client:
            return [await awaited(f(client)) for f in functions]

    async def awaited(answer):
        return [item async for item in answer] if inspect.isasyncgen(answer) else await answer

    def run(*functions, **options):
        if request.param == "Client":
            answers = blocking(*functions, **options)
        else:
            answers = asyncio.run(awaiting(*functions, **options))
        return answers[0] if len(functions) == 1 else answers

    return run
