#!/usr/bin/env bash
# Decides for each frame whether there is speech, from the energy in column 0 of the features.
#
# Reads   <data>/feats.scp (MFCC or PLP), conf/vad.conf
# Writes  <vad-dir>/vad_<name>.JOB.{ark,scp}; <data>/vad.scp
# Example: steps/compute_vad_decision.sh --nj 2 data/train exp/make_vad/train mfcc
#
# Usage: steps/compute_vad_decision.sh [options] <data> [<log-dir> [<vad-dir>]]; by default <data>/log and <data>/data
#
# Options:
#   --nj 4                      number of jobs
#   --cmd run.py                how jobs are started
#   --vad-config conf/vad.conf  options of compute-vad; if absent, the file of that name in Sidamo's conf/
set -euo pipefail
nj=4
cmd=run.py
vad_config=conf/vad.conf
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  echo "usage: steps/compute_vad_decision.sh [options] <data> [<log-dir> [<vad-dir>]]; --help lists the options" >&2
  exit 1
fi
data=${1%/}
log_dir=${2:-$data/log}
vad_dir=${3:-$data/data}
if [ ! -f "$vad_config" ] && [ "$vad_config" = conf/vad.conf ]; then vad_config=$SIDAMO_ROOT/conf/vad.conf; fi
if [ ! -s "$data/feats.scp" ]; then
  echo "compute_vad_decision.sh: $data/feats.scp is missing or empty; to mend: steps/make_mfcc.sh $data" >&2
  exit 1
fi
if [ ! -f "$vad_config" ]; then
  echo "compute_vad_decision.sh: no such file: $vad_config" >&2
  exit 1
fi
mkdir -p "$log_dir" "$vad_dir"
vad_dir=$(cd "$vad_dir" && pwd)
name=$(basename "$data")
lines=$(wc -l < "$data/feats.scp")
if [ "$nj" -gt "$lines" ]; then nj=$lines; fi
parts=()
for ((n = 1; n <= nj; n++)); do parts+=("$log_dir/vad.list_$name.$n"); done
"$SIDAMO_ROOT/utils/split_scp.pl" "$data/feats.scp" "${parts[@]}"
$cmd JOB=1:"$nj" "$log_dir/vad_$name.JOB.log" \
  compute-vad --config="$vad_config" "scp:$log_dir/vad.list_$name.JOB" \
  "ark,scp:$vad_dir/vad_$name.JOB.ark,$vad_dir/vad_$name.JOB.scp"
for ((n = 1; n <= nj; n++)); do cat "$vad_dir/vad_$name.$n.scp"; done >"$data/vad.scp.tmp"
found=$(wc -l < "$data/vad.scp.tmp")
if [ $((found * 100)) -lt $((lines * 95)) ]; then
  echo "compute_vad_decision.sh: only $found of $lines utterances have decisions, see $log_dir/vad_$name.*.log" >&2
  exit 1
fi
mv "$data/vad.scp.tmp" "$data/vad.scp"
rm -f "${parts[@]}"
echo "compute_vad_decision.sh: done $found/$lines utterances"
