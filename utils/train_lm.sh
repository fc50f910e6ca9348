#!/usr/bin/env bash
# Trains an n-gram model from text (interpolated modified Kneser-Ney or Witten-Bell) and writes it in ARPA format.
#
# Reads  <text>: Kaldi's data/*/text (each line begins with its key), or plain text, one sentence a line; .gz too
# Writes <arpa>, gzipped where the name ends in .gz
# Example: utils/train_lm.sh --order 3 data/train/text data/local/lm.arpa.gz
# Example: utils/train_lm.sh --order 4 --vocab data/lang/words.txt --prune 1e-8 corpus.txt.gz lm.arpa.gz
#
# Options:
#   --order 3          length of the longest n-grams
#   --smoothing kn     kn: modified Kneser-Ney, as KenLM's lmplz defines it; wb: Witten-Bell
#   --format auto      kaldi | plain | auto (kaldi where the file is named text)
#   --vocab FILE       words, one a line (or words.txt); all others of the text become <unk>
#   --cutoffs 0,0,1    drop n-grams that were seen so often or less, one number per order (the last one holds on)
#   --prune 1e-8       entropy pruning: drop n-grams whose loss raises the perplexity by less than this fraction
#   --interpolate ARPA mix with this model
#   --weight 0.5       weight of the new model in the mixture
#   --tmp-dir DIR      for the numbered text, 4 bytes a word (default: the system's)

set -euo pipefail

order=3      # length of the longest n-grams
smoothing=kn # kn | wb
format=auto  # kaldi | plain | auto
vocab=       # file of words
cutoffs=     # such as 0,0,1
prune=0.0    # threshold of entropy pruning
interpolate= # an ARPA file
weight=0.5   # of the new model
tmp_dir=     # the system's

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/train_lm.sh [options] <text> <arpa>   (--help: all of it)" >&2
  echo " e.g.: utils/train_lm.sh --order 3 data/train/text data/local/lm.arpa.gz" >&2
  exit 1
fi

mkdir -p "$(dirname "$2")"
python -m sidamo.bin.train_lm "--order=$order" "--smoothing=$smoothing" "--format=$format" "--vocab=$vocab" \
  "--cutoffs=$cutoffs" "--prune=$prune" "--interpolate=$interpolate" "--weight=$weight" "--tmp-dir=$tmp_dir" \
  "$1" "$2" || exit 1
echo "train_lm.sh: $2 is ready"
