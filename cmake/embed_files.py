"""Writes a folder's files as C++: embed_files.py FOLDER OUT FUNCTION makes OUT.cc and OUT.h (see BerthaEmbed.cmake)."""

import gzip
import hashlib
import pathlib
import sys

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
HEADER = """#pragma once
#include <span>

#include "server/http/static_file.h"

namespace bertha::server {{
std::span<const StaticFile> {function}();
}}  // namespace bertha::server
"""
SOURCE = """#include "embedded/{name}.h"

namespace bertha::server {{
namespace {{
{arrays}
template <size_t size>
constexpr absl::string_view View(const unsigned char (&bytes)[size]) {{
  // The last one is there because an array cannot be empty.
  return {{reinterpret_cast<const char*>(bytes), size - 1}};
}}
}}  // namespace

std::span<const StaticFile> {function}() {{
  static const StaticFile files[] = {{
{entries}
  }};
  return files;
}}
}}  // namespace bertha::server
"""


def array(name, data):
    rows = (data[i : i + 40] for i in range(0, len(data), 40))
    body = "\n".join("".join(f"{byte}," for byte in row) for row in rows)
    return f"const unsigned char {name}[] = {{\n{body}\n0}};"


def smaller(data):
    """`data` gzipped, always to the same bytes; empty if that does not save a tenth."""
    packed = gzip.compress(data, 9, mtime=0)
    return packed if len(packed) < 0.9 * len(data) else b""


def main(folder, out, function):
    folder, out = pathlib.Path(folder), pathlib.Path(out)
    arrays, entries = [], []
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        if path.suffix not in CONTENT_TYPES:
            sys.exit(f"{path}: embed_files.py knows no content type for {path.suffix or 'a name without suffix'}")
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()[:32]
        arrays += [array(f"kBytes{number}", data), array(f"kGzip{number}", smaller(data))]
        name = path.relative_to(folder).as_posix()
        entries.append(f'      {{"{name}", "{CONTENT_TYPES[path.suffix]}", "{digest}", View(kBytes{number}), '
                       f"View(kGzip{number})}},")
    if not entries:
        sys.exit(f"{folder}: there is no file to embed")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_name(out.name + ".h").write_text(HEADER.format(function=function))
    text = SOURCE.format(name=out.name, arrays="\n".join(arrays), function=function, entries="\n".join(entries))
    out.with_name(out.name + ".cc").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
