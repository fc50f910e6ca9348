#!/usr/bin/env bash
# Shows where two systems differ, utterance by utterance, those where the second is worse first.
#
# Reads   <decode-a>/scoring_kaldi/ and <decode-b>/scoring_kaldi/ as local/score.sh left them, scored on one reference
# Writes  standard output: for each utterance the errors of both, then reference and hypotheses one below the other
# Example: utils/compare.sh --max 20 exp/tdnn/decode_loop_test exp/tdnn/decode_3gram_test
#
# Options:
#   --max 0   # print at most this many utterances; 0: all
set -euo pipefail
max=0
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 2 ]; then
  echo "usage: utils/compare.sh [options] <decode-a> <decode-b>  (--help lists the options)" >&2
  exit 1
fi
exec python3 -m sidamo.bin.compare_decodes --print-args=false --max="$max" "$@"
