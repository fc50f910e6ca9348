#!/usr/bin/env bash
# Prints the frame shift of a data directory's features in seconds, such as 0.01.
#
# Reads   <data-dir>/frame_shift, or else utt2dur (made if absent) and the lengths of the first features
# Writes  the number to standard output
# Example: utils/data/get_frame_shift.sh data/train
#
# Usage: utils/data/get_frame_shift.sh <data-dir>
#
# Options: none but --help
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then
  echo "usage: $0 <data-dir> (see: $0 --help)" >&2
  exit 1
fi
data=${1%/}

if [ -s "$data/frame_shift" ]; then
  cat "$data/frame_shift"
  exit 0
fi
if [ ! -f "$data/feats.scp" ]; then
  echo "$0: $data/feats.scp: no such file; make it first: steps/make_fbank.sh $data" >&2
  exit 1
fi
"$SIDAMO_ROOT/utils/data/get_utt2dur.sh" "$data" >&2
head -n 10 "$data/feats.scp" > "$data/feats.tmp.$$"
trap 'rm -f "$data/feats.tmp.$$"' EXIT
# A little above 10 ms is 10 ms: the last window does not fit.
feat-to-len "scp:$data/feats.tmp.$$" ark,t:- | paste -d ' ' <(head -n 10 "$data/utt2dur") - |
  awk '{d += $2; n += $4} END {s = d / n; print (s > 0.01 && s < 0.0102) ? 0.01 : s}'
