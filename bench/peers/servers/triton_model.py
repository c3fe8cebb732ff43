"""Triton's python backend: its own stub process calls this, batches come from Triton's dynamic batcher."""

import os
import sys

import numpy

sys.path.insert(0, os.environ["COMPARE_SERVERS"])

import triton_python_backend_utils as backend  # noqa: E402
from classifier import Classifier  # noqa: E402


class TritonPythonModel:
    def initialize(self, arguments):
        self.classifier = Classifier.from_environment()

    def execute(self, requests):
        inputs = [backend.get_input_tensor_by_name(request, "text").as_numpy().ravel() for request in requests]
        answers = self.classifier([text.decode() for texts in inputs for text in texts])
        responses, begin = [], 0
        for texts in inputs:
            part = answers[begin:begin + len(texts)]
            begin += len(texts)
            labels = numpy.array([[answer["label"].encode()] for answer in part], numpy.object_)
            scores = numpy.array([[answer["score"]] for answer in part], numpy.float32)
            responses.append(backend.InferenceResponse([backend.Tensor("label", labels), backend.Tensor("score", scores)]))
        return responses
