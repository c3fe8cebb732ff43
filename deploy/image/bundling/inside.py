"""What is linked statically into a library, or lies beside it, without a package of its own to say so."""

from __future__ import annotations

import dataclasses
import mmap
import pathlib

from .errors import BundleError


@dataclasses.dataclass(frozen=True)
class Component:
    name: str
    host: str  # the origin that brought it
    file: str  # the library's name
    mark: bytes  # stands in the library
    licence: str  # SPDX
    licence_name: str
    texts: tuple[str, ...]  # in the bundle's folder of licences
    url: str


COMPONENTS = (
    Component("oneMKL", "torch", "libtorch_cpu.so", b"Intel(R) oneAPI Math Kernel Library Version ",
              "LicenseRef-Intel-Simplified-Software-License", "Intel Simplified Software License",
              ("common/Intel-Simplified-Software-License.txt",),
              "https://www.intel.com/content/www/us/en/developer/tools/oneapi/onemkl.html"),
    Component("oneDNN", "torch", "libtorch_cpu.so", b"info,oneDNN v%d.%d.%d", "Apache-2.0", "Apache-2.0",
              ("torch/LICENSE", "common/Apache-2.0"), "https://github.com/uxlfoundation/oneDNN"),
    Component("libgomp", "torch", "libgomp.so.1", b"GOMP_5.0", "GPL-3.0-or-later WITH GCC-exception-3.1",
              "GPL-3.0-or-later with the GCC Runtime Library Exception 3.1", ("common/GPL-3", "libgcc-s1/copyright"),
              "https://gcc.gnu.org/projects/gomp/"),
)


def components_in(libraries: dict[str, pathlib.Path]) -> list[Component]:
    """Those that are in the libraries (name -> file)."""
    found = [component for component in COMPONENTS if component.file in libraries]
    for component in found:
        path = libraries[component.file]
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(component.mark) < 0:
                raise BundleError(f"{path.name} has no mark of {component.name}: is it still inside? See inside.py")
    return found
