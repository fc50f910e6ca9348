#!/usr/bin/env bash
# Puts data directories together into one.
#
# Reads   <src-data-dir1> <src-data-dir2> ...
# Writes  <dest-data-dir>, made anew; a file that some of the sources lack is left out (segments are made up for them)
# Example: utils/combine_data.sh data/train data/train_a data/train_b
#
# Usage: utils/combine_data.sh [options] <dest-data-dir> <src-data-dir1> <src-data-dir2> ...
#
# Options:
#   --extra-files "a b"     further files to be put together
#   --skip-fix true|false   do not run fix_data_dir.sh on the result; default false
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli combine "$0" "$@"
