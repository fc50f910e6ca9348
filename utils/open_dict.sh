#!/usr/bin/env bash
# Adds pieces to a dictionary by which unknown words can be spelled, and trains an n-gram of how words are spelled.
#
# Reads  <dict-dir>/lexicon.txt or lexiconp.txt
# Writes <open-dict-dir>: the dictionary with three more words for each unit (k+ begins a word, +k+ is inside, +k ends
#        it), and spelling.txt, an acceptor over these, for utils/open_grammar.sh
# Example: utils/open_dict.sh --end-unit "|" data/local/dict data/local/dict_open
#          utils/prepare_lang.sh --ctc true data/local/dict_open "<unk>" data/local/lang_open data/lang_open
#          utils/format_lm.sh data/lang_open lm.arpa.gz data/local/dict_open/lexicon.txt data/lang_open_3gram
#          utils/open_grammar.sh data/lang_open_3gram data/local/dict_open/spelling.txt
#          then utils/mkgraph.sh, steps/decode.sh as ever; `sed 's/+ +//g'` puts the words together (local/wer_hyp_filter)
#
# Options:
#   --order 5         length of the longest n-grams of pieces
#   --prune 0         entropy pruning: a larger number makes a smaller graph
#   --end-unit ''     unit that ends every word, if there is one
#   --oov-word <unk>  its own pronunciations are left out

set -euo pipefail

order=5          # of the n-gram of pieces
prune=0          # threshold
end_unit=        # of every word
oov_word='<unk>'

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/open_dict.sh [options] <dict-dir> <open-dict-dir>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.open_dict "--order=$order" "--prune=$prune" "--end-unit=$end_unit" "--oov-word=$oov_word" "$1" "$2" ||
  exit 1
echo "open_dict.sh: $2 is ready"
