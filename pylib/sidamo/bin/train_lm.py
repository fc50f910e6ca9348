"""The work of utils/train_lm.sh: `python -m sidamo.bin.train_lm [options] <text> <arpa>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.lang.ngram import LmOptions, train
    from sidamo.lang.ngram_model import write_model

    options = Options(__doc__)
    options.group(LmOptions())
    values, (text, arpa) = options.parse(argv, 2)
    write_model(train(text, values.make(LmOptions)), arpa)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
