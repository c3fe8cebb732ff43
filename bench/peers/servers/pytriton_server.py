"""PyTriton: the model runs in this process, Triton in another one."""

import numpy
from classifier import MAX_BATCH, MAX_DELAY_MS, Classifier, Settings
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

SETTINGS = Settings.read()


def main() -> None:
    classifier = Classifier(SETTINGS)

    @batch
    def infer(text):
        answers = classifier([one.decode() for one in text.ravel()])
        return {"label": numpy.array([[answer["label"].encode()] for answer in answers], numpy.object_),
                "score": numpy.array([[answer["score"]] for answer in answers], numpy.float32)}

    triton = Triton(config=TritonConfig(grpc_port=SETTINGS.port, allow_http=False, allow_metrics=False, log_verbose=0))
    with triton:
        triton.bind(model_name=SETTINGS.model, infer_func=infer, inputs=[Tensor(name="text", dtype=numpy.bytes_, shape=(1,))],
                    outputs=[Tensor(name="label", dtype=numpy.bytes_, shape=(1,)), Tensor(name="score", dtype=numpy.float32, shape=(1,))],
                    config=ModelConfig(max_batch_size=MAX_BATCH,
                                       batcher=DynamicBatcher(max_queue_delay_microseconds=MAX_DELAY_MS * 1000)))
        triton.serve()


if __name__ == "__main__":
    main()
