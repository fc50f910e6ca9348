#!/usr/bin/env bash
# Writes utt2num_frames, the number of frames of each utterance, unless it is there.
#
# Reads   <data-dir>: feats.scp, or else utt2dur (made if absent)
# Writes  <data-dir>/utt2num_frames, <data-dir>/log/get_utt2num_frames.*.log
# Example: utils/data/get_utt2num_frames.sh data/train
#
# Usage: utils/data/get_utt2num_frames.sh [options] <data-dir>
#
# Options:
#   --nj N              parallel jobs; default 4
#   --cmd X             how they are run; default run.pl
#   --frame-shift S     seconds, where there is no feats.scp; default 0.01
#   --frame-overlap S   seconds by which the last window sticks out; default 0.015
set -euo pipefail

cmd=run.pl
nj=4
frame_shift=0.01
frame_overlap=0.015
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then
  echo "usage: $0 [options] <data-dir> (see: $0 --help)" >&2
  exit 1
fi
data=${1%/}

if [ -s "$data/utt2num_frames" ]; then
  echo "$0: $data/utt2num_frames already present!"
  exit 0
fi
if [ ! -f "$data/feats.scp" ]; then
  "$SIDAMO_ROOT/utils/data/get_utt2dur.sh" --nj "$nj" --cmd "$cmd" "$data"
  awk -v s="$frame_shift" -v o="$frame_overlap" '{print $1, int(($2 - o) / s)}' "$data/utt2dur" > "$data/utt2num_frames.tmp.$$"
else
  lines=$(wc -l < "$data/feats.scp")
  if [ "$lines" -lt "$nj" ]; then nj=$lines; fi
  "$SIDAMO_ROOT/utils/split_data.sh" --per-utt "$data" "$nj"
  $cmd JOB=1:"$nj" "$data/log/get_utt2num_frames.JOB.log" \
    feat-to-len "scp:$data/split${nj}utt/JOB/feats.scp" "ark,t:$data/split${nj}utt/JOB/utt2num_frames"
  for n in $(seq "$nj"); do cat "$data/split${nj}utt/$n/utt2num_frames"; done > "$data/utt2num_frames.tmp.$$"
fi
mv "$data/utt2num_frames.tmp.$$" "$data/utt2num_frames"
echo "$0: Computed and wrote $data/utt2num_frames"
