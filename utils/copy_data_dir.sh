#!/usr/bin/env bash
# Copies a data directory, with a prefix or suffix for its utterances and speakers; recordings keep their names.
#
# Reads   <srcdir>
# Writes  <destdir>, which is validated at the end
# Example: utils/copy_data_dir.sh --spk-prefix a- --utt-prefix a- data/train data/train_a
#
# Usage: utils/copy_data_dir.sh [options] <srcdir> <destdir>
#
# Options (all empty by default):
#   --utt-prefix X, --utt-suffix X, --spk-prefix X, --spk-suffix X
#   --validate-opts "X"    options for validate_data_dir.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli copy "$0" "$@"
