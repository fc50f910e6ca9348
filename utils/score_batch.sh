#!/usr/bin/env bash
# Makes one table of every system on every test set: error rates with intervals, significance, speed, size.
#
# Reads   <decode-dir>/scoring_kaldi/ as local/score.sh left it, <decode-dir>/log/decode.*.log, the model's training log
# Writes  <out>.tsv, <out>.json, <out>.html; <decode-dir>/scoring_kaldi/summary.json (so that a second run is fast)
# Example: utils/score_batch.sh exp/*/decode_*
#
# WER, CER and SER in percent, insertions, deletions, substitutions, the bootstrap's 95% interval (Bisani and Ney 2004), and for any
# two systems on one test set sclite's matched-pairs test and the bootstrap's probability of improvement.
#
# Options:
#   --out exp/score_batch   # where the table goes (three files); "" writes none
#   --format table          # what is printed: table, tsv, json, none
set -euo pipefail
out=exp/score_batch
format=table
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -eq 0 ]; then
  echo "usage: utils/score_batch.sh [options] <decode-dir>...  (--help lists the options)" >&2
  exit 1
fi
exec python3 -m sidamo.bin.score_batch --print-args=false --out="$out" --format="$format" "$@"
