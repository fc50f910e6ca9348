#!/usr/bin/env bash
# Makes a data directory in which no transcript occurs much more often than <max-count> times ("uh-huh").
#
# Reads   <src-data-dir>
# Writes  <dest-data-dir>
# Example: utils/data/remove_dup_utts.sh 10 data/train data/train_nodup
#
# Usage: utils/data/remove_dup_utts.sh <max-count> <src-data-dir> <dest-data-dir>
#
# Options: none but --help
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli remove-dup "$0" "$@"
