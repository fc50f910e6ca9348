#!/usr/bin/env bash
# Gives each recording of a data directory a random volume, in place: wav.scp gets "... wav-perturb --volume=<factor> ... |".
#
# Reads   <data-dir>/wav.scp
# Writes  <data-dir>/wav.scp; feats.scp and cmvn.scp, no longer valid, go to .backup/
# Example: utils/data/perturb_data_dir_volume.sh data/train_sp
#
# Usage: utils/data/perturb_data_dir_volume.sh [options] <data-dir>
#
# Options:
#   --scale-low X           smallest factor; default 0.125
#   --scale-high X          largest factor; default 2
#   --reco2vol FILE         take the factors from FILE (<recording> <factor>) instead of at random
#   --write-reco2vol FILE   write the factors to FILE
#   --force true|false      also where the volume was perturbed already; default false
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli perturb-volume "$0" "$@"
