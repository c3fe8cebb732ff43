"""deploy/bundle: what it makes runs anywhere, says what it holds, and is the same every time."""

from __future__ import annotations

import base64
import email
import filecmp
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from image_support import PLAIN, ROOT, files_of, make_bundle, resolved, sums_of

from bundling import collect, elf, origins
from bundling.errors import BundleError
from bundling.tree import Tree
from e2e_support import Daemon, flip_bit, with_quick

MODEL = ROOT / "demo" / "models" / "sentiment-bert"
EPOCH = "1700000000"


@pytest.fixture(scope="module")
def made(build_dir, tmp_path_factory):
    """A bundle, moved from where it was made, and the report of its making."""
    folder = tmp_path_factory.mktemp("bundle")
    report = make_bundle(build_dir, folder / "made", env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    (folder / "made").rename(folder / "moved")
    yield folder / "moved", report
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def bundle(made):
    return made[0]


@pytest.fixture(scope="module")
def document(bundle):
    return json.loads((bundle / "sbom.spdx.json").read_text())


def test_all_libraries_but_those_of_glibc_are_found_in_the_bundle(bundle):
    for program in sorted((bundle / "bin").iterdir()):
        for soname, path in resolved(program).items():
            found = path and pathlib.Path(path).resolve()
            assert soname in elf.GLIBC or found == bundle / "lib" / soname, (program.name, soname, path)


def test_no_library_is_there_that_nothing_needs(bundle):
    needed = {soname for program in (bundle / "bin").iterdir() for soname in resolved(program)} - elf.GLIBC
    assert {path.name for path in (bundle / "lib").iterdir()} == needed


def test_a_moved_bundle_serves_with_nothing_but_its_own_libraries(bundle, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("LD_")]:
        monkeypatch.delenv(name)
    models = tmp_path / "models"
    shutil.copytree(MODEL, models / "sentiment-bert")
    daemon = Daemon(bundle / "bin" / "berthad", models, tmp_path / "log", *with_quick(()))
    try:
        daemon.wait_serving()
        said = subprocess.run([bundle / "bin" / "bertha", "classify", "--address", daemon.address, "--json", "I love it"],
                              capture_output=True, text=True, env=PLAIN, check=True).stdout
        assert json.loads(said)["label"] == "positive"
        mapped = set(re.findall(r"/\S+\.so[.\d]*$", pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text(), re.M))
        foreign = {path for path in mapped if pathlib.Path(path).parent != bundle / "lib"}
        assert {pathlib.Path(path).name for path in foreign} <= elf.GLIBC
        daemon.signal()
        assert daemon.wait() == 0, daemon.log()
    finally:
        daemon.close()


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_wherever_and_by_whomever(build_dir, bundle, tmp_path):
    again = tmp_path / "elsewhere" / "again"
    make_bundle(build_dir, again, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "LANG": "C", "TZ": "Asia/Tokyo"},
                cwd=tmp_path, umask=0o077)
    try:
        assert sums_of(again) == sums_of(bundle)
    finally:
        shutil.rmtree(again)


def test_no_path_of_the_machine_that_built_is_inside(bundle, build_dir):
    ours = [path for path in files_of(bundle) if path.parent.name != "lib" and "licenses" not in path.parts]
    assert {path.name for path in ours} == {*collect.PROGRAMS, "NOTICE", collect.SBOM}
    for path in ours:
        data = path.read_bytes()
        for folder in {ROOT, build_dir.resolve().parents[1], bundle.parent}:
            assert str(folder).encode() + b"/" not in data, f"{path.name} knows {folder}"


def test_libraries_are_those_that_were_shipped_to_the_last_byte(bundle, program):
    for soname, path in elf.closure([program("berthad")]).items():
        if soname in ("libtorch_cpu.so", "libgrpc.so.29", "libcudart.so.13"):
            assert filecmp.cmp(bundle / "lib" / soname, path, shallow=False)


def test_the_report_counts_what_is_there(made):
    bundle, report = made
    assert report["bytes"] == sum(path.stat().st_size for path in files_of(bundle))
    assert report["files"] == len(files_of(bundle))
    assert report["largest"][0]["path"] == "lib/libtorch_cpu.so"
    assert re.fullmatch(r"2\.\d+", report["glibc"])


