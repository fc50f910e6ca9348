#!/usr/bin/env bash
# Writes pronunciations of words that no lexicon has, by the model of utils/train_g2p.sh.
#
# Reads  <g2p-dir>, <words>: a word a line (its first field)
# Writes <lexiconp>: word, probability (relative to the best pronunciation), units; for utils/extend_lang.sh
# Example: utils/g2p.sh --nbest 2 exp/g2p new_words.txt new_lexiconp.txt
#
# Options:
#   --nbest 1        pronunciations of a word, at most
#   --min-prob 0.1   leave out those less probable than this, relative to the best

set -euo pipefail

nbest=1      # pronunciations of a word
min_prob=0.1 # relative to the best

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 3 ]; then
  echo "usage: utils/g2p.sh [options] <g2p-dir> <words> <lexiconp>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.g2p "--nbest=$nbest" "--min-prob=$min_prob" "$@" || exit 1
echo "g2p.sh: $3 is ready"
