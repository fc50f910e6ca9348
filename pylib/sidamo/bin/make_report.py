"""make-report: write the report of an experiment as one HTML file (the work behind steps/report.sh)."""

import os

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Writes one self-contained HTML page on an experiment: error rates, sweep, learning curves, confusions,
alignments, sound with posteriors and lattices, graphs, commands and versions.

Usage: python3 -m sidamo.bin.make_report [options] <exp-dir> <html-file>
E.g.: python3 -m sidamo.bin.make_report exp/tdnn exp/tdnn/report.html
See also: steps/report.sh"""


@tool
def main(argv=None) -> int:
    from sidamo.report.gather import ReportOptions, gather
    from sidamo.report.page import write

    options = Options(USAGE)
    options.group(ReportOptions())
    opts, (exp, path) = options.parse(argv, num_args=2)
    data = gather(exp, opts.make(ReportOptions))
    size = write(path, data)
    utterances = sum(len(system["utts"]) for system in data["systems"])
    print(f"{os.fspath(path)}: {len(data['systems'])} decode directories, {utterances} alignments, "
          f"{len(data['listen'])} utterances to hear, {len(data['graphs'])} graphs, {size / 1e6:.1f} MB")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
