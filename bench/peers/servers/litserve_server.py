"""LitServe: FastAPI and worker processes, HTTP."""

import litserve
from classifier import MAX_BATCH, MAX_DELAY_MS, Classifier, Settings


class Classify(litserve.LitAPI):
    def setup(self, device):
        self.classifier = Classifier.from_environment()

    def decode_request(self, request):
        return request["text"]

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        return self.classifier(inputs)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    settings = Settings.read()
    api = Classify(max_batch_size=MAX_BATCH, batch_timeout=MAX_DELAY_MS / 1e3)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=settings.workers)
    server.run(host="127.0.0.1", port=settings.port, generate_client_file=False, log_level="warning")
