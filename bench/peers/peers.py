"""The servers that people use instead: how each is installed, started and spoken to.

Every peer gets a virtual environment of its own below the work folder, which sees the project's packages (torch, tokenizers,
transformers) wherever the peer does not ask for other versions of them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
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
from classifier import MAX_BATCH, MAX_DELAY_MS, Settings  # noqa: E402

SERVERS = HERE / "servers"
STARTS_WITHIN_S = 180


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    # What pip installs; the first is the one whose version is reported. None: nothing but the project's environment.
    packages: tuple[str, ...]
    # The command line; the environment says the rest.
    command: Callable[[pathlib.Path, Settings, pathlib.Path], list[str]]
    # Of `bertha load`: how it is spoken to.
    protocol: tuple[str, ...]
    engine: str
    # Worker processes and threads of each on two cores, for a model of less than a millisecond and for a larger one.
    small: tuple[int, int] = (1, 1)
    large: tuple[int, int] = (1, 2)
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


PEERS = {peer.name: peer for peer in (
    Peer("python-grpc", (), script("plain_grpc_server.py"), OIP, "eager", batches=False),
    Peer("triton", ("nvidia-pytriton==0.7.0", "numpy<2"), triton_command, OIP, "torchscript", environment=triton_environment),
    Peer("pytriton", ("nvidia-pytriton==0.7.0", "numpy<2"), script("pytriton_server.py"), OIP, "torchscript"),
    Peer("torchserve", ("torchserve==0.12.0", "torch-model-archiver==0.12.0"), torchserve_command,
         http("/predictions/{model}", TEXT), "torchscript", needs="java"),
    Peer("mosec", ("mosec==0.9.8",), script("mosec_server.py"), http("/inference", TEXT), "torchscript"),
    Peer("litserve", ("litserve==0.2.19",), script("litserve_server.py"), http("/predict", TEXT), "torchscript"),
    Peer("bentoml", ("bentoml==1.4.39",), bentoml_command, http("/classify", '{"texts": [{text}]}'), "torchscript"),
    Peer("ray-serve", ("ray[serve]==2.60.0",), script("ray_server.py"), http("/classify", TEXT), "torchscript"),
    Peer("kserve", ("kserve==0.21.0",), script("kserve_server.py"), OIP, "torchscript", batches=False),
    Peer("infinity", ("infinity-emb[server]==0.0.78",), infinity_command,
         http("/classify", '{"model": "{model}", "input": [{text}]}'), "eager"),
)}


def venv_of(peer: Peer, work: pathlib.Path) -> pathlib.Path:
    return work / "venvs" / (peer.packages[0].split("==")[0].split("[")[0] if peer.packages else "plain")


def install(peer: Peer, work: pathlib.Path) -> pathlib.Path:
    """Python of the peer's environment, made if need be."""
    if not peer.packages:
        return pathlib.Path(sys.executable)
    venv = venv_of(peer, work)
    python = venv / "bin" / "python"
    if not (venv / "installed").exists():
        print(f"installing {', '.join(peer.packages)}", file=sys.stderr, flush=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", str(venv)], check=True)
        ours = [path for path in sys.path if path.endswith("site-packages")]
        (site_packages(python) / "zz_bertha.pth").write_text("".join(path + "\n" for path in ours))
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
                               *peer.packages], capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerError(f"pip cannot install {peer.name}: {done.stderr.strip().splitlines()[-1:]}")
        (venv / "installed").touch()
    return python


def version(peer: Peer, python: pathlib.Path) -> str:
    """As the environment has it; of peers without a package, gRPC's and transformers'."""
    names = [package.split("==")[0].split("[")[0] for package in peer.packages[:1]] or ["grpcio", "transformers"]
    code = f"import importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in {names!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class PeerError(Exception):
    """A peer that cannot be measured here, and why."""


class Running:
    """A peer's processes, from ready to gone."""

    def __init__(self, peer: Peer, settings: Settings, python: pathlib.Path, folder: pathlib.Path):
        if peer.needs and not shutil.which(peer.needs):
            raise PeerError(f"needs {peer.needs}, which is not installed")
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
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
                self.stop()
                raise PeerError(f"did not start: {tail}")
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
