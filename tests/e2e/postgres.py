"""A PostgreSQL server of a test's own, and a wire that can be cut."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from e2e_support import PATIENCE, free_port, wait_until


def _programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not found:
        pytest.skip("no PostgreSQL server is installed (/usr/lib/postgresql/*/bin)")
    return found[-1].parent


class Postgres:
    """Trusts everybody; listens on a socket in its folder and on 127.0.0.1. Refuses to run as root, so it runs as
    `postgres` where the tests do."""

    def __init__(self):
        self._programs = _programs()
        self._as = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bertha_pg_"))
        if self._as:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.port = free_port()
        self.process = None
        options = ["--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "--pgdata", self.folder / "data", *options)

    def _run(self, program, *arguments):
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder, **self._as)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def uri(self, database="postgres", port=None):
        return f"postgresql://tester:xyzzypassword@127.0.0.1:{port or self.port}/{database}"

    def start(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                    "fsync": "off", "max_connections": 20}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *arguments]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as)

        def answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with contextlib.suppress(AssertionError):
                return self.sql("SELECT 1") == ["1"]

        wait_until(answers, "PostgreSQL answers")
        return self

    def stop(self, number=signal.SIGQUIT):
        """SIGQUIT: at once, as in a crash."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    def _all(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    @contextlib.contextmanager
    def frozen(self):
        """It accepts connections and says nothing."""
        stopped = self._all()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)

    def sql(self, statement, database="postgres"):
        """The rows, as psql prints them."""
        words = ["--host", self.folder, "--port", self.port, "--username", "tester", "--dbname", database]
        flags = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"]
        return self._run("psql", *words, *flags, "--command", statement).splitlines()

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder)


class Wire:
    """A proxy before the server. `on_commit`, if set, is called once in place of passing a COMMIT on, with what passes it
    on; the connection is cut afterwards, and the client gets no answer."""

    def __init__(self, port):
        self._target = port
        self.on_commit = None
        self.refuse = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            muted = threading.Event()
            threading.Thread(target=self._up, args=(client, server, muted), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server, muted), daemon=True).start()

    def _up(self, client, server, muted):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.on_commit and data.startswith(b"Q") and b"COMMIT\0" in data:
                    hook, self.on_commit = self.on_commit, None
                    muted.set()
                    hook(lambda: server.sendall(data))
                    break
                server.sendall(data)
        self._end(client)
        if not muted.is_set():
            self._end(server)  # else it stays as it is: who hangs in a commit does not learn that nobody waits

    def _down(self, client, server, muted):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if not muted.is_set():
                    client.sendall(data)
        self._end(client)

    @staticmethod
    def _end(connection):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
