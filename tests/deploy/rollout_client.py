"""Python clients under an open load, as a program that runs in a network namespace:

    python rollout_client.py retrying|plain TARGET RATE

until its input ends. Then it writes a JSON object: what became of the calls. retrying: bertha's client, and how many times it
tried again. plain: gRPC's, which knows of round_robin and of nothing else."""

import asyncio
import collections
import json
import sys
import time

import grpc
import grpc.aio

from bertha import AsyncClient, Retry
from bertha.v1 import bertha_pb2, bertha_pb2_grpc


class Retrying:
    def __init__(self, target):
        self._client = AsyncClient(target, load_balancing="round_robin", metadata=self._count)
        self._attempts = 0

    def _count(self, method):
        """Called once for each attempt."""
        self._attempts += 1
        return ()

    async def call(self):
        await self._client.classify("I love it")

    async def end(self, calls, seconds):
        await self._client.close()
        policy = Retry()
        budget = policy.budget_burst + policy.budget_ratio * calls + policy.budget_per_second * seconds
        return {"retries": self._attempts - calls, "budget": budget}


class Plain:
    def __init__(self, target):
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.lb_policy_name", "round_robin")])
        self._stub = bertha_pb2_grpc.BerthaStub(self._channel)

    async def call(self):
        await self._stub.Classify(bertha_pb2.ClassifyRequest(inputs=[bertha_pb2.TextInput(text="I love it")]), timeout=10)

    async def end(self, calls, seconds):
        await self._channel.close()
        return {}


class Load:
    def __init__(self, client, rate):
        self._client, self._rate = client, rate
        self._codes, self._longest = collections.Counter(), 0.0

    async def _call(self):
        began, code = time.monotonic(), "OK"
        try:
            await self._client.call()
        except grpc.RpcError as error:
            code = error.code().name
        self._codes[code] += 1
        self._longest = max(self._longest, time.monotonic() - began)

    async def run(self):
        loop = asyncio.get_running_loop()
        ended = loop.run_in_executor(None, sys.stdin.read)
        began, calls = loop.time(), []
        while not ended.done():
            calls.append(asyncio.create_task(self._call()))
            await asyncio.sleep(max(0.0, began + len(calls) / self._rate - loop.time()))
        await asyncio.gather(*calls)
        more = await self._client.end(len(calls), loop.time() - began)
        return {"codes": self._codes, "longest_ms": self._longest * 1e3, **more}


async def main():
    kind, target, rate = sys.argv[1:]
    client = Retrying(target) if kind == "retrying" else Plain(target)
    print(json.dumps(await Load(client, float(rate)).run()))


asyncio.run(main())
