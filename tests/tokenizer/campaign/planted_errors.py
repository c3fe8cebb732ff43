"""Whether the campaign notices what it is there for: files that are altered on one side only."""

import copy
import json

import inputs
from differences import Family
from families import loaded


def without_a_piece(content):
    vocab = content["model"]["vocab"]
    if isinstance(vocab, dict):
        model = content["model"]
        if "merges" in model:
            del model["merges"][len(model["merges"]) // 200]
        else:
            piece = next(piece for piece in vocab if vocab[piece] > 2000 and piece.isalpha())
            vocab[piece + "\u0001"] = vocab.pop(piece)
    else:
        vocab[len(vocab) // 200][1] -= 2.0


def with_ids_swapped(content):
    vocab = content["model"]["vocab"]
    if isinstance(vocab, dict):
        a, b = [piece for piece in vocab if piece.isalpha() and piece.isascii()][:2]
        vocab[a], vocab[b] = vocab[b], vocab[a]
    else:
        at = next(i for i, (piece, score) in enumerate(vocab) if score < 0)
        vocab[at][0], vocab[at + 1][0] = vocab[at + 1][0], vocab[at][0]


def with_another_normalizer(content):
    if content["normalizer"] is None:
        content["normalizer"] = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False,
                                 "strip_accents": False, "lowercase": False}
    elif content["normalizer"]["type"] == "BertNormalizer":
        content["normalizer"]["handle_chinese_chars"] ^= True
    else:
        content["normalizer"]["normalizers"] = [s for s in content["normalizer"]["normalizers"] if s["type"] != "StripAccents"]


def with_another_template(content):
    post = content["post_processor"]
    if post["type"] == "TemplateProcessing":
        post["pair"][-2]["Sequence" if "Sequence" in post["pair"][-2] else "SpecialToken"]["type_id"] ^= 1
    else:
        post["trim_offsets"] = not post["trim_offsets"]


def without_an_added_token(content):
    content["added_tokens"].pop()


ALTERATIONS = [without_a_piece, with_ids_swapped, with_another_normalizer, with_another_template, without_an_added_token]


def self_test(files, texts):
    """Every alteration must be noticed in a small share of the inputs."""
    failed = 0
    for name, file in files.items():
        content = loaded(file)
        for alter in ALTERATIONS:
            altered = copy.deepcopy(content)
            alter(altered)
            family = Family(content, altered)
            found = []
            for kind in ("pairs", "random", "real"):
                for number in range(2):
                    found = found or family.compare(inputs.chunk(kind, number, texts, family.specials))[0]
            shortest = family.minimised(found[0]) if found else None
            family.close()
            failed += not found
            print(f"{name} {alter.__name__}: {f'noticed, {json.dumps(shortest)[:120]}' if found else 'NOT NOTICED'}", flush=True)
    print(f"{failed} alterations went unnoticed")
    return 1 if failed else 0
