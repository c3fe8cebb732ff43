#!/usr/bin/env python3
"""Collects real texts in many languages from Debian packages, without installing any of them.

    corpus.py [--folder DIR]      default: .cache/tokenizer-campaign in the repository

Translated manual pages, gettext catalogues, manuals, handbooks and fortunes are fetched with `apt-get download`, read
inside their archives, and cut into texts of 1 to 200 words. Writes into the folder
    debs/             the packages (kept: a second run downloads nothing)
    packages.txt      their names and versions: the result depends on these and on this file only
    texts.jsonl       {"lang", "source", "text"}: at most PER_LANGUAGE per language, in a fixed random order
    english.jsonl     {"text"}: English prose of 20 to 200 words, for timing
    training.txt      lines to train vocabularies on: all languages, English most
and prints how many texts there are of which language.
"""

import argparse
import collections
import concurrent.futures
import gettext
import gzip
import hashlib
import html.parser
import io
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tarfile

FOLDER = pathlib.Path(__file__).resolve().parents[3] / ".cache" / "tokenizer-campaign"
LONGEST_WORDS, CHARS_PER_WORD = 200, 8  # a text of a script without spaces ends after so many characters a word
PER_LANGUAGE = 500
ENGLISH_TEXTS = 4000
TRAINING_CHARS, TRAINING_CHARS_ENGLISH = 1_500_000, 40_000_000  # of each language; of English

LANGUAGES = {
    "manpages-": "cs cs-dev da da-dev de de-dev dev el es es-dev fi fr fr-dev hu id it it-dev ja ja-dev mk nb nl nl-dev pl "
                 "pl-dev pt-br pt-br-dev ro ru ru-dev sr sv tr uk uk-dev vi zh",
    "fortunes-": "bg br cs de eo es ga it pl ru zh",
    "debian-reference-": "de en es fr id it ja pt pt-br zh-cn zh-tw",
    "debian-faq-": "de fr it ja ko nl pt ru zh-cn",
    "developers-reference-": "de fr it ja ru",
    "maint-guide-": "ca de es fr it ja ru vi zh-cn zh-tw",
    "aptitude-doc-": "cs en es fi fr it ja nl ru",
    "libreoffice-help-": "ca cs da de dz el en-us es et eu fi fr gl hi hu id it ja km ko nl om pl pt pt-br ru sl sv tr vi zh-cn "
                         "zh-tw",
}
PACKAGES = [prefix + language for prefix, languages in LANGUAGES.items() for language in languages.split()]
PACKAGES += (
    "manpages fortunes fortunes-min debian-handbook debian-policy debian-faq developers-reference maint-guide "
    "installation-guide-amd64 coreutils bash gettext tar wget git iso-codes synaptic aptitude-common gnucash-common "
    "evolution-common nautilus-data libgtk-3-common gnome-user-docs gnumeric-common freeciv-data tuxtype-data vlc-l10n "
    "pidgin-data inkscape libglib2.0-data gnome-control-center-data dict-gcide dict-foldoc dict-jargon anarchism "
    "bible-kjv-text"
).split()
PROSE = ("anarchism", "debian-handbook", "installation-guide-amd64", "gnome-user-docs")

LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?(@[a-z]+)?")


def fetch(folder):
    """Downloads what is missing; returns {package: path of its archive}."""
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    archives = {path.name.split("_")[0]: path for path in debs.glob("*.deb")}
    missing = [package for package in PACKAGES if package not in archives]
    if missing:
        # As root, apt would drop to a user that may not write here.
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *missing], cwd=debs, check=True)
        archives = {path.name.split("_")[0]: path for path in debs.glob("*.deb")}
    (folder / "packages.txt").write_text("".join(f"{archives[p].stem}\n" for p in sorted(PACKAGES)))
    return {package: archives[package] for package in sorted(PACKAGES)}


