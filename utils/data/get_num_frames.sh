#!/usr/bin/env bash
# Prints about how many frames the features of a data directory have.
#
# Reads   <data-dir>/utt2dur (made if absent), frame_shift or feats.scp
# Writes  the number to standard output
# Example: utils/data/get_num_frames.sh data/train
#
# Usage: utils/data/get_num_frames.sh <data-dir>
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

"$SIDAMO_ROOT/utils/data/get_utt2dur.sh" "$data" >&2
frame_shift=$("$SIDAMO_ROOT/utils/data/get_frame_shift.sh" "$data")
awk -v s="$frame_shift" '{n += $2} END {printf("%.0f\n", n / s)}' "$data/utt2dur"
