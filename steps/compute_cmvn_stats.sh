#!/usr/bin/env bash
# Computes mean and variance statistics of the features of each speaker.
#
# Reads   <data>/feats.scp, spk2utt
# Writes  <cmvn-dir>/cmvn_<name>.{ark,scp}; <data>/cmvn.scp
# Example: steps/compute_cmvn_stats.sh data/train exp/make_fbank/train fbank
#
# Usage: steps/compute_cmvn_stats.sh [options] <data> [<log-dir> [<cmvn-dir>]]; by default <data>/log and <data>/data
#
# Options:
#   --fake false     statistics that change nothing (mean 0, variance 1), for features that need no normalization
#   --fake-dims ""   colon-separated columns (0 is the first) whose statistics are such
set -euo pipefail
fake=false
fake_dims=
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  echo "usage: steps/compute_cmvn_stats.sh [options] <data> [<log-dir> [<cmvn-dir>]]; --help lists the options" >&2
  exit 1
fi
data=${1%/}
log_dir=${2:-$data/log}
cmvn_dir=${3:-$data/data}
if [ ! -s "$data/feats.scp" ]; then
  echo "compute_cmvn_stats.sh: $data/feats.scp is missing or empty; to mend: steps/make_fbank.sh $data" >&2
  exit 1
fi
if [ ! -s "$data/spk2utt" ]; then
  echo "compute_cmvn_stats.sh: $data/spk2utt is missing or empty; to mend: utils/fix_data_dir.sh $data" >&2
  exit 1
fi
mkdir -p "$log_dir" "$cmvn_dir"
cmvn_dir=$(cd "$cmvn_dir" && pwd)
name=$(basename "$data")
target=$cmvn_dir/cmvn_$name
log=$log_dir/cmvn_$name.log
command=(compute-cmvn-stats "--spk2utt=ark:$data/spk2utt" "scp:$data/feats.scp" "ark,scp:$target.ark,$target.scp")
if [ "$fake" = true ]; then
  command=(python3 -m sidamo.bin.fake_cmvn_stats "--spk2utt=ark:$data/spk2utt" "scp:$data/feats.scp" "ark,scp:$target.ark,$target.scp")
elif [ -n "$fake_dims" ]; then
  command=(python3 -m sidamo.bin.fake_cmvn_stats "--spk2utt=ark:$data/spk2utt" "--dims=$fake_dims" "scp:$data/feats.scp"
    "ark,scp:$target.ark,$target.scp")
fi
if ! "${command[@]}" 2>"$log"; then
  echo "compute_cmvn_stats.sh: failed; the end of $log:" >&2
  tail -n 5 "$log" >&2
  exit 1
fi
done=$(wc -l < "$target.scp")
speakers=$(wc -l < "$data/spk2utt")
if [ $((done * 100)) -lt $((speakers * 95)) ]; then
  echo "compute_cmvn_stats.sh: only $done of $speakers speakers have statistics, see $log; to mend: utils/fix_data_dir.sh $data" >&2
  exit 1
fi
if [ "$done" -ne "$speakers" ]; then
  echo "compute_cmvn_stats.sh: warning: only $done of $speakers speakers have statistics, see $log" >&2
fi
cp "$target.scp" "$data/cmvn.scp.tmp"
mv "$data/cmvn.scp.tmp" "$data/cmvn.scp"
echo "compute_cmvn_stats.sh: done $done/$speakers speakers"
