"""KServe's Python model server over gRPC (the Open Inference Protocol); it has no batching of its own."""

import sys

import numpy
from classifier import Classifier, Settings


def main() -> None:
    settings = Settings.read()
    sys.argv += ["--http_port", "0", "--enable_grpc", "true", "--grpc_port", str(settings.port), "--workers", "1",
                 "--enable_latency_logging", "false", "--configure_logging", "false"]
    import kserve  # parses the command line

    class Classify(kserve.Model):
        def __init__(self):
            super().__init__(settings.model)
            self.classifier = Classifier(settings)
            self.ready = True

        async def get_input_types(self):
            return [{"name": "text", "datatype": "BYTES", "shape": [-1]}]

        async def get_output_types(self):
            return [{"name": "label", "datatype": "BYTES", "shape": [-1]}, {"name": "score", "datatype": "FP32", "shape": [-1]}]

        def predict(self, payload, headers=None):
            texts = [text.decode() if isinstance(text, bytes) else text for text in payload.inputs[0].as_numpy().ravel()]
            answers = self.classifier(texts)
            label = kserve.InferOutput("label", [len(texts)], "BYTES")
            label.set_data_from_numpy(numpy.array([answer["label"].encode() for answer in answers], numpy.object_))
            score = kserve.InferOutput("score", [len(texts)], "FP32")
            score.set_data_from_numpy(numpy.array([answer["score"] for answer in answers], numpy.float32))
            return kserve.InferResponse(response_id=payload.id or "", model_name=self.name, infer_outputs=[label, score])

    kserve.ModelServer(workers=1).start([Classify()])


if __name__ == "__main__":
    main()
