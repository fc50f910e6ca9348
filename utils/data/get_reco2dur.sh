#!/usr/bin/env bash
# Writes reco2dur, the duration in seconds of each recording, unless it is there.
#
# Reads   <data-dir>/wav.scp (and the headers of the files)
# Writes  <data-dir>/reco2dur, <data-dir>/log/get_durations.*.log
# Example: utils/data/get_reco2dur.sh data/train
#
# Usage: utils/data/get_reco2dur.sh [options] <data-dir>
#
# Options:
#   --nj N                          parallel jobs; default 4
#   --cmd X                         how they are run; default run.pl
#   --frame-shift S                 accepted as in Kaldi, not used
#   --read-entire-file true|false   count the samples instead of trusting the headers; default false
#   --permissive true|false         leave out recordings that cannot be read; default false
set -euo pipefail

# shellcheck disable=SC2034 # Kaldi's script has this option too, and no use for it
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

if [ ! -f "$data/wav.scp" ]; then
  echo "$0: $data/wav.scp: no such file; run the stage that makes the data directory" >&2
  exit 1
fi
if [ -s "$data/reco2dur" ] && [ "$(wc -l < "$data/reco2dur")" -eq "$(wc -l < "$data/wav.scp")" ]; then
  echo "$0: $data/reco2dur already exists with the expected length. We won't recompute it."
  exit 0
fi
if [ -s "$data/utt2dur" ] && [ ! -f "$data/segments" ]; then
  cp "$data/utt2dur" "$data/reco2dur.tmp.$$"
  mv "$data/reco2dur.tmp.$$" "$data/reco2dur"
else
  python -m sidamo.io.durations recordings "$data" "$data/reco2dur" "$nj" "$cmd" "$read_entire_file" "$permissive"
fi
echo "$0: computed $data/reco2dur: done $(wc -l < "$data/reco2dur")/$(wc -l < "$data/wav.scp") recordings"
