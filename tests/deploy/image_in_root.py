"""Starts what the image starts, in a root file system as a container has it, asks it one question, and stops it.

    unshare --mount --net --pid --fork --kill-child python image_in_root.py ROOT MODELS CACHE

The root is read-only, with /proc and /sys, MODELS is mounted in it read-only, CACHE (empty: nothing) is what may be
written to; the user is 65532 without capabilities, the network has the loopback interface alone. Prints a JSON object.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys

USER = 65532
ENVIRONMENT = {"PATH": "/opt/bertha/bin"}
FLAGS = ["--drain-lame-duck-ms", "0"]  # nobody has to be told
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)


def mount(*words: str | pathlib.Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def raise_loopback() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def prepare(root: pathlib.Path, models: str, cache: str) -> None:
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("-o", "remount,bind,ro", root)
    mount("-t", "proc", "proc", root / "proc")
    # Every container engine gives /sys. Without it glibc, which asks it for the processors when a new thread first
    # allocates, may leave ENOENT in the errno that gRPC 1.51 looks at after connect(): a connection fails now and then.
    mount("--bind", "/sys", root / "sys")
    mount("-o", "remount,bind,ro", root / "sys")
    if models:
        mount("--bind", models, root / "models")
        mount("-o", "remount,bind,ro", root / "models")
    if cache:
        mount("--bind", cache, root / "var" / "cache" / "bertha")


def inside(root: pathlib.Path):
    def enter() -> None:
        os.chroot(root)
        os.chdir("/")
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)

    return enter


def run(root: pathlib.Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, preexec_fn=inside(root), env=ENVIRONMENT, capture_output=True, text=True)


def ask(root: pathlib.Path, daemon: subprocess.Popen) -> dict:
    """What there is to tell while it runs. /proc of this process is the old one, with other numbers."""
    said = {}
    health = run(root, "/opt/bertha/bin/bertha", "health", "--address", "127.0.0.1:8004", "--wait", "120")
    said["health"] = health.stdout + health.stderr
    answer = run(root, "/opt/bertha/bin/bertha", "classify", "--address", "127.0.0.1:8001", "--json", "I love it")
    said["answer"] = answer.stdout or answer.stderr
    proc = root / "proc" / str(daemon.pid)
    status = (proc / "status").read_text()
    said["uid"] = re.search(r"^Uid:\t(.*)", status, re.M)[1].split()
    said["capabilities"] = re.search(r"^CapEff:\t(\w+)", status, re.M)[1]
    said["interfaces"] = [name for _, name in socket.if_nameindex()]
    said["mapped"] = sorted(set(re.findall(r"/\S+\.so[.\d]*$", (proc / "maps").read_text(), re.M)))
    return said


def main(root: pathlib.Path, models: str, cache: str) -> None:
    prepare(root, models, cache)
    raise_loopback()
    with open("/dev/null") as nothing:
        daemon = subprocess.Popen(["/opt/bertha/bin/berthad", "--config", "/etc/bertha/berthad.yaml", *FLAGS],
                                  preexec_fn=inside(root), env=ENVIRONMENT | {"OMP_WAIT_POLICY": "PASSIVE"},
                                  stdin=nothing, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ask(root, daemon)
    daemon.send_signal(signal.SIGTERM)
    said["log"] = daemon.communicate(timeout=60)[0]
    said["exit"] = daemon.returncode
    print(json.dumps(said))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
