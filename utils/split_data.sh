#!/usr/bin/env bash
# Splits a data directory into parts for parallel jobs; no speaker is in two parts.
#
# Reads   <data-dir>
# Writes  <data-dir>/split<N>/1 ... N (split<N>utt with --per-utt, split<N>reco with --per-reco); nothing if it is up to date
# Example: utils/split_data.sh data/train 4
#
# Usage: utils/split_data.sh [--per-utt|--per-reco] <data-dir> <num-to-split>
#
# Options:
#   --per-utt    split without regard to speakers (needed where there are fewer speakers than parts)
#   --per-reco   no recording in two parts
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli split "$0" "$@"
