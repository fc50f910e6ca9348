#!/usr/bin/env bash
# Trains a unit-level n-gram on the lexicon, to stand in the place of the unknown word: its units are then heard.
#
# Reads  <dict-dir>/lexicon.txt or lexiconp.txt, silence_phones.txt (words that contain silence are left out)
# Writes <work-dir>/unk_fst.txt, for utils/prepare_lang.sh --unk-fst
# Example: utils/make_unk_lm.sh data/local/dict exp/make_unk
#          utils/prepare_lang.sh --ctc true --unk-fst exp/make_unk/unk_fst.txt data/local/dict "<unk>" tmp data/lang_unk
#
# The grammar must know the word <unk> (train_lm.sh --vocab); the decoder writes <unk>, and the alignment its units.
#
# Options:
#   --order 3         length of the longest unit n-grams
#   --min-length 2    units of the shortest unknown word
#   --prune 1e-4      entropy pruning: a larger number makes a smaller graph
#   --oov-word <unk>  its own pronunciations are left out

set -euo pipefail

order=3        # of the unit n-gram
min_length=2   # units
prune=1e-4     # threshold
oov_word='<unk>'

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/make_unk_lm.sh [options] <dict-dir> <work-dir>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.make_unk_lm "--order=$order" "--min-length=$min_length" "--prune=$prune" "$1" "$oov_word" "$2" ||
  exit 1
echo "make_unk_lm.sh: $2/unk_fst.txt is ready"
