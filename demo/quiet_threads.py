"""Import this before torch: it makes training kind to a machine that does other work too.

Idle OpenMP threads sleep instead of spinning (spinning beside a compiler slows both tenfold), and large
tensors are reused from the heap instead of being mapped and unmapped at every step.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
_libc = ctypes.CDLL(None)
if hasattr(_libc, "mallopt"):
    _libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
    _libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
    _libc.mallopt(M_TOP_PAD, 256 << 20)
