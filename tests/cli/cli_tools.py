"""What tests of the command line read."""
import contextlib
import json
import os


def json_lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def read_terminal(controller):
    """All that was written to a terminal whose other end is closed; it comes in pieces."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the end
        while piece := os.read(controller, 65536):
            shown += piece
    os.close(controller)
    return shown.decode()
