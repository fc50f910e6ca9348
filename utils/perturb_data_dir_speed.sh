#!/usr/bin/env bash
# Makes a copy of a data directory in which all is spoken faster (factor above 1) or slower.
#
# Reads   <srcdir>; utt2dur and reco2dur are computed there where they are absent
# Writes  <destdir>: names with the prefix sp<factor>-, wav.scp with "... wav-perturb --speed=<factor> ... |", times divided
#         by the factor, utt2uniq
# Example: utils/perturb_data_dir_speed.sh 0.9 data/train data/train_sp0.9
#
# Usage: utils/perturb_data_dir_speed.sh [options] <warping-factor> <srcdir> <destdir>
#
# Options:
#   --include-spk-prefix true|false   a perturbed voice is another speaker; default true
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli perturb-speed "$0" "$@"
