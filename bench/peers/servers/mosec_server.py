"""mosec: worker processes behind a Rust front end, HTTP."""

import sys

from classifier import MAX_BATCH, MAX_DELAY_MS, Classifier, Settings
from mosec import Server, Worker


class Classify(Worker):
    def __init__(self):
        self.classifier = Classifier.from_environment()

    def forward(self, requests: list[dict]) -> list[dict]:
        return self.classifier([request["text"] for request in requests])


if __name__ == "__main__":
    settings = Settings.read()
    sys.argv += ["--address", "127.0.0.1", "--port", str(settings.port), "--log-level", "warning"]
    server = Server()
    server.append_worker(Classify, num=settings.workers, max_batch_size=MAX_BATCH, max_wait_time=MAX_DELAY_MS)
    server.run()
