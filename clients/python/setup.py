"""Generates bertha.v1, the messages of the wire, from the proto files, wherever a wheel is built.

What protoc makes for Python demands a protobuf at least as new as that protoc. So from protoc come only the description
of the messages and the types for checkers; the module that registers the description is written here, and works with
every protobuf that pyproject.toml admits. Stubs of the services are not needed: bertha.connection reads them from the
description.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = ("bertha/v1/bertha.proto", "bertha/v1/model_control.proto")  # in the order of their imports

MODULE = '''"""The messages of {proto}. Generated: do not edit."""
{imports}from google.protobuf import descriptor_pool
from google.protobuf.internal import builder

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({description!r})
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, {module!r}, globals())
'''


def proto_folder() -> pathlib.Path:
    """In a source distribution beside this file, in the project's tree at its root."""
    for folder in (HERE / "proto", HERE.parents[1] / "proto"):
        if (folder / PROTOS[0]).is_file():
            return folder
    raise SystemExit(f"{HERE}: the proto files are missing: build in the project's tree or from a source distribution")


def module_name(proto: str) -> str:
    return proto.removesuffix(".proto").replace("/", ".") + "_pb2"


def generate(target: pathlib.Path) -> None:
    """Writes the package bertha.v1 below `target`."""
    from google.protobuf import descriptor_pb2
    from grpc_tools import protoc

    folder = proto_folder()
    (target / "bertha" / "v1").mkdir(parents=True, exist_ok=True)
    (target / "bertha" / "v1" / "__init__.py").write_text("")
    with tempfile.NamedTemporaryFile() as descriptions:
        arguments = [f"-I{folder}", f"--descriptor_set_out={descriptions.name}", f"--pyi_out={target}", *PROTOS]
        if protoc.main(["protoc", *arguments]) != 0:
            raise SystemExit("protoc failed; see above")
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptions.read()).file
    for file in files:
        imports = "".join(f"import {module_name(name)}  # registers what this builds on\n" for name in file.dependency)
        module = module_name(file.name)
        text = MODULE.format(proto=file.name, imports=imports, module=module, description=file.SerializeToString())
        (target / (module.replace(".", "/") + ".py")).write_text(text)


class BuildWithMessages(build_py):
    def run(self) -> None:
        super().run()
        # An editable install imports the tree itself.
        generate(HERE if self.editable_mode else pathlib.Path(self.build_lib).resolve())


class SdistWithProtos(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        for name in PROTOS:
            copy = pathlib.Path(base_dir) / "proto" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(proto_folder() / name, copy)


setup(cmdclass={"build_py": BuildWithMessages, "sdist": SdistWithProtos})