def decoded(content):
    """Text of a file: nearly all are UTF-8; a few of the oldest name no encoding and are left out."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return ""


ROFF_TEXT_MACRO = re.compile(r"[.'][ \t]*(?:B|I|BR|RB|BI|IB|IR|RI|SM|SB|SH|SS|TP|IP|Nm|Nd|Sh|Ar|Fl|Em|Sy|Xr|Pa)\b[ \t]*(.*)")
ROFF_NAMED = {"aq": "'", "dq": '"', "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "en": "–", "em": "—", "bu": "•", "co": "©",
              "hy": "-", "ha": "^", "ti": "~", "rs": "\\", "Fo": "«", "Fc": "»", "->": "→", "mu": "×", "+-": "±"}


def roff_text(source):
    """What a manual page says, roughly: macros that carry text keep it, the others go."""
    lines = []
    for line in source.splitlines():
        if line[:1] in (".", "'"):
            macro = ROFF_TEXT_MACRO.match(line)
            if not macro:
                continue
            line = re.sub(r'"([^"]*)"', r"\1", macro[1])
        line = re.sub(r"\\[\"#].*", "", line)
        line = re.sub(r"\\f(\[\w*\]|\(..|.)|\\s[-+]?\d|\\[&|^/,:%)]|\\c$", "", line)
        line = re.sub(r"\\\[u([0-9A-F]{4,6})\]", lambda m: chr(int(m[1], 16)), line)
        line = re.sub(r"\\\((..)|\\\[(..)\]", lambda m: ROFF_NAMED.get(m[1] or m[2], ""), line)
        line = re.sub(r"\\\*(\(..|\[\w*\]|.)", "", line)
        line = line.replace("\\-", "-").replace("\\ ", " ").replace("\\~", "\u00a0").replace("\\e", "\\").replace("\\'", "´")
        if line.strip():
            lines.append(line)
    return "\n".join(lines)


class Paragraphs(html.parser.HTMLParser):
    """The running text of HTML or XML, one line per block."""

    BLOCKS = {"p", "li", "dd", "dt", "td", "th", "h1", "h2", "h3", "h4", "h5", "title", "div", "br", "item", "section", "note"}
    SILENT = {"script", "style", "head", "pre", "nav"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.silent = [], 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in self.SILENT
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        if tag in self.SILENT:
            self.silent = max(0, self.silent - 1)
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(re.sub(r"[ \t\r\n]+", " ", data))


def markup_text(source):
    parser = Paragraphs()
    parser.feed(source)
    lines = (line.strip(" ") for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if len(line) > 3)


def catalogue_text(content):
    """The translations of a gettext catalogue, one after the other."""
    try:
        catalogue = gettext.GNUTranslations(io.BytesIO(content))._catalog
    except (UnicodeDecodeError, LookupError, OSError, ValueError, IndexError):
        return ""
    return "\n".join(said for key, said in catalogue.items() if key and said and said != key)


def language_of(path, package):
    """A path's own locale, else the one that the package is named after, else English."""
    parts = path.split("/")
    if "man" in parts and LOCALE.fullmatch(parts[parts.index("man") + 1]):
        return parts[parts.index("man") + 1]
    for parent in ("locale", "help", "html", "doc", package):
        if parent in parts[:-1]:
            after = parts[parts.index(parent) + 1]
            if LOCALE.fullmatch(after) and after not in ("doc", "man", "hu1", "txt", "www", "faq"):
                return after
    named = re.search(r"\.([a-z]{2}(?:-[a-z]{2})?)\.(?:html|txt)(?:\.gz)?$", path)
    if named:
        return named[1]
    for prefix in LANGUAGES:
        if package.startswith(prefix) and prefix != "manpages-" and package not in ("fortunes-min",):
            return package.removeprefix(prefix)
    return "en"


def text_of(path, content):
    if path.endswith(".gz"):
        content = gzip.decompress(content)
        path = path.removesuffix(".gz")
    if path.endswith(".mo"):
        return catalogue_text(content)
    if "/man/" in path and re.search(r"\.\d\w*$", path):
        return roff_text(decoded(content))
    if path.endswith((".html", ".xhtml", ".page", ".htm")):
        return markup_text(decoded(content))
    if "/games/fortunes" in path and not path.endswith((".dat", ".u8")):
        return decoded(content).replace("\n%\n", "\n")
    if path.endswith(".dict.dz"):
        return decoded(gzip.decompress(content))
    if path.endswith((".txt", "bible.rawtext")):
        return decoded(content)
    return ""


