"""What is compiled into a program or library, or lies beside it, without a file of its own to say so."""

from __future__ import annotations

import dataclasses
import mmap
import pathlib

from .errors import BundleError
from .origins import Origin, origins_of


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

# Libraries of nothing but headers: one of these -> what stands in a program that was compiled with it, and the headers'
# licence; their packages have tools and examples under others.
HEADERS = {
    pathlib.Path("/usr/include/CLI/CLI.hpp"): (b"N3CLI", "BSD-3-Clause"),
    pathlib.Path("/usr/include/boost/version.hpp"): (b"N5boost", "BSL-1.0"),
    pathlib.Path("/usr/include/nlohmann/json.hpp"): (b"N8nlohmann", "MIT"),
}


def has(path: pathlib.Path, mark: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(mark) >= 0


def components_in(libraries: dict[str, pathlib.Path]) -> list[Component]:
    """Those that are in the libraries (name -> file)."""
    found = [component for component in COMPONENTS if component.file in libraries]
    for component in found:
        path = libraries[component.file]
        if not has(path, component.mark):
            raise BundleError(f"{path.name} has no mark of {component.name}: is it still inside? See inside.py")
    return found


def compiled_in(programs: list[pathlib.Path]) -> list[Origin]:
    """The packages of HEADERS, of which the programs have nothing but code."""
    for header, (mark, _) in HEADERS.items():
        if not header.exists():
            raise BundleError(f"{header} is not there, with which the programs were compiled: install its package")
        if not any(has(program, mark) for program in programs):
            raise BundleError(f"no program has a mark of {header}: is it still inside? See inside.py")
    return [dataclasses.replace(origin, licence=HEADERS[header][1], kind=f"{origin.kind}, compiled into the programs")
            for header, origin in origins_of(list(HEADERS)).items()]
