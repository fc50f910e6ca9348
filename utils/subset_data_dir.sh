#!/usr/bin/env bash
# Makes a data directory of some of the utterances of another.
#
# Reads   <srcdir>
# Writes  <destdir>
# Example: utils/subset_data_dir.sh --shortest data/train 1000 data/train_1k
#
# Usage: utils/subset_data_dir.sh [--speakers|--shortest|--first|--last|--per-spk] <srcdir> <num-utt> <destdir>
#   or: utils/subset_data_dir.sh [--spk-list|--utt-list] <list> <srcdir> <destdir>
#
# Options (one at most; default: utterances evenly from the whole list):
#   --first, --last    the first or last <num-utt> utterances
#   --shortest         the shortest ones (by utt2num_frames, utt2dur or segments)
#   --per-spk          <num-utt> of each speaker, as far as there are so many
#   --speakers         whole speakers, taken at random until there are <num-utt> utterances
#   --spk-list FILE    the utterances of these speakers (first field of each line)
#   --utt-list FILE    these utterances
#   --seed N           for --speakers; default 0
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli subset "$0" "$@"
