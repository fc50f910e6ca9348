"""The work of utils/prepare_lang.sh: `python -m sidamo.bin.prepare_lang [options] <dict> <oov-word> <tmp> <lang>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.lang.prepare import PrepareOptions, prepare_lang

    options = Options(__doc__)
    options.group(PrepareOptions())
    values, (dict_dir, oov_word, tmp_dir, lang_dir) = options.parse(argv, 4)
    prepare_lang(dict_dir, oov_word, tmp_dir, lang_dir, values.make(PrepareOptions))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
