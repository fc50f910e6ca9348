#!/usr/bin/env bash
# Turns an n-gram model in ARPA format into the grammar G.fst of a lang directory.
#
# Reads  <lang-dir>, <arpa> (plain or .gz), <lexicon> (only checked to exist; Kaldi's signature)
# Writes <out-lang-dir>: a copy of <lang-dir> with G.fst
# Example: utils/format_lm.sh data/lang lm/tg.arpa.gz data/local/dict/lexicon.txt data/lang_test_tg
#
# Options:
#   --max-arpa-warnings 30   warnings shown about n-grams that are skipped, -1 for all

set -euo pipefail

max_arpa_warnings=30 # shown

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 4 ]; then
  echo "usage: utils/format_lm.sh <lang-dir> <arpa> <lexicon> <out-lang-dir>   (--help: all of it)" >&2
  echo " e.g.: utils/format_lm.sh data/lang lm/tg.arpa.gz data/local/dict/lexicon.txt data/lang_test" >&2
  exit 1
fi
lang=$1 arpa=$2 lexicon=$3 out=$4

for file in "$lang/words.txt" "$lang/L_disambig.fst" "$arpa" "$lexicon"; do
  if [ ! -f "$file" ]; then
    echo "format_lm.sh: $file: no such file" >&2
    exit 1
  fi
done

echo "Converting '$arpa' to FST"
python -m sidamo.bin.copy_lang "$lang" "$out"
arpa2fst --disambig-symbol='#0' --read-symbol-table="$out/words.txt" --max-arpa-warnings="$max_arpa_warnings" \
  "$arpa" "$out/G.fst"
# Not stochastic as a rule: exact back-off arcs let words through twice. Two numbers, for the curious.
fstisstochastic "$out/G.fst" || true
echo "Succeeded in formatting LM: '$arpa'"
