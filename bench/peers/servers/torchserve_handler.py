"""TorchServe's handler: a Java front end, Python worker processes, HTTP."""

import json
import os
import pathlib
import sys

# TorchServe copies this file: the others stay where they are.
sys.path.insert(0, os.environ["COMPARE_SERVERS"])

from classifier import Classifier  # noqa: E402


class Handler:
    def initialize(self, context):
        self.classifier = Classifier.from_environment()
        self.initialized = pathlib.Path(".")

    def handle(self, requests, context):
        texts = []
        for request in requests:
            body = request.get("body") or request.get("data")
            texts.append((body if isinstance(body, dict) else json.loads(body))["text"])
        return self.classifier(texts)
