#!/usr/bin/env bash
# Prints the perplexity of a text under an n-gram model in ARPA format.
#
# Reads  <arpa> (plain or .gz), <text>: Kaldi's data/*/text, or plain text; .gz too
# Writes to standard output: sentences, words, unknown words, total log10 probability, ppl (ends of sentences counted as
#        words), ppl1 (not counted)
# Example: utils/compute_perplexity.sh data/local/lm.arpa.gz data/dev/text
#
# Options:
#   --format auto          kaldi | plain | auto (kaldi where the file is named text)
#   --score-unknown false  true: unknown words have the probability of <unk>; false: they are left out and counted

set -euo pipefail

format=auto         # kaldi | plain | auto
score_unknown=false # leave unknown words out

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/compute_perplexity.sh [options] <arpa> <text>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.compute_perplexity "--format=$format" "--score-unknown=$score_unknown" "$1" "$2" || exit 1
