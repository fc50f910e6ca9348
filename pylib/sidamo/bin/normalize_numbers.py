"""normalize-numbers: write numbers, dates and times in figures, or speak them (English)."""

import sys

from sidamo.bin import tool
from sidamo.io.errors import OptionError
from sidamo.io.options import Options

USAGE = """Reads lines `<utterance> <words>` and writes them with numbers, dates and times in one form, so that
"twenty five" and "25" do not count as an error. A filter, e.g. for local/wer_output_filter.

Usage: python3 -m sidamo.bin.normalize_numbers [options] < text > normalized
E.g.: python3 -m sidamo.bin.normalize_numbers --to=spoken < data/test/text
See also: utils/scoring/normalize_text.py"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("to", "written", 'written ("25") or spoken ("twenty five")')
    options.add("key", True, "Lines begin with an utterance")
    opts, _ = options.parse(argv, num_args=0)
    if opts.to not in ("written", "spoken"):
        raise OptionError(f"--to={opts.to}: expected written or spoken")

    from sidamo.lang import itn

    convert = itn.to_written if opts.to == "written" else itn.to_spoken
    sys.stdin.reconfigure(encoding="utf-8")
    for line in sys.stdin:
        key, _, text = line.strip().partition(" ") if opts.key else ("", "", line)
        print(" ".join(filter(None, (key, convert(text)))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
