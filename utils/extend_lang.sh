#!/usr/bin/env bash
# Adds words to a lang directory (and to its grammar) without training anything.
#
# Reads  <lang-dir>, <lexicon>: `word units` or `word probability units` a line, with units of <lang-dir>/tokens.txt
#        (utils/g2p.sh spells words that no lexicon has)
# Writes <new-lang-dir>: the numbers of words, units and network columns stay; new words come last
# Example: utils/extend_lang.sh data/lang_test new_words.txt data/lang_test_ext
#
# Options:
#   --prob P   probability of all new words together, at the back-off state of the grammar (default: they share the
#              probability of the unknown word where the grammar has it, else 0.001)

set -euo pipefail

prob= # of all new words

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 3 ]; then
  echo "usage: utils/extend_lang.sh [options] <lang-dir> <lexicon> <new-lang-dir>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.extend_lang "--prob=$prob" "$@" || exit 1
echo "extend_lang.sh: $3 is ready; next: utils/mkgraph.sh $3 <model-dir> <graph-dir>"