def test_the_glibc_that_is_told_is_the_newest_that_any_file_asks_for(made):
    bundle, report = made
    asked = "".join(elf.run("readelf", "-VW", path) for folder in ("bin", "lib") for path in (bundle / folder).iterdir())
    newest = max(int(minor) for minor in re.findall(r"Name: GLIBC_2\.(\d+)", asked))
    assert report["glibc"] == f"2.{newest}"


# --- what it says of itself ---


def test_the_sbom_is_valid_spdx(bundle):
    from spdx_tools.spdx.parser.json import json_parser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    messages = validate_full_spdx_document(json_parser.parse_from_file(str(bundle / "sbom.spdx.json")), "SPDX-2.3")
    assert not messages, messages[:3]


def test_the_sbom_has_every_file_with_its_sums(bundle, document):
    said = {file["fileName"]: {c["algorithm"]: c["checksumValue"] for c in file["checksums"]} for file in document["files"]}
    there = [path for path in files_of(bundle) if path.name != "sbom.spdx.json"]
    assert set(said) == {f"./{path.relative_to(bundle)}" for path in there}
    for path in there:
        with path.open("rb") as file:
            assert said[f"./{path.relative_to(bundle)}"]["SHA256"] == hashlib.file_digest(file, "sha256").hexdigest()


def test_the_sbom_names_packages_versions_and_licences(document):
    packages = {package["name"]: package for package in document["packages"]}
    assert packages["torch"]["versionInfo"] == "2.11.0" and packages["torch"]["licenseDeclared"] == "BSD-3-Clause"
    assert packages["libabsl20220623"]["licenseDeclared"] == packages["bertha"]["licenseDeclared"] == "Apache-2.0"
    assert packages["libgnutls30"]["licenseDeclared"] == "LicenseRef-libgnutls30"
    assert {"oneMKL", "oneDNN", "libgomp", "nvidia-cuda-runtime", "nvidia-cuda-cupti"} <= set(packages)
    texts = {text["licenseId"]: text["extractedText"] for text in document["hasExtractedLicensingInfos"]}
    for package in packages.values():
        for name in re.findall(r"LicenseRef-[\w.-]+", package["licenseDeclared"]):
            assert len(texts[name]) > 200, name


def test_the_sbom_ties_files_to_packages_and_packages_to_each_other(document):
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    names |= {file["SPDXID"]: file["fileName"] for file in document["files"]}
    said = {(names.get(r["spdxElementId"]), r["relationshipType"], names.get(r["relatedSpdxElement"]))
            for r in document["relationships"]}
    assert ("libgrpc29", "CONTAINS", "./lib/libgrpc.so.29") in said
    assert ("torch", "CONTAINS", "oneMKL") in said
    assert ("bertha", "DEPENDS_ON", "torch") in said and ("torch", "DEPENDS_ON", "nvidia-cuda-runtime") in said
    assert ("glibc", "PREREQUISITE_FOR", "bertha-bundle") in said
    assert {used for user, kind, used in said if (user, kind) == ("bertha", "STATIC_LINK")} == {
        "libboost1.74-dev", "libcli11-dev", "nlohmann-json3-dev"}


def test_notice_names_every_bundled_file_and_the_texts_are_there(bundle):
    notice = (bundle / "NOTICE").read_text()
    for path in files_of(bundle):
        if path.parent.name in ("bin", "lib"):
            assert re.search(rf"{re.escape(str(path.relative_to(bundle)))}[,\n]", notice), path
    texts = set(re.findall(r"(?<=  )licenses/[^\s,]+|(?<=, )licenses/[^\s,]+", notice))
    assert len(texts) > 30
    for text in texts:
        assert (bundle / text).is_file(), text


def sources_of_headers(build_dir) -> set[str]:
    """Debian source packages of the system's headers that the shipped folders' objects were compiled with."""
    known = subprocess.run(["ninja", "-t", "deps"], cwd=build_dir, capture_output=True, text=True, check=True).stdout
    ours = re.findall(r"^(?:batcher|clients|models|proto|server|tokenizer)/\S+: #deps.*\n((?:    .*\n)*)", known, re.M)
    headers = {line.strip() for lines in ours for line in lines.splitlines() if line.startswith("    /usr/include/")}
    packages = sorted(set(origins.debian_owners([pathlib.Path(header) for header in headers]).values()))
    return set(elf.run("dpkg-query", "-W", "-f", "${source:Package}\n", *packages).split())


def test_notice_names_every_library_whose_headers_were_compiled_in(bundle, build_dir):
    there = set(re.findall(r"Debian\s+source\s+package\s+(\S+)", (bundle / "NOTICE").read_text()))
    found = sources_of_headers(build_dir)
    assert {"grpc", "nlohmann-json3"} <= found
    assert found - {"glibc", "linux"} <= there  # those two are the system's


