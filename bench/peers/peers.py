"""The servers that people use instead: how each is installed, started and spoken to.

Every peer gets a virtual environment of its own below the work folder. Behind it, it sees the engines (bench/encoder_peers.txt, one
environment for all) and the project's packages (torch, tokenizers, transformers), wherever the peer does not ask for other versions
of them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE / "servers"), str(ROOT / "bench")]

from berthad import BIN, free_address  # noqa: E402
from classifier import ENGINES, MAX_BATCH, MAX_DELAY_MS, Settings  # noqa: E402

SERVERS = HERE / "servers"
STARTS_WITHIN_S = 180


@dataclasses.dataclass(frozen=True)
class Setting:
    """ENGINE:WORKERSxTHREADS, e.g. openvino-fp32:1x2."""

    engine: str
    workers: int  # processes that compute
    threads: int  # of each

    @staticmethod
    def parse(text: str) -> Setting:
        found = re.fullmatch(r"([a-z0-9-]+):(\d+)x(\d+)", text)
        if not found or found[1] not in ENGINES:
            raise ValueError(f"{text!r} is no setting: ENGINE:WORKERSxTHREADS, of {', '.join(ENGINES)}")
        return Setting(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.engine}, {self.workers} x {self.threads}"


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    # What pip installs; the first is the one whose version is reported. None: nothing but the project's environment.
    packages: tuple[str, ...]
    # The command line; the environment says the rest.
    command: Callable[[pathlib.Path, Settings, pathlib.Path], list[str]]
    # Of `bertha load`: how it is spoken to.
    protocol: tuple[str, ...]
    # The best of those tried on two cores, for a model of less than a millisecond and for a larger one.
    small: Setting
    large: Setting
    environment: Callable[[pathlib.Path], dict[str, str]] = lambda venv: {}
    batches: bool = True
    needs: str = ""  # a program besides Python


def script(name: str) -> Callable[[pathlib.Path, Settings, pathlib.Path], list[str]]:
    return lambda python, settings, folder: [str(python), str(SERVERS / name)]


def http(path: str, body: str) -> tuple[str, ...]:
    return "--protocol", "http", "--http-path", path, "--http-body", body


OIP = "--protocol", "oip"
TEXT = '{"text": {text}}'


def bentoml_command(python: pathlib.Path, settings: Settings, folder: pathlib.Path) -> list[str]:
    return [str(python.with_name("bentoml")), "serve", "bentoml_server:Classify", "--working-dir", str(SERVERS), "--host",
            "127.0.0.1", "--port", str(settings.port)]


def infinity_command(python: pathlib.Path, settings: Settings, folder: pathlib.Path) -> list[str]:
    from classifier import write_checkpoint

    checkpoint = write_checkpoint(settings.package, settings.work / "checkpoints" / settings.model)
    return [str(python.with_name("infinity_emb")), "v2", "--model-id", str(checkpoint), "--served-model-name", settings.model,
            "--engine", "torch", "--device", "cpu", "--dtype", "float32", "--no-bettertransformer", "--no-model-warmup",
            "--batch-size", str(MAX_BATCH), "--host", "127.0.0.1", "--port", str(settings.port), "--log-level", "warning"]


def torchserve_command(python: pathlib.Path, settings: Settings, folder: pathlib.Path) -> list[str]:
    (folder / "model.yaml").write_text(f"minWorkers: {settings.workers}\nmaxWorkers: {settings.workers}\n"
                                       f"batchSize: {MAX_BATCH}\nmaxBatchDelay: {MAX_DELAY_MS}\nresponseTimeout: 120\n")
    subprocess.run([python.with_name("torch-model-archiver"), "--model-name", settings.model, "--version", "1", "--handler",
                    SERVERS / "torchserve_handler.py", "--config-file", folder / "model.yaml", "--export-path", folder, "-f"],
                   check=True, stdout=subprocess.DEVNULL)
    others = [free_address() for _ in range(2)]
    (folder / "config.properties").write_text(
        f"inference_address=http://127.0.0.1:{settings.port}\nmanagement_address=http://{others[0]}\n"
        f"metrics_address=http://{others[1]}\ndisable_token_authorization=true\nenable_envvars_config=false\n"
        "disable_system_metrics=true\njob_queue_size=1000\n")
    return [str(python.with_name("torchserve")), "--start", "--foreground", "--ncs", "--disable-token-auth", "--model-store",
            str(folder), "--models", f"{settings.model}={settings.model}.mar", "--ts-config", str(folder / "config.properties")]


TRITON_CONFIG = """name: "{model}"
backend: "python"
max_batch_size: {batch}
input [{{ name: "text" data_type: TYPE_STRING dims: [1] }}]
output [{{ name: "label" data_type: TYPE_STRING dims: [1] }}, {{ name: "score" data_type: TYPE_FP32 dims: [1] }}]
instance_group [{{ kind: KIND_CPU count: {workers} }}]
dynamic_batching {{ max_queue_delay_microseconds: {delay} }}
"""


def site_packages(python: pathlib.Path) -> pathlib.Path:
    return next(python.parents[1].glob("lib/python3*/site-packages"))


def triton_command(python: pathlib.Path, settings: Settings, folder: pathlib.Path) -> list[str]:
    """The server that nvidia-pytriton brings along, with its python backend and a model repository, as one runs Triton."""
    home = site_packages(python) / "pytriton" / "tritonserver"
    model = folder / "repository" / settings.model
    (model / "1").mkdir(parents=True, exist_ok=True)
    shutil.copy(SERVERS / "triton_model.py", model / "1" / "model.py")
    (model / "config.pbtxt").write_text(TRITON_CONFIG.format(model=settings.model, batch=MAX_BATCH, workers=settings.workers,
                                                             delay=MAX_DELAY_MS * 1000))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    backends = folder / "backends"
    shutil.copytree(home / "backends", backends, dirs_exist_ok=True)
    shutil.copy(home / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    return [str(home / "bin" / "tritonserver"), "--model-repository", str(model.parent), "--backend-directory", str(backends),
            "--grpc-port", str(settings.port), "--grpc-address", "127.0.0.1", "--allow-http", "false", "--allow-metrics", "false"]


def triton_environment(venv: pathlib.Path) -> dict[str, str]:
    site = next(venv.glob("lib/python3*/site-packages"))
    paths = [str(site), *(line for pth in site.glob("*.pth") for line in pth.read_text().splitlines() if line.startswith("/"))]
    return {"LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs"), "PYTHONPATH": ":".join(paths)}


def servers() -> tuple[Peer, ...]:
    triton = ("nvidia-pytriton==0.7.0", "numpy<2")
    base = Setting("openvino-fp32", 1, 2)
    onnx, onnx_pair, traced = Setting("onnx-fp32", 1, 1), Setting("onnx-fp32", 1, 2), Setting("torchscript", 1, 1)
    return (
        Peer("python-grpc", (), script("plain_grpc_server.py"), OIP, Setting("eager", 1, 1), Setting("eager", 1, 2), batches=False),
        Peer("triton", triton, triton_command, OIP, onnx_pair, base, environment=triton_environment),
        Peer("pytriton", triton, script("pytriton_server.py"), OIP, onnx, base),
        Peer("torchserve", ("torchserve==0.12.0", "torch-model-archiver==0.12.0"), torchserve_command,
             http("/predictions/{model}", TEXT), Setting("torchscript", 2, 1), base, needs="java"),
        Peer("mosec", ("mosec==0.9.8",), script("mosec_server.py"), http("/inference", TEXT), onnx_pair, base),
        Peer("litserve", ("litserve==0.2.19",), script("litserve_server.py"), http("/predict", TEXT), traced, base),
        Peer("bentoml", ("bentoml==1.4.39",), bentoml_command, http("/classify", '{"texts": [{text}]}'), traced, base),
        Peer("ray-serve", ("ray[serve]==2.60.0",), script("ray_server.py"), http("/classify", TEXT), onnx, base),
        Peer("kserve", ("kserve==0.21.0",), script("kserve_server.py"), OIP, onnx, base, batches=False),
        Peer("infinity", ("infinity-emb[server]==0.0.78",), infinity_command,
             http("/classify", '{"model": "{model}", "input": [{text}]}'), Setting("eager", 1, 1), Setting("eager", 1, 2)),
    )


PEERS = {peer.name: peer for peer in servers()}


def environment(venv: pathlib.Path, behind: list[str], what: list[str]) -> pathlib.Path:
    """Python of a virtual environment with `what` pip installs, made if need be; it also sees the packages in `behind`."""
    python = venv / "bin" / "python"
    if not (venv / "installed").exists():
        print(f"installing {', '.join(what)}", file=sys.stderr, flush=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", str(venv)], check=True)
        (site_packages(python) / "zz_bertha.pth").write_text("".join(path + "\n" for path in behind))
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *what],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerError(f"pip cannot install {', '.join(what)}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
        (venv / "installed").touch()
    return python


def engines(work: pathlib.Path) -> pathlib.Path:
    """Python of the environment of bench/encoder_peers.py."""
    ours = [path for path in sys.path if path.endswith("site-packages")]
    return environment(work / "venvs" / "engines", ours, ["-r", str(ROOT / "bench" / "encoder_peers.txt")])


def install(peer: Peer, work: pathlib.Path, engine: str) -> pathlib.Path:
    """Python of the peer's environment, made if need be."""
    if not peer.packages and engine in ("eager", "torchscript"):
        return pathlib.Path(sys.executable)
    shared = engines(work)
    if not peer.packages:
        return shared
    ours = [path for path in sys.path if path.endswith("site-packages")]
    name = peer.packages[0].split("==")[0].split("[")[0]
    return environment(work / "venvs" / name, [str(site_packages(shared)), *ours], list(peer.packages))


