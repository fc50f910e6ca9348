#!/usr/bin/env bash
# Writes utt2dur, the duration in seconds of each utterance, unless it is there.
#
# Reads   <data-dir>: segments, or else wav.scp (the headers of the files), or else feats.scp
# Writes  <data-dir>/utt2dur, <data-dir>/log/get_durations.*.log
# Example: utils/data/get_utt2dur.sh data/train
#
# Usage: utils/data/get_utt2dur.sh [options] <data-dir>
#
# Options:
#   --nj N                          parallel jobs; default 4
#   --cmd X                         how they are run; default run.pl
#   --frame-shift S                 seconds a frame, where only feats.scp is there; default 0.01 (or the file frame_shift)
#   --read-entire-file true|false   count the samples instead of trusting the headers; default false
#   --permissive true|false         leave out recordings that cannot be read; default false
set -euo pipefail

frame_shift=0.01
cmd=run.pl
nj=4
read_entire_file=false
permissive=false
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then
  echo "usage: $0 [options] <data-dir> (see: $0 --help)" >&2
  exit 1
fi
data=${1%/}

if [ ! -f "$data/utt2spk" ]; then
  echo "$0: $data/utt2spk: no such file; run the stage that makes the data directory" >&2
  exit 1
fi
if [ -s "$data/utt2dur" ] && [ "$(wc -l < "$data/utt2dur")" -eq "$(wc -l < "$data/utt2spk")" ]; then
  echo "$0: $data/utt2dur already exists with the expected length. We won't recompute it."
  exit 0
fi
if [ -f "$data/segments" ]; then
  # An end of -1 is the end of the recording, whose duration is then needed.
  if awk '$4 == -1 {found = 1} END {exit !found}' "$data/segments"; then
    "$SIDAMO_ROOT/utils/data/get_reco2dur.sh" --nj "$nj" --cmd "$cmd" --read-entire-file "$read_entire_file" "$data"
  fi
  python -m sidamo.io.durations segments "$data" "$data/utt2dur"
elif [ -f "$data/wav.scp" ]; then
  python -m sidamo.io.durations recordings "$data" "$data/utt2dur" "$nj" "$cmd" "$read_entire_file" "$permissive"
elif [ -f "$data/feats.scp" ]; then
  if [ -f "$data/frame_shift" ]; then frame_shift=$(cat "$data/frame_shift"); fi
  feat-to-len "scp:$data/feats.scp" ark,t:- | awk -v s="$frame_shift" '{print $1, $2 * s}' > "$data/utt2dur.tmp.$$"
  mv "$data/utt2dur.tmp.$$" "$data/utt2dur"
else
  echo "$0: $data has neither segments nor wav.scp nor feats.scp, one of which is needed" >&2
  exit 1
fi
echo "$0: computed $data/utt2dur: done $(wc -l < "$data/utt2dur")/$(wc -l < "$data/utt2spk") utterances"
