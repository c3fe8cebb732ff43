"""The bundle's contents as SPDX 2.3 (ISO/IEC 5962), in JSON: https://spdx.github.io/spdx-spec/v2.3/"""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
import re
import uuid

from .elf import needed
from .inside import Component
from .origins import Origin
from .tree import Entry, Tree

NONE = "NOASSERTION"
WHOLE = "SPDXRef-bundle"


def spdx_id(kind: str, name: str) -> str:
    """Letters, digits, dots and hyphens only; the digest keeps apart what they would make one."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name)
    return f"SPDXRef-{kind}-{plain}" + ("" if plain == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:8])


def package_id(origin: Origin) -> str:
    return spdx_id("package", origin.name)


def component_id(component: Component) -> str:
    return spdx_id("inside", f"{component.host}-{component.name}")


def licence_ref(name: str) -> str:
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name)


def declared(origin: Origin) -> str:
    return origin.licence or (licence_ref(origin.name) if origin.texts else NONE)


def file_record(entry: Entry) -> dict:
    return {
        "SPDXID": spdx_id("file", entry.path), "fileName": f"./{entry.path}",
        "fileTypes": ["BINARY" if entry.binary else "OTHER"],
        "checksums": [{"algorithm": "SHA1", "checksumValue": entry.sha1},
                      {"algorithm": "SHA256", "checksumValue": entry.sha256}],
        "licenseConcluded": NONE, "licenseInfoInFiles": [NONE], "copyrightText": NONE,
    }


def verification_code(entries: list[Entry]) -> dict:
    """SPDX 2.3, 7.9: the sum of the files' sorted sums."""
    joined = "".join(sorted(entry.sha1 for entry in entries))
    return {"packageVerificationCodeValue": hashlib.sha1(joined.encode()).hexdigest()}


def package_record(origin: Origin, entries: list[Entry]) -> dict:
    record = {
        "SPDXID": package_id(origin), "name": origin.name, "versionInfo": origin.version, "supplier": origin.supplier,
        "downloadLocation": NONE, "filesAnalyzed": True, "packageVerificationCode": verification_code(entries),
        "licenseConcluded": NONE, "licenseDeclared": declared(origin), "licenseInfoFromFiles": [NONE],
        "copyrightText": NONE, "comment": f"{origin.kind}; only the files named here are bundled.",
    }
    if origin.url:
        record["homepage"] = origin.url
    if origin.source:
        record["sourceInfo"] = origin.source
    if origin.purl:
        record["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                   "referenceLocator": origin.purl}]
    return record


def component_record(component: Component) -> dict:
    return {
        "SPDXID": component_id(component), "name": component.name, "supplier": NONE, "downloadLocation": NONE,
        "filesAnalyzed": False, "licenseConcluded": NONE, "licenseDeclared": component.licence, "copyrightText": NONE,
        "homepage": component.url, "comment": f"In {component.file} of {component.host}.",
    }


def whole_record(version: str, revision: str) -> dict:
    return {
        "SPDXID": WHOLE, "name": "bertha-bundle", "versionInfo": version, "supplier": NONE, "downloadLocation": NONE,
        "filesAnalyzed": False, "licenseConcluded": NONE, "licenseDeclared": NONE, "copyrightText": NONE,
        "sourceInfo": f"revision {revision}", "primaryPackagePurpose": "APPLICATION",
        "comment": "All that is bundled; its parts stand under their own licences.",
    }


def glibc_record(glibc: tuple[int, int]) -> dict:
    return {
        "SPDXID": "SPDXRef-glibc", "name": "glibc", "versionInfo": f"{glibc[0]}.{glibc[1]}", "supplier": NONE,
        "downloadLocation": NONE, "filesAnalyzed": False, "licenseConcluded": NONE, "licenseDeclared": NONE,
        "copyrightText": NONE, "comment": "Not bundled: the system's, this version or newer.",
    }


def relation(left: str, kind: str, right: str) -> dict:
    return {"spdxElementId": left, "relationshipType": kind, "relatedSpdxElement": right}


def dependencies(tree: Tree) -> list[dict]:
    """Which package's files link which package's, by the dynamic sections."""
    owners = {pathlib.PurePosixPath(path).name: entry.origin for path, entry in tree.entries.items()}
    pairs = set()
    for path, entry in tree.entries.items():
        if entry.binary:
            users = {owners[soname] for soname in needed(tree.top / path) if soname in owners} - {entry.origin}
            pairs |= {(package_id(entry.origin), package_id(other)) for other in users}
    return [relation(user, "DEPENDS_ON", used) for user, used in sorted(pairs)]


def relations(tree: Tree, components: list[Component], hosts: dict[str, str], compiled_in: list[Origin],
              with_glibc: bool) -> list[dict]:
    found = [relation("SPDXRef-DOCUMENT", "DESCRIBES", WHOLE)]
    for origin in tree.origins():
        found.append(relation(WHOLE, "CONTAINS", package_id(origin)))
        found += [relation(package_id(origin), "CONTAINS", spdx_id("file", entry.path)) for entry in tree.of(origin)]
    found += [relation(hosts[component.host], "CONTAINS", component_id(component)) for component in components]
    found += [relation(hosts["bertha"], "STATIC_LINK", package_id(origin)) for origin in compiled_in]
    if not with_glibc:
        found.append(relation("SPDXRef-glibc", "PREREQUISITE_FOR", WHOLE))
    return found + dependencies(tree)


def extracted(tree: Tree, components: list[Component], texts: dict[str, str]) -> list[dict]:
    """`texts`: LicenseRef -> text, of components."""
    found = {licence_ref(origin.name): "\n\n".join(text.read_text(errors="replace") for text in origin.texts)
             for origin in tree.origins() if declared(origin).startswith("LicenseRef-")}
    found |= {component.licence: texts[component.licence] for component in components if component.licence in texts}
    return [{"licenseId": name, "extractedText": text, "name": name.removeprefix("LicenseRef-")}
            for name, text in sorted(found.items())]


def sbom(tree: Tree, components: list[Component], *, version: str, revision: str, glibc: tuple[int, int],
         with_glibc: bool, compiled_in: list[Origin], texts: dict[str, str]) -> str:
    """`tree` has all files but this one. `with_glibc`: whether glibc is among them."""
    sums = "".join(f"{tree.entries[path].sha256}  {path}\n" for path in sorted(tree.entries))
    unique = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(f"{revision}\n{sums}".encode()).hexdigest())
    created = datetime.datetime.fromtimestamp(tree.epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    packages = [whole_record(version, revision)]
    packages += [package_record(origin, tree.of(origin)) for origin in tree.origins()]
    packages += [component_record(component) for component in components]
    if not with_glibc:
        packages.append(glibc_record(glibc))
    hosts = {origin.name: package_id(origin) for origin in tree.origins()}
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"bertha-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/bertha-{version}-{unique}",
        "creationInfo": {"created": created, "creators": [f"Tool: bertha-bundle-{version}"]},
        "packages": packages,
        "files": [file_record(tree.entries[path]) for path in sorted(tree.entries)],
        "relationships": relations(tree, components, hosts, compiled_in, with_glibc),
        "hasExtractedLicensingInfos": extracted(tree, components, texts),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
