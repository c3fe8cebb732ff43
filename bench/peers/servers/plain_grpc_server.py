"""What one writes in an afternoon: transformers and grpcio's thread pool. No batches; a lock, for the sake of the cores."""

import struct
import threading
from concurrent import futures

import grpc
from classifier import Classifier, Settings
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc


class Service(service_pb2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, settings: Settings):
        self.classifier, self.lock = Classifier(settings), threading.Lock()

    def ServerReady(self, request, context):
        return pb.ServerReadyResponse(ready=True)

    def ModelMetadata(self, request, context):
        answer = pb.ModelMetadataResponse(name=request.name, platform="python")
        answer.inputs.add(name="text", datatype="BYTES", shape=[-1])
        answer.outputs.add(name="label", datatype="BYTES", shape=[-1])
        answer.outputs.add(name="score", datatype="FP32", shape=[-1])
        return answer

    def ModelInfer(self, request, context):
        texts = list(request.inputs[0].contents.bytes_contents) or unpack(request.raw_input_contents[0])
        with self.lock:
            answers = self.classifier([text.decode() for text in texts])
        response = pb.ModelInferResponse(model_name=request.model_name, id=request.id)
        labels = [answer["label"].encode() for answer in answers]
        response.outputs.add(name="label", datatype="BYTES", shape=[len(texts)])
        response.raw_output_contents.append(b"".join(struct.pack("<I", len(label)) + label for label in labels))
        response.outputs.add(name="score", datatype="FP32", shape=[len(texts)])
        response.raw_output_contents.append(struct.pack(f"<{len(texts)}f", *(answer["score"] for answer in answers)))
        return response


def unpack(raw: bytes) -> list[bytes]:
    texts, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4:at + 4 + size])
        at += 4 + size
    return texts


if __name__ == "__main__":
    settings = Settings.read()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Service(settings), server)
    server.add_insecure_port(f"127.0.0.1:{settings.port}")
    server.start()
    server.wait_for_termination()
