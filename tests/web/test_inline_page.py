"""cmake/inline_page.py: a page in one file, and what it refuses because it could not be one."""

import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "cmake" / "inline_page.py"
PAGE = """<head>
<meta http-equiv="Content-Security-Policy">
  <link rel="stylesheet" href="a.css">
</head>
<img src="icon.svg"><script type="module" src="main.js"></script>
"""


@pytest.fixture
def inlined(tmp_path):
    """inlined({"main.js": ...}, ...) is the finished page, or raises with what was said."""

    def make(modules, page=PAGE, values=()):
        files = {"page.html": page, "a.css": "p { color: red }\n", "icon.svg": "<svg/>", "main.js": ""} | modules
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        command = [sys.executable, SCRIPT, tmp_path / "page.html", tmp_path / "out.html", *values]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(done.stderr)
        return (tmp_path / "out.html").read_text()

    return make


def test_a_page_is_in_one_file_and_its_modules_keep_their_names_apart(page, inlined, tmp_path):
    inlined({"main.js": 'import {twice} from "./twice.js";\nconst hidden = 21;\ndocument.title = String(twice(hidden));\n',
             "twice.js": 'import {\n  two,\n} from "./two.js";\nconst hidden = two;\nexport function twice(value) {\n  return hidden * value;\n}\n',
             "two.js": "export const two = 2;\n"})
    p = page((tmp_path / "out.html").as_uri())
    p.wait(lambda: p.driver.title == "42", "the script has run")
    assert p.js("return getComputedStyle(document.body.appendChild(document.createElement('p'))).color") == "rgb(255, 0, 0)"
    assert p.js("return document.images[0].src").startswith("data:image/svg+xml")


@pytest.mark.parametrize("modules, why", [
    ({"main.js": 'import {a as b} from "./a.js";\n', "a.js": "export const a = 1;\n"}, "main.js renames what it imports"),
    ({"main.js": 'import * as a from "./a.js";\n', "a.js": ""}, "cannot inline `import * as a"),
    ({"main.js": "export default 7;\n"}, "cannot inline `export default"),
    ({"main.js": 'import {a} from "./a.js";\nimport {b} from "./b.js";\n', "a.js": "export const a = 1;\n",
      "b.js": "export const b = 1;\nexport function a() {}\n"}, "b.js and a.js both export a"),
    ({"main.js": 'const end = "</script>";\n'}, "would end its script element"),
])
def test_what_could_not_work_is_refused(inlined, modules, why):
    with pytest.raises(ValueError) as refused:
        inlined(modules)
    assert why in str(refused.value)


def test_a_page_without_a_policy_is_refused(inlined):
    with pytest.raises(ValueError) as refused:
        inlined({}, PAGE.replace("Content-Security-Policy", "refresh"))
    assert "must have one module" in str(refused.value)


def test_pages_that_differ_in_words_share_a_file(inlined):
    page = PAGE.replace("main.js", "$name.js") + "<title>$title</title>"
    made = inlined({"other.js": "const price = `$title`;\n"}, page, ["name=other", "title=1 = 1"])
    assert "<title>1 = 1</title>" in made and "const price = `$title`;" in made


def test_a_word_without_a_value_is_refused(inlined):
    with pytest.raises(ValueError, match=r"page.html needs a value for \$title"):
        inlined({}, PAGE + "<title>$title</title>", ["name=other"])
