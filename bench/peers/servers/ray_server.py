"""Ray Serve: an HTTP proxy process and replicas with a batching decorator."""

import signal

import ray
from classifier import MAX_BATCH, MAX_DELAY_MS, Classifier, Settings
from ray import serve

SETTINGS = Settings.read()


@serve.deployment(num_replicas=SETTINGS.workers, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
class Classify:
    def __init__(self):
        self.classifier = Classifier(SETTINGS)

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=MAX_DELAY_MS / 1e3)
    async def classify(self, texts: list[str]) -> list[dict]:
        return self.classifier(texts)

    async def __call__(self, request) -> dict:
        return await self.classify((await request.json())["text"])


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, object_store_memory=100 << 20,
             runtime_env={"env_vars": SETTINGS.environment()})
    serve.start(http_options={"host": "127.0.0.1", "port": SETTINGS.port})
    serve.run(Classify.bind(), route_prefix="/classify")
    signal.pause()
