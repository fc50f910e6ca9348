#!/usr/bin/env bash
# Trains a grapheme-to-phoneme model on a lexicon: a joint n-gram of letters and units, as a transducer.
#
# Reads  <dict-dir>/lexicon.txt or lexiconp.txt, silence_phones.txt (words that contain silence are left out)
# Writes <g2p-dir>/g2p.fst, letters.txt, units.txt
# Example: utils/train_g2p.sh data/local/dict exp/g2p
#
# Options:
#   --order 5   length of the longest n-grams of letter-and-unit pieces

set -euo pipefail

order=5 # of the n-gram

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/train_g2p.sh [options] <dict-dir> <g2p-dir>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.train_g2p "--order=$order" "$1" "$2" || exit 1
echo "train_g2p.sh: $2/g2p.fst is ready"
