"""BentoML: uvicorn and an adaptive batcher, HTTP."""

import bentoml
from classifier import MAX_BATCH, Classifier, Settings

SETTINGS = Settings.read()


# Above max_latency_ms it refuses requests rather than batch them.
@bentoml.service(workers=SETTINGS.workers, traffic={"timeout": 60, "max_concurrency": 1024}, metrics={"enabled": False})
class Classify:
    def __init__(self):
        self.classifier = Classifier(SETTINGS)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=10_000)
    def classify(self, texts: list[str]) -> list[dict]:
        return self.classifier(texts)
