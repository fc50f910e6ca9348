#!/usr/bin/env bash
# Makes the grammar G.fst of a lang directory from a list of words or phrases, an FST, or a pynini grammar.
#
# Reads  <lang-dir>; <grammar>: a text file with one word or phrase per line; or *.fst (OpenFst, labels of words.txt);
#        or a text FST over words (--kind fst); or *.py with a function grammar(words) that returns a pynini acceptor
#        (an example: pylib/sidamo/lang/dates.py, spoken dates and times)
# Writes <out-lang-dir>: a copy of <lang-dir> with G.fst
# Example: utils/prepare_grammar.sh --loop true data/lang data/local/words data/lang_loop   (any sequence of these words)
# Example: utils/prepare_grammar.sh data/lang data/local/commands data/lang_commands        (one of these phrases)
# Example: utils/prepare_grammar.sh data/lang pylib/sidamo/lang/dates.py data/lang_dates
#
# Options:
#   --loop false      true: an utterance is any number of phrases (at least one); false: exactly one
#   --stop-prob P     loop: probability that the utterance ends after a phrase (default: 1 / (number of phrases + 1))
#   --kind phrases    phrases | weighted-phrases (each line begins with a weight) | fst

set -euo pipefail

loop=false   # one phrase, or any number
stop_prob=   # of the loop
kind=phrases # phrases | weighted-phrases | fst

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 3 ]; then
  echo "usage: utils/prepare_grammar.sh [options] <lang-dir> <grammar> <out-lang-dir>   (--help: all of it)" >&2
  echo " e.g.: utils/prepare_grammar.sh --loop true data/lang data/local/words data/lang_loop" >&2
  exit 1
fi

python -m sidamo.bin.prepare_grammar "--loop=$loop" "--stop-prob=$stop_prob" "--kind=$kind" "$@" || exit 1
echo "prepare_grammar.sh: $3/G.fst is ready"
