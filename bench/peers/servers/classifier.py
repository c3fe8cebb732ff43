"""What the peers serve: the weights of a bertha package, behind the same texts, in the way that Python programs do it.

The text goes through Hugging Face's `tokenizers`, the batch is padded to its longest text, the labels are those of the
package's manifest. How the network is computed:
  eager          transformers, as people load a checkpoint
  torchscript    the package's own traced module, frozen
  onnx-fp32      ONNX Runtime with fused operators
  openvino-fp32, openvino-bf16
In fp32 but the last. Every engine must give the package's golden answers, or it is no peer.

A server reads its Settings from the environment: most peers start their own worker processes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import sys

BENCH = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(BENCH))

ENGINES = ("eager", "torchscript", "onnx-fp32", "onnx-int8", "openvino-fp32", "openvino-bf16", "openvino-int8")
TOLERANCE = 2e-3  # of a logit: other orders of summing fp32
OF_RANGE = {"bf16": 0.05, "int8": 0.1}  # of the range of the package's logits: what berthad grants itself
MAX_BATCH = 32
MAX_DELAY_MS = 2


@dataclasses.dataclass(frozen=True)
class Settings:
    package: pathlib.Path
    work: pathlib.Path
    model: str
    engine: str
    threads: int
    workers: int
    port: int

    def environment(self) -> dict[str, str]:
        return {"COMPARE_" + key.upper(): str(value) for key, value in dataclasses.asdict(self).items()}

    @staticmethod
    def read() -> Settings:
        def of(key: str) -> str:
            return os.environ["COMPARE_" + key]

        return Settings(pathlib.Path(of("PACKAGE")), pathlib.Path(of("WORK")), of("MODEL"), of("ENGINE"), int(of("THREADS")),
                        int(of("WORKERS")), int(of("PORT")))


def eager_model(package: pathlib.Path):
    """The package's weights as transformers' BertForSequenceClassification: traced modules keep its parameter names."""
    import torch
    import transformers

    manifest = json.loads((package / "bertha.json").read_text())
    if manifest["family"] != "bert":
        raise SystemExit(f"only packages of the family bert can be compared in eager mode, not {manifest['family']}")
    traced = torch.jit.load(str(package / "model.pt")).state_dict()
    weights = {name.removeprefix("model."): value for name, value in traced.items()}
    words = weights["bert.embeddings.word_embeddings.weight"]
    encoder = manifest["encoder"]
    config = transformers.BertConfig(
        vocab_size=words.shape[0], hidden_size=words.shape[1], num_hidden_layers=encoder["layers"],
        num_attention_heads=encoder["heads"], hidden_act=encoder["activation"], layer_norm_eps=encoder["layer_norm_epsilon"],
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=weights["bert.embeddings.position_embeddings.weight"].shape[0],
        id2label=dict(enumerate(manifest["labels"])), label2id={label: i for i, label in enumerate(manifest["labels"])})
    model = transformers.BertForSequenceClassification(config)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    left = [name for name in [*missing, *unexpected] if not name.endswith(("position_ids", "embeddings.token_type_ids"))]
    if left:
        raise SystemExit(f"the package's weights do not fit transformers' model: {', '.join(left[:5])}")
    return model.eval()


def write_checkpoint(package: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The package as a checkpoint directory, for peers that load these."""
    import transformers

    if not (folder / "config.json").exists():
        eager_model(package).save_pretrained(folder)
        max_length = json.loads((package / "bertha.json").read_text())["max_length"]
        transformers.PreTrainedTokenizerFast(tokenizer_file=str(package / "tokenizer.json"), model_max_length=max_length,
                                             pad_token="[PAD]").save_pretrained(folder)
    return folder


class Eager:
    def __init__(self, model, threads: int):
        import torch

        torch.set_num_threads(threads)
        self.model, self.network, self.torch = model, eager_model(model.package), torch

    def logits(self, ids):
        arrays = map(self.torch.from_numpy, self.model.padded(ids))
        with self.torch.inference_mode():
            return self.network(**dict(zip(self.model.manifest["inputs"], arrays))).logits.numpy()


class Prepared:
    """An engine of bench/encoder_workers.py."""

    def __init__(self, model, engine: str, threads: int):
        import encoder_workers

        kind = {"torchscript": encoder_workers.TorchScript, "onnx": encoder_workers.OnnxRuntime,
                "openvino": encoder_workers.OpenVino}[engine.split("-")[0]]
        self.engine = kind(engine, model, threads)

    def logits(self, ids):
        import numpy

        return numpy.asarray(self.engine.run(self.engine.prepare(ids)))


class Classifier:
    """Not thread-safe: one for each worker."""

    def __init__(self, settings: Settings):
        import encoder_workers
        import tokenizers

        self.settings = settings
        model = encoder_workers.Model(settings.model, settings.work, settings.package)
        self.labels = model.manifest["labels"]
        self.tokenizer = tokenizers.Tokenizer.from_file(str(settings.package / "tokenizer.json"))
        self.tokenizer.enable_truncation(model.manifest["max_length"])
        self.tokenizer.no_padding()
        if settings.engine == "eager":
            self.engine = Eager(model, settings.threads)
        else:
            self.engine = Prepared(model, settings.engine, settings.threads)
        self.check()

    @staticmethod
    def from_environment() -> Classifier:
        return Classifier(Settings.read())

    def logits(self, texts: list[str]):
        """[texts, labels]"""
        return self.engine.logits([encoding.ids for encoding in self.tokenizer.encode_batch(texts)])

    def __call__(self, texts: list[str]) -> list[dict]:
        """The best label of each text, and its score."""
        answers = []
        for row in self.logits(texts).tolist():
            best = max(range(len(row)), key=row.__getitem__)
            answers.append({"label": self.labels[best], "score": 1 / sum(math.exp(x - row[best]) for x in row)})
        return answers

    def check(self) -> None:
        """Against the golden answers of the exporter; warms the engine up as well."""
        probes = json.loads((self.settings.package / "probes.json").read_text())["probes"]
        single = [probe for probe in probes if probe.get("text_pair") is None]
        golden = [value for probe in single for value in probe["logits"]]
        of_range = OF_RANGE.get(self.settings.engine.split("-")[-1], 0)
        tolerance = max(TOLERANCE, of_range * (max(golden) - min(golden)))
        for begin in range(0, len(single), MAX_BATCH):
            part = single[begin:begin + MAX_BATCH]
            logits = self.logits([probe["text"] for probe in part])
            for probe, row in zip(part, logits.tolist()):
                worst = max(abs(a - b) for a, b in zip(row, probe["logits"]))
                if not worst <= tolerance:
                    raise SystemExit(f"{self.settings.engine} is off by {worst:.2g} from the package's answers: no peer")
