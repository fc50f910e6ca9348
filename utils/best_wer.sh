#!/usr/bin/env bash
# Prints the line with the lowest error rate, rate first and file last.
#
# Reads   files of compute-wer, or else standard input: lines of `grep WER <decode-dir>/wer_*` (the file in front), or
#         Sum/Avg rows of sclite's tables
# Writes  standard output: one line, `%WER 9.50 [ 10 / 100, 1 ins, 2 del, 7 sub ] exp/mono/decode/wer_10_0.5`; nothing
#         where no line states a rate
# Example: for x in exp/*/decode*; do grep WER $x/wer_* | utils/best_wer.sh; done
#          utils/best_wer.sh exp/mono/decode_test/wer_*
#
# Options: none
set -euo pipefail
if [ $# -ne 0 ] && [ "${1#-}" != "$1" ]; then
  if [ "$1" = --help ] || [ "$1" = -h ]; then
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
  fi
  echo "utils/best_wer.sh: unknown option $1 (usage: utils/best_wer.sh <wer-file>..., or grep WER ... | utils/best_wer.sh)" >&2
  exit 1
fi
for f in "$@"; do
  if [ ! -f "$f" ]; then
    echo "utils/best_wer.sh: no such file $f; make it with local/score.sh" >&2
    exit 1
  fi
done
# Plain python3 is enough and starts in a few hundredths of a second: no path.sh here.
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
PYTHONPATH=$root/pylib${PYTHONPATH:+:$PYTHONPATH} exec python3 -m sidamo.bin.best_wer "$@"