def versions_of(names: list[str], python: pathlib.Path) -> str:
    """As the environment has them."""
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def version(peer: Peer, python: pathlib.Path) -> str:
    """Of peers without a package, gRPC's."""
    return versions_of([package.split("==")[0].split("[")[0] for package in peer.packages[:1]] or ["grpcio"], python)


def engine_versions(work: pathlib.Path) -> str:
    return versions_of(["torch", "transformers", "tokenizers", "onnxruntime", "openvino"], engines(work))


class PeerError(Exception):
    """A peer that cannot be measured here, and why."""


@functools.cache
def prepare(settings: Settings, python: pathlib.Path) -> None:
    """Converts the package for its engine, once, before several workers would; and says what is wrong with it."""
    done = subprocess.run([python, "-c", "import classifier; classifier.Classifier.from_environment()"], capture_output=True, text=True,
                          env={**os.environ, **settings.environment(), "PYTHONPATH": str(SERVERS)})
    if done.returncode != 0:
        raise PeerError(f"{settings.engine} cannot compute {settings.model}: {' '.join(done.stderr.strip().splitlines()[-1:])}")


class Running:
    """A peer's processes, from ready to gone."""

    def __init__(self, peer: Peer, settings: Settings, python: pathlib.Path, folder: pathlib.Path):
        if peer.needs and not shutil.which(peer.needs):
            raise PeerError(f"needs {peer.needs}, which is not installed")
        prepare(dataclasses.replace(settings, port=0, workers=1), python)
        folder.mkdir(parents=True, exist_ok=True)
        self.peer, self.settings, self.log = peer, settings, folder / "server.log"
        environment = {**os.environ, **settings.environment(), **peer.environment(python.parents[1]),
                       "COMPARE_SERVERS": str(SERVERS), "OMP_NUM_THREADS": str(settings.threads), "TOKENIZERS_PARALLELISM": "false",
                       "HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "BENTOML_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1",
                       "PATH": f"{python.parent}:{os.environ['PATH']}"}
        command = peer.command(python, settings, folder)
        with self.log.open("wb") as log:
            # A group of its own: most peers are several processes.
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.port}"

    def __enter__(self) -> Running:
        until = time.monotonic() + STARTS_WITHIN_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                kept = self.settings.work / "logs" / f"{self.peer.name}.log"
                kept.parent.mkdir(exist_ok=True)
                shutil.copy(self.log, kept)
                raise PeerError(f"did not start: see {kept}")
            time.sleep(0.2)
        return self

    def answers(self) -> bool:
        """One call, as `bertha load` makes it."""
        done = subprocess.run([BIN / "bertha", "load", "--address", self.address, *self.peer.protocol, "-m", self.settings.model,
                               "--in-flight", "1", "--requests", "1", "--warm-up", "0", "--json", "ready"], capture_output=True, text=True)
        try:
            return json.loads(done.stdout)["runs"][0]["codes"] == {"OK": 1}
        except (ValueError, KeyError, IndexError):
            return False

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                continue
            time.sleep(0.5)  # what the first process started ends a little later
