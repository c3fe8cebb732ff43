"""`bertha eval` of a real server agrees with what Python computes from the same packages."""

import json
import shutil
import subprocess
import sys

from e2e_support import ROOT

NAMES = ("bert", "albert")
POSTS = 300


def test_the_demo_models_are_as_right_as_in_their_comparison(program, daemon, tmp_path):
    sys.path[:0] = [str(ROOT / "demo")]
    import timing
    from compare_sentiment import judge
    from heldout import heldout

    models = tmp_path / "models"
    for name in NAMES:
        shutil.copytree(ROOT / "demo" / "models" / f"sentiment-{name}", models / f"sentiment-{name}")
    posts = heldout()
    posts = posts[:: len(posts) // POSTS]
    file = tmp_path / "posts.jsonl"
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in posts))
    d = daemon(models=models)
    done = subprocess.run([program("bertha"), "eval", "--address", d.address, "-f", file, "--json"], capture_output=True,
                          check=True, timeout=120)
    found = {model["name"]: model for model in json.loads(done.stdout)["models"]}
    assert set(found) == {f"sentiment-{name}" for name in NAMES}
    for name, model in found.items():
        wanted = judge(timing.load(ROOT / "demo" / "models" / name / "1"), posts)
        assert model["texts"] == len(posts) and model["failed"] == 0
        assert abs(model["accuracy"] - wanted.accuracy) < 1e-12
        assert abs(model["macro_f1"] - wanted.macro_f1) < 1e-12
        assert abs(model["mcc"] - wanted.mcc) < 1e-12
        assert model["weight_bytes"] > 0 and model["compute_us_per_text"] > 0
