#!/usr/bin/env python3
"""A peer of bench/encoder_peers.py as a process: reads requests, times forward passes, answers, in JSON lines.

    bench/encoder_workers.py ENGINE NAME [--threads N] [--work DIR]

The protocol is that of bench/encoder/serve.h, without "gemm". What a peer makes of the checkpoint stays in DIR/ENGINE.
Inputs are made before the clock starts, and the logits are asked for when it has stopped: peers are not charged for Python.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import sys
import time

import numpy

WORK = pathlib.Path("/tmp/bertha-encoder-bench")
# Engine: families that it runs, or None for all.
PEERS: dict[str, tuple[str, ...] | None] = {
    "torchscript": None,
    "openvino-fp32": None,
    "openvino-bf16": None,
    "openvino-int8": None,
    "ctranslate2-int8": ("bert",),
    "onnx-fp32": ("bert",),
    "onnx-int8": ("bert",),
}
VOCABULARY = range(5, 30000)  # no special token of any family


class Model:
    """Where a model's files are, and how its batches are padded."""

    def __init__(self, name: str, work: pathlib.Path, package: pathlib.Path | None = None):
        self.name, self.work = name, work
        self.checkpoint, self.package = work / "checkpoints" / name, package or work / "models" / name / "1"
        self.manifest = json.loads((self.package / "bertha.json").read_text())

    def padded(self, ids: list[list[int]]) -> list[numpy.ndarray]:
        """[sequences, longest] each, as the manifest's inputs."""
        padding = self.manifest["padding"]
        shape = len(ids), max(map(len, ids))
        arrays = {"input_ids": numpy.full(shape, padding["id"], numpy.int64), "attention_mask": numpy.zeros(shape, numpy.int64),
                  "token_type_ids": numpy.full(shape, padding["type_id"], numpy.int64)}
        for row, sequence in enumerate(ids):
            begin = shape[1] - len(sequence) if padding["side"] == "left" else 0
            here = row, slice(begin, begin + len(sequence))
            arrays["input_ids"][here], arrays["attention_mask"][here], arrays["token_type_ids"][here] = sequence, 1, 0
        return [arrays[name] for name in self.manifest["inputs"]]

    def examples(self) -> tuple:
        import torch

        return tuple(map(torch.from_numpy, self.padded([[7, 8, 9, 10], [11, 12, 13]])))

    def cached(self, engine: str, suffix: str) -> pathlib.Path:
        folder = self.work / engine
        folder.mkdir(exist_ok=True)
        return folder / f"{self.name}{suffix}"


class TorchScript:
    def __init__(self, engine: str, model: Model, threads: int):
        import torch

        torch.set_num_threads(threads)
        self.model = model
        self.module = torch.jit.freeze(torch.jit.load(model.package / "model.pt").eval())

    def prepare(self, ids):
        import torch

        return [torch.from_numpy(array) for array in self.model.padded(ids)]

    def run(self, inputs):
        import torch

        with torch.inference_mode():
            result = self.module(*inputs)
        return result[0] if isinstance(result, tuple) else result


class OpenVino:
    def __init__(self, engine: str, model: Model, threads: int):
        import openvino

        self.model = model
        dtype = engine.split("-")[1]
        core = openvino.Core()
        network = core.read_model(self.int8_file() if dtype == "int8" else self.fp32_file())
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if dtype != "int8":  # beside int8 it chooses the fastest itself
            settings["INFERENCE_PRECISION_HINT"] = {"fp32": "f32", "bf16": "bf16"}[dtype]
        elif "ONEDNN_MAX_CPU_ISA" in os.environ:  # which it does not ask when it chooses: bf16, then finds no kernel
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        self.request = core.compile_model(network, "CPU", settings).create_infer_request()

    def fp32_file(self) -> pathlib.Path:
        import openvino
        import torch

        file = self.model.cached("openvino", "-fp32.xml")
        if not file.is_file():
            module = torch.jit.load(self.model.package / "model.pt").eval()
            examples = self.model.examples()
            network = openvino.convert_model(module, example_input=examples,
                                             input=[(openvino.PartialShape([-1, -1]), openvino.Type.i64)] * len(examples))
            save(file, lambda new: openvino.save_model(network, new, compress_to_fp16=False), [".bin"])
        return file

    def int8_file(self) -> pathlib.Path:
        import nncf
        import openvino

        file = self.model.cached("openvino", "-int8.xml")
        if not file.is_file():
            rng = random.Random(2)
            texts = [[[rng.choice(VOCABULARY) for _ in range(rng.choice((16, 64, 128)))]] for _ in range(64)]
            data = nncf.Dataset(texts, lambda ids: self.model.padded(ids))
            network = nncf.quantize(openvino.Core().read_model(self.fp32_file()), data, model_type=nncf.ModelType.TRANSFORMER,
                                    subset_size=len(texts))
            save(file, lambda new: openvino.save_model(network, new, compress_to_fp16=False), [".bin"])
        return file

    def prepare(self, ids):
        return self.model.padded(ids)

    def run(self, inputs):
        self.request.infer(inputs, share_inputs=True)
        return self.request.get_output_tensor(0).data.copy()


