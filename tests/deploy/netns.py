"""A network of its own for a few hosts: network namespaces on a bridge, which is in a namespace too. Nothing of this
machine's network is touched; needs root, Linux and `ip`.

    with Network() as network:
        host = network.host()
        host.run("ping", "-c1", network.gateway.address)
"""

import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess

PREFIX = "bertha-"  # then the pid of the process that made it
ETC = pathlib.Path("/etc/netns")  # `ip netns exec NAME` puts ETC/NAME/* over /etc/*
SUBNET = "10.77.0"
PATIENCE = 60  # seconds; no command here takes one


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True, timeout=PATIENCE)


def why_not():
    """Why there can be no Network here; None if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need `ip` (iproute2)"
    name = f"{PREFIX}{os.getpid()}-try"
    try:
        ip("netns", "add", name)
        ip("netns", "exec", name, "true")
        ip("-n", name, "link", "add", "br0", "type", "bridge")
    except subprocess.CalledProcessError as error:
        return f"this machine allows no network namespaces: {error.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=PATIENCE)
    return None


class Host:
    """A network namespace with one address."""

    def __init__(self, namespace, address):
        self.namespace, self.address = namespace, address

    def command(self, *words):
        return ["ip", "netns", "exec", self.namespace, *map(str, words)]

    def start(self, *words, **options):
        """A process; its pid is the program's, since `ip` becomes it."""
        return subprocess.Popen(self.command(*words), **options)

    def run(self, *words):
        """What the program says, which must end well."""
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True, timeout=PATIENCE).stdout

    def resolve_by(self, server):
        """Names are looked up there from now on, by programs that are started from now on."""
        folder = ETC / self.namespace
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {server}\noptions timeout:1 attempts:2\n")


class Network:
    """`gateway` is the host that has the bridge. Processes in it are the caller's to end."""

    def __init__(self):
        self._base = f"{PREFIX}{os.getpid()}-"
        self._numbers = itertools.count(1)
        self._namespaces = []

    def __enter__(self):
        _sweep()
        try:
            self.gateway = Host(self._namespace("bridge"), f"{SUBNET}.1")
            on_bridge = ("-n", self.gateway.namespace)
            # Without an address of its own the bridge has that of a port, and another one when a host is added: what others
            # send to the gateway is then lost for a while.
            ip(*on_bridge, "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge", "forward_delay", 0)
            ip(*on_bridge, "addr", "add", f"{self.gateway.address}/24", "dev", "br0")
            ip(*on_bridge, "link", "set", "br0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for namespace in self._namespaces:
            _delete(namespace)
        with contextlib.suppress(OSError):
            ETC.rmdir()

    def host(self):
        number = next(self._numbers)
        host = Host(self._namespace(number), f"{SUBNET}.{number + 1}")
        inside, bridge = ("-n", host.namespace), self.gateway.namespace
        ip("link", "add", f"host{number}", "netns", bridge, "type", "veth", "peer", "eth0", "netns", host.namespace)
        ip("-n", bridge, "link", "set", f"host{number}", "master", "br0", "up")
        ip(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
        ip(*inside, "link", "set", "eth0", "up")
        ip(*inside, "link", "set", "lo", "up")
        return host

    def _namespace(self, name):
        ip("netns", "add", f"{self._base}{name}")
        self._namespaces.append(f"{self._base}{name}")
        return self._namespaces[-1]


def _delete(namespace):
    subprocess.run(["ip", "netns", "del", namespace], capture_output=True, timeout=PATIENCE)
    shutil.rmtree(ETC / namespace, ignore_errors=True)


def _sweep():
    """What a run that was killed could not remove."""
    for entry in pathlib.Path("/run/netns").glob(f"{PREFIX}*-*"):
        pid = entry.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not pathlib.Path(f"/proc/{pid}").exists():
            _delete(entry.name)
