"""The work of utils/train_g2p.sh: `python -m sidamo.bin.train_g2p [options] <dict-dir> <g2p-dir>`."""

import os

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io.errors import DataError
    from sidamo.lang.g2p import train_g2p
    from sidamo.lang.lexicon import fields, read_lexicon, read_lines

    options = Options(__doc__)
    options.add("order", 5, "length of the longest n-grams of pieces")
    opts, (dict_dir, directory) = options.parse(argv, 2)
    if opts.order < 2:
        raise DataError(f"--order {opts.order}: expected 2 or more")
    name, numbers = ("lexiconp.txt", 1) if os.path.isfile(f"{dict_dir}/lexiconp.txt") else ("lexicon.txt", 0)
    path = f"{dict_dir}/silence_phones.txt"
    silence = {phone for line in read_lines(path) for phone in fields(line)} if os.path.isfile(path) else set()
    entries = read_lexicon(f"{dict_dir}/{name}", numbers)
    entries = [e for e in entries if not silence & set(e.phones) and e.word[0] not in "<!["]
    if not entries:
        raise DataError("no word with a pronunciation without silence", file=f"{dict_dir}/{name}")
    train_g2p(entries, opts.order, directory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
