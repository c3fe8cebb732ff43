"""What differs between the two implementations, and the shortest input that shows it."""

import json
import pathlib
import tempfile

import orjson

from implementations import CRASH, Ours, Theirs

PARTS = ("ids", "type_ids", "special_tokens_mask", "word_ids", "offsets", "byte_offsets", "tokens")


def same(line, reference):
    """Whether a line of ours says what the library says. Nearly always it is the very line that would be written for it."""
    if "overflow" not in reference and "ids" in reference:
        if line == orjson.dumps({**reference, "full_length": len(reference["ids"])}, option=orjson.OPT_SORT_KEYS):
            return True
    # Tuples become lists.
    return equal(orjson.loads(line), orjson.loads(orjson.dumps(reference)))


def equal(mine, reference):
    """Where the library refuses (a limit, say) we must too."""
    if reference.get("error") or "error" in mine or "crash" in mine:
        return bool(reference.get("error")) and "error" in mine
    if any(mine.get(part) != reference[part] for part in PARTS):
        return False
    if "overflow" not in reference:
        return True
    return len(mine["overflow"]) == len(reference["overflow"]) and all(map(equal, mine["overflow"], reference["overflow"]))


class Family:
    """One tokenizer.json in both implementations."""

    def __init__(self, content, altered=None):
        self.content = content
        self.directory = tempfile.TemporaryDirectory(prefix="campaign-")
        file = pathlib.Path(self.directory.name) / "tokenizer.json"
        file.write_text(json.dumps(altered or content), encoding="utf-8")
        self.ours, self.theirs = Ours(file), Theirs(content)
        self.specials = [token["content"] for token in content["added_tokens"]] or ["[MASK]"]

    def close(self):
        self.ours.stop()
        self.directory.cleanup()

    def compare(self, given):
        """The inputs that differ, and how many the library itself could not do."""
        mine, reference = self.ours.answers(given), self.theirs.answers(given)
        refused = [i for i, answer in enumerate(reference) if answer.get("error") and "max_length" not in given[i]]
        different = [i for i in range(len(given)) if i not in set(refused) and not same(mine[i], reference[i])]
        # A crash is never excused.
        different += [i for i in refused if mine[i] == CRASH]
        return [given[i] for i in different], len(refused)

    def differs(self, line):
        return bool(self.compare([line])[0])

    def minimised(self, line, tries=300):
        """A shorter input that still differs, by leaving out ever smaller parts."""
        for key in ("text", "pair"):
            size = len(line.get(key, "")) // 2
            while size and tries > 0:
                at = 0
                while at < len(line[key]) and tries > 0:
                    shorter = {**line, key: line[key][:at] + line[key][at + size :]}
                    tries -= 1
                    if self.differs(shorter):
                        line = shorter
                    else:
                        at += size
                size //= 2
        return line

    def example(self, line):
        line = self.minimised(line)
        mine = orjson.loads(self.ours.answers([line])[0])
        reference = orjson.loads(orjson.dumps(self.theirs.answers([line])[0]))
        parts = [part for part in (*PARTS, "overflow") if mine.get(part) != reference.get(part)]
        if "crash" in mine or "error" in mine or "error" in reference:
            return {"input": line, "ours": {k: mine[k] for k in mine if k in ("crash", "error", "ids")},
                    "theirs": {k: reference[k] for k in reference if k in ("error", "ids")}}
        return {"input": line, "ours": {part: mine.get(part) for part in parts},
                "theirs": {part: reference.get(part) for part in parts}}