class CTranslate2:
    """Removes padding itself. The last product, [n, 768] by [768, 3], is not of its doing: only logits() adds it."""

    def __init__(self, engine: str, model: Model, threads: int):
        import ctranslate2
        import safetensors.numpy

        folder = model.cached("ctranslate2", "-int8")
        if not (folder / "model.bin").is_file():
            ctranslate2.converters.TransformersConverter(str(model.checkpoint)).convert(str(folder), quantization="int8", force=True)
        self.encoder = ctranslate2.Encoder(str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads)
        weights = safetensors.numpy.load_file(model.checkpoint / "model.safetensors")
        self.weight, self.bias = weights["classifier.weight"], weights["classifier.bias"]

    def prepare(self, ids):
        return ids

    def run(self, ids):
        return self.encoder.forward_batch(ids).pooler_output

    def logits(self, output):
        return numpy.array(output) @ self.weight.T + self.bias


class OnnxRuntime:
    def __init__(self, engine: str, model: Model, threads: int):
        import onnxruntime

        self.model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        file = self.int8_file() if engine.endswith("int8") else self.fused_file()
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def plain_file(self) -> pathlib.Path:
        import torch

        file = self.model.cached("onnx", ".onnx")
        if not file.is_file():
            module = torch.jit.load(self.model.package / "model.pt").eval()
            names = self.model.manifest["inputs"]
            axes = {name: {0: "batch", 1: "length"} for name in names} | {"logits": {0: "batch"}}
            save(file, lambda new: torch.onnx.export(module, self.model.examples(), str(new), input_names=names,
                                                     output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False))
        return file

    def fused_file(self) -> pathlib.Path:
        from onnxruntime.transformers import optimizer

        file = self.model.cached("onnx", "-fused.onnx")
        if not file.is_file():
            network = optimizer.optimize_model(str(self.plain_file()), model_type="bert", opt_level=1)  # finds heads and width
            save(file, lambda new: network.save_model_to_file(str(new)))
        return file

    def int8_file(self) -> pathlib.Path:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        file = self.model.cached("onnx", "-int8.onnx")
        if not file.is_file():
            types = {"DefaultTensorType": onnx.TensorProto.FLOAT}  # of what comes out of fused operators
            save(file, lambda new: quantize_dynamic(str(self.fused_file()), str(new), per_channel=True, weight_type=QuantType.QInt8,
                                                    extra_options=types))
        return file

    def prepare(self, ids):
        return dict(zip(self.model.manifest["inputs"], self.model.padded(ids)))

    def run(self, inputs):
        return self.session.run(None, inputs)[0]


KINDS = {"torchscript": TorchScript, "openvino": OpenVino, "ctranslate2": CTranslate2, "onnx": OnnxRuntime}


def save(file: pathlib.Path, write, beside: list[str] = ()) -> None:
    """The file appears whole or not at all; `beside`: the suffixes of others that `write` makes with it."""
    new = file.with_name("new-" + file.name)
    write(new)
    for suffix in beside:
        os.replace(new.with_suffix(suffix), file.with_suffix(suffix))
    os.replace(new, file)


class Worker:
    def __init__(self, engine: str, model: Model, threads: int):
        self.engine = KINDS[engine.split("-")[0]](engine, model, threads)

    def answer(self, request: dict) -> dict:
        if "ids" in request:
            output = self.engine.run(self.engine.prepare(request["ids"]))
            logits = self.engine.logits(output) if hasattr(self.engine, "logits") else output
            return {"logits": numpy.asarray(logits).tolist()}
        rng = random.Random(1)
        inputs = self.engine.prepare([[rng.choice(VOCABULARY) for _ in range(length)] for length in request["lengths"]])
        return {"ms": self.time(inputs, request["seconds"])}

    def time(self, inputs, seconds: float) -> list[float]:
        """Milliseconds of each pass; the first does not count if there is time for others."""
        begin = time.perf_counter()
        self.engine.run(inputs)
        first = time.perf_counter() - begin
        times = [] if first < seconds / 4 else [first * 1e3]
        while not times or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            self.engine.run(inputs)
            times.append((time.perf_counter() - start) * 1e3)
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=PEERS)
    parser.add_argument("name", help="as bench/encoder_packages.py made it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=pathlib.Path, default=WORK)
    wish = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    worker = Worker(wish.engine, Model(wish.name, wish.work), wish.threads)
    print(json.dumps({"ready": True}), file=out)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # whatever a peer throws is its answer; the next request may be better
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    main()
