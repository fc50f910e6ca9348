#!/usr/bin/env bash
# Makes a data directory of three copies of another: at 0.9, 1.0 and 1.1 times the speed.
#
# Reads   <srcdir>; utt2dur and reco2dur are computed there where they are absent
# Writes  <destdir>
# Example: utils/data/perturb_data_dir_speed_3way.sh data/train data/train_sp
#
# Usage: utils/data/perturb_data_dir_speed_3way.sh [options] <srcdir> <destdir>
#
# Options:
#   --always-include-prefix true|false   give the original copy the prefix sp1.0- too (mends orders); default false
#   --include-spk-prefix true|false      a perturbed voice is another speaker; default true
set -euo pipefail

always_include_prefix=false
include_spk_prefix=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 2 ]; then
  echo "usage: $0 [options] <srcdir> <destdir> (see: $0 --help)" >&2
  exit 1
fi
srcdir=${1%/}
destdir=${2%/}
utils=$SIDAMO_ROOT/utils

if [ ! -f "$srcdir/wav.scp" ]; then
  echo "$0: $srcdir/wav.scp: no such file; run the stage that makes the data directory" >&2
  exit 1
fi
if [ -f "$destdir/feats.scp" ]; then
  echo "$0: $destdir/feats.scp already exists, and would not be valid any more; if that is meant: rm -r $destdir" >&2
  exit 1
fi

# Before the change of speed, where the headers of the files tell it.
"$utils/data/get_utt2dur.sh" "$srcdir"
"$utils/data/get_reco2dur.sh" "$srcdir"
# Features of the original copy cannot be combined with copies that have none.
for factor in 0.9 1.1; do
  "$utils/perturb_data_dir_speed.sh" --include-spk-prefix "$include_spk_prefix" "$factor" "$srcdir" "${destdir}_speed$factor"
done
original=$srcdir
if $always_include_prefix; then
  original=${destdir}_speed1.0
  spk_prefix=sp1.0-
  if ! $include_spk_prefix; then spk_prefix=''; fi
  "$utils/copy_data_dir.sh" --validate-opts --allow-empty-text --spk-prefix "$spk_prefix" --utt-prefix sp1.0- "$srcdir" "$original"
fi
"$utils/combine_data.sh" "$destdir" "$original" "${destdir}_speed0.9" "${destdir}_speed1.1"
rm -r "${destdir}_speed0.9" "${destdir}_speed1.1"
if $always_include_prefix; then rm -r "$original"; fi
echo "$0: generated 3-way speed-perturbed version of data in $srcdir, in $destdir"
if ! "$utils/validate_data_dir.sh" --no-feats --no-text --allow-empty-text "$destdir"; then
  echo "$0: if it is a matter of sorting, try --always-include-prefix true" >&2
  exit 1
fi