def documents(package, archive):
    """(language, package, text) of each file that has something to say, in the order of their paths."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True).stdout
    found = []
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        for member in members:
            path = member.name
            if not member.isfile() or "/changelog" in path or "/copyright" in path or "/LC_MESSAGES/" not in path and (
                    "/locale/" in path):
                continue
            text = text_of(path, members.extractfile(member).read())
            if text.strip():
                found.append((path, language_of(path.lstrip("./"), package).replace("-", "_"), text))
    return [(language, package, text) for path, language, text in sorted(found)]


def cuts(text, rng, shortest=1):
    """The text in pieces of `shortest` to LONGEST_WORDS words, short ones and long ones equally common on a log scale."""
    words = list(re.finditer(r"\S+", text))
    at = 0
    while at < len(words):
        count = round(math.exp(rng.uniform(math.log(shortest), math.log(LONGEST_WORDS + 0.49))))
        begin, last = words[at].start(), words[min(at + count, len(words)) - 1].end()
        end = min(last, begin + CHARS_PER_WORD * count)
        if end < last and not any(c.isspace() for c in text[begin:end]):
            end = max(end, begin + 1)
        if at + count <= len(words) or end < last or shortest == 1:
            yield text[begin:end]
        while at < len(words) and words[at].end() <= end:
            at += 1
        if at < len(words) and words[at].start() < end:  # in the middle of a word: go on there
            rest = text[end : words[at].end()]
            words[at] = _Rest(end, words[at].end()) if rest.strip() else words[at]
            at += not rest.strip()


class _Rest:
    """What a cut left of a word; quacks like the match that it was cut from."""

    def __init__(self, begin, end):
        self.start, self.end = (lambda: begin), (lambda: end)


def unique(texts):
    seen = set()
    for text in texts:
        digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
        if digest not in seen:
            seen.add(digest)
            yield text


def collect(folder):
    archives = fetch(folder)
    by_language = collections.defaultdict(list)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        for found in pool.map(documents, archives.keys(), archives.values()):
            for language, package, text in found:
                by_language["en" if language in ("en_us", "en_US", "C") else language].append((package, text))
    return by_language


def campaign_texts(by_language):
    chosen = []
    for language in sorted(by_language):
        rng = random.Random(f"texts {language}")
        source_of, texts = {}, []
        for package, text in by_language[language]:
            for piece in cuts(text, rng):
                source_of.setdefault(piece, package)
                texts.append(piece)
        texts = list(unique(texts))
        for text in rng.sample(texts, min(PER_LANGUAGE, len(texts))):
            chosen.append({"lang": language, "source": source_of[text], "text": text})
    return chosen


def english_texts(by_language):
    rng = random.Random("english")
    prose = [text for package, text in by_language["en"] if package in PROSE]
    texts = [piece for text in prose for piece in cuts(text, rng, 20) if len(piece.split()) >= 20]
    texts = list(unique(texts))
    return [{"text": text} for text in rng.sample(texts, min(ENGLISH_TEXTS, len(texts)))]


def training_lines(by_language):
    for language in sorted(by_language):
        room = TRAINING_CHARS_ENGLISH if language == "en" else TRAINING_CHARS
        texts = list(by_language[language])
        random.Random(f"training {language}").shuffle(texts)
        for line in unique(line.strip() for _, text in texts for line in text.splitlines()):
            if 2 < len(line) < 4000 and room > 0:
                room -= len(line)
                yield line


def write_lines(path, objects):
    with path.open("w", encoding="utf-8") as file:
        for item in objects:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    folder = parser.parse_args().folder
    by_language = collect(folder)
    texts = campaign_texts(by_language)
    write_lines(folder / "texts.jsonl", texts)
    english = english_texts(by_language)
    write_lines(folder / "english.jsonl", english)
    with (folder / "training.txt").open("w", encoding="utf-8") as file:
        for line in training_lines(by_language):
            file.write(line + "\n")
    counts = collections.Counter(item["lang"] for item in texts)
    print("  ".join(f"{language} {count}" for language, count in sorted(counts.items())))
    languages = {re.split("[_@]", language)[0] for language in counts}
    many = sum(count >= 100 for count in counts.values())
    print(f"{len(texts)} texts in {len(languages)} languages ({many} locales with 100 or more); {len(english)} English ones "
          f"to time; {(folder / 'training.txt').stat().st_size / 1e6:.0f} MB to train on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
