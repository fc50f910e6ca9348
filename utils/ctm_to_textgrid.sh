#!/usr/bin/env bash
# Turns a CTM into Praat's TextGrids: one file a recording and channel, a tier of words, a tier of confidences if given.
#
# Reads   <ctm>: lines `recording channel begin duration word [confidence]`
# Writes  <out-dir>/<recording>.TextGrid (with several channels: <recording>_<channel>.TextGrid)
# Example: utils/ctm_to_textgrid.sh --durations data/test/utt2dur exp/tdnn/decode_test/score_10/test.ctm exp/tdnn/textgrids
#
# Options:
#   --durations ""      utt2dur or reco2dur: lines `recording seconds`; default: a TextGrid ends with its last word
#   --tier words        name of the tier
set -euo pipefail
durations=
tier=words
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 2 ]; then
  echo "usage: utils/ctm_to_textgrid.sh [options] <ctm> <out-dir>; --help lists the options" >&2
  exit 1
fi
exec python3 -m sidamo.bin.ctm_to_textgrid --print-args=false "--durations=$durations" "--tier=$tier" "$1" "$2"