def test_texts_that_debian_refers_to_come_along(bundle):
    for text in (bundle / "licenses").glob("*/copyright"):
        for name in re.findall(r"/usr/share/common-licenses/([\w.-]*\w)", text.read_text(errors="replace")):
            here = pathlib.Path("/usr/share/common-licenses") / name
            assert (bundle / "licenses" / "common" / name).exists() or not here.exists()


# --- what it refuses ---


def test_a_library_that_nobody_owns_is_refused(tmp_path):
    stray = tmp_path / "libstray.so"
    shutil.copy("/bin/true", stray)
    with pytest.raises(BundleError, match="no Debian package and no wheel has .*libstray.so"):
        origins.origins_of([stray])


def test_a_wheels_library_that_was_changed_is_refused(tmp_path):
    package = tmp_path / "site-packages" / "some" / "libsome.so"
    info = tmp_path / "site-packages" / "some-1.dist-info"
    package.parent.mkdir(parents=True)
    info.mkdir()
    package.write_bytes(b"as it was")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"as it was").digest()).decode().rstrip("=")
    (info / "RECORD").write_text(f"some/libsome.so,sha256={digest},9\nsome/LICENSE,,\n")
    (info / "METADATA").write_text("Name: some\nVersion: 1\nLicense: MIT\n")
    (package.parent / "LICENSE").write_text("text")
    assert origins.origins_of([package])[package].licence == "MIT"
    package.write_bytes(b"as it is!")
    with pytest.raises(BundleError, match="libsome.so with these bytes"):
        origins.origins_of([package])


@pytest.mark.parametrize("metadata, supplier", [
    ("Author-email: The Team <team@example.org>\n", "Organization: The Team (team@example.org)"),
    ("Author: A. Person\nAuthor-email: a@example.org\n", "Organization: A. Person (a@example.org)"),
    ("Author-email: a@example.org\n", "Organization: a@example.org"),
    ("Author: A. Person\n", "Organization: A. Person"),
    ("Name: some\n", "NOASSERTION"),
])
def test_a_supplier_is_written_as_spdx_wants_it(metadata, supplier):
    assert origins.supplier_of(email.message_from_string(metadata)) == supplier


@pytest.mark.parametrize("text, licence", [
    ("Format: x\n\nFiles: *\nLicense: Expat\n\nFiles: debian/*\nLicense: GPL-2+\n", "MIT"),
    ("Format: x\n\nFiles: *\nLicense: Expat\n\nFiles: lib/*\nLicense: GPL-2+\n", ""),
    ("Format: x\n\nFiles: *\nLicense: GPL-3+\n", ""),
    ("This package was debianized by hand.\nLicense: Expat\n", ""),
])
def test_a_licence_is_named_only_where_debian_names_one_for_all_files(text, licence):
    assert origins.only_licence(text) == licence


def test_a_damaged_package_is_not_baked(program, tmp_path):
    shutil.copytree(MODEL, tmp_path / "models" / "sentiment-bert")
    flip_bit(tmp_path / "models" / "sentiment-bert" / "1" / "model.pt")
    (tmp_path / "tree").mkdir()
    with pytest.raises(BundleError, match="model.pt"):
        collect.add_models(Tree(tmp_path / "tree", 0), "models", tmp_path / "models", program("bertha-package"))


def refused(build_dir, *options) -> str:
    done = subprocess.run([ROOT / "deploy" / "bundle", "--build", build_dir, *options], capture_output=True, text=True)
    assert done.returncode == 1 and not done.stdout
    return done.stderr


def test_a_folder_that_is_no_bundle_is_not_replaced(build_dir, tmp_path):
    (tmp_path / "thesis").write_text("important")
    assert f"{tmp_path} is there and is no bundle" in refused(build_dir, "--out", tmp_path)
    assert (tmp_path / "thesis").read_text() == "important"


def test_what_is_not_built_is_named_with_the_command_that_builds_it(tmp_path):
    assert re.search(r"berthad is not built: cmake --build .* --target berthad bertha bertha-package",
                     refused(tmp_path, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_program_that_is_not_there_is_named_with_the_packages_that_have_it():
    with pytest.raises(BundleError, match="no-such-program is not there.*requirements/debian-build.txt"):
        elf.run("no-such-program")
