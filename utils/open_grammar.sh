#!/usr/bin/env bash
# Opens the vocabulary of a grammar: where it has the unknown word, a word may be spelled piece by piece.
#
# Reads  <lang-dir>/G.fst, words.txt, oov.txt; <spelling> of utils/open_dict.sh (see there for the whole way)
# Writes <lang-dir>/G.fst anew
# Example: utils/open_grammar.sh --mass 0.2 data/lang_open_3gram data/local/dict_open/spelling.txt
#
# Options:
#   --mass 0       probability of an unknown word in the state that does not back off, whose other words give it up; good
#                  is the share of words that occur once (Good 1953). 0: the probability that the grammar has for it
#   --oov-word ''  the unknown word; default: that of <lang-dir>/oov.txt

set -euo pipefail

mass=0           # of unknown words
oov_word=        # as in words.txt

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/open_grammar.sh [options] <lang-dir> <spelling>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.open_grammar "--mass=$mass" "--oov-word=$oov_word" "$1" "$2" || exit 1
echo "open_grammar.sh: $1/G.fst is open; next: utils/mkgraph.sh $1 <model-dir> <graph-dir>"
