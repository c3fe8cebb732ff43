"""Prints the requirements of the given lists that this environment lacks: `name==version MB`, one a line.

pip writes RECORD last, so an installation that was cut off counts as missing. Looks at file names only: milliseconds
where pip takes a second.
"""

import pathlib
import re
import sys
import sysconfig


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def installed():
    for record in pathlib.Path(sysconfig.get_path("purelib")).glob("*.dist-info/RECORD"):
        name, _, version = record.parent.name.removesuffix(".dist-info").rpartition("-")
        yield normalized(name), version


def main(lists):
    have = set(installed())
    for path in lists:
        for line in pathlib.Path(path).read_text().splitlines():
            spec, _, size = line.partition("#")
            name, _, version = spec.strip().partition("==")
            if name and (normalized(name), version) not in have:
                print(f"{name}=={version} {size.strip() or 0}")


if __name__ == "__main__":
    main(sys.argv[1:])
