"""Copies a lang directory without its grammar: `python -m sidamo.bin.copy_lang <lang-dir> <out-lang-dir>`."""

import os
import shutil

from sidamo.bin import tool
from sidamo.io.options import Options

LEFT_OUT = ("G.fst", ".done", "tmp")


@tool
def main(argv=None) -> int:
    from sidamo.io.errors import DataError

    options = Options(__doc__)
    _, (source, target) = options.parse(argv, 2)
    if not os.path.isfile(f"{source}/words.txt"):
        raise DataError("no such file: not a lang directory", file=f"{source}/words.txt", mend="utils/prepare_lang.sh")
    if os.path.realpath(source) == os.path.realpath(target):
        return 0
    os.makedirs(target, exist_ok=True)
    for name in sorted(os.listdir(source)):
        if name in LEFT_OUT:
            continue
        if os.path.isdir(f"{source}/{name}"):
            shutil.copytree(f"{source}/{name}", f"{target}/{name}", dirs_exist_ok=True)
        else:
            shutil.copyfile(f"{source}/{name}", f"{target}/{name}.tmp{os.getpid()}")
            os.replace(f"{target}/{name}.tmp{os.getpid()}", f"{target}/{name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
