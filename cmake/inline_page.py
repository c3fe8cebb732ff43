"""One file of a page that has several: inline_page.py PAGE.html OUT.html [NAME=VALUE...]

Pages that differ in a few words share a PAGE.html: each `$NAME` in it becomes VALUE.

Style sheets, pictures and the module that PAGE.html names, and what that module imports, go into OUT.html, which then
needs no server and no network. Its policy lets nothing else run: the script and the style are allowed by their hashes.

Each module becomes a function that returns what it exports, after those that it needs. So they import by name only
(`import {a, b} from "./c.js"`), and no two of them may export the same name; what breaks this is refused here.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
import re
import string
import sys
from typing import NoReturn

STYLE = re.compile(r'[ \t]*<link rel="stylesheet" href="([^"]+)">\n')
SCRIPT = re.compile(r'<script type="module" src="([^"]+)"></script>')
PICTURE = re.compile(r'(?<==")([^":]+\.svg)(?=")')
IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"([^"]+)";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const|let) +(\w+))", re.M)
POLICY = '<meta http-equiv="Content-Security-Policy">'


def refuse(why: str) -> NoReturn:
    sys.exit(f"inline_page.py: {why}")


def modules_of(path: pathlib.Path, known: dict[pathlib.Path, str]) -> None:
    """Adds the module and what it imports to `known`, each after those that it needs."""
    path = path.resolve()
    if path in known:
        return
    text = path.read_text(encoding="utf-8")
    for names, imported in IMPORT.findall(text):
        if " as " in names:
            refuse(f"{path.name} renames what it imports from {imported}")
        modules_of(path.parent / imported, known)
    known[path] = text


def bundle(path: pathlib.Path) -> str:
    modules: dict[pathlib.Path, str] = {}
    modules_of(path, modules)
    owners: dict[str, str] = {}
    parts = []
    for module, text in modules.items():
        names = EXPORT.findall(text)
        for name in names:
            if name in owners:
                refuse(f"{module.name} and {owners[name]} both export {name}")
            owners[name] = module.name
        code = EXPORT.sub("", IMPORT.sub("", text))
        if left := re.search(r"^(import|export)\b.*", code, re.M):
            refuse(f"{module.name}: cannot inline `{left[0]}`")
        parts.append(f"const {{{', '.join(names)}}} = (() => {{\n{code}\nreturn {{{', '.join(names)}}};\n}})();\n")
    code = "\n".join(parts)
    if re.search(r"</script|<!--", code, re.I):
        refuse(f"{path.name} or what it imports would end its script element")
    return code


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def picture(path: pathlib.Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def filled(page: pathlib.Path, values: dict[str, str]) -> str:
    try:
        return string.Template(page.read_text(encoding="utf-8")).substitute(values)
    except KeyError as missing:
        refuse(f"{page.name} needs a value for ${missing.args[0]}")


def inline(page: pathlib.Path, values: dict[str, str]) -> str:
    html = filled(page, values)
    style = "\n" + "".join((page.parent / name).read_text(encoding="utf-8") for name in STYLE.findall(html))
    scripts = SCRIPT.findall(html)
    if len(scripts) != 1 or POLICY not in html:
        refuse(f"{page.name} must have one module and {POLICY}")
    code = "\n" + bundle(page.parent / scripts[0])
    policy = f"default-src 'none'; img-src data:; script-src '{digest(code)}'; style-src '{digest(style)}'; base-uri 'none'"
    html = STYLE.sub("", html).replace("</head>", f"  <style>{style}</style>\n</head>")
    html = html.replace(POLICY, f'{POLICY[:-1]} content="{policy}; form-action \'none\'">')
    html = PICTURE.sub(lambda found: picture(page.parent / found[1]), html)
    return SCRIPT.sub(lambda _: f'<script type="module">{code}</script>', html)


if __name__ == "__main__":
    source, out = map(pathlib.Path, sys.argv[1:3])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(inline(source, dict(word.split("=", 1) for word in sys.argv[3:])), encoding="utf-8")
