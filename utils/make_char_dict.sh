#!/usr/bin/env bash
# Makes a dictionary directory whose units are characters (of any script) or byte-pair pieces: no lexicon is needed.
#
# Reads  <words>: a word a line (also words.txt), or Kaldi's data/*/text
# Writes <dict-dir>/lexicon.txt, nonsilence_phones.txt, extra_questions.txt, for utils/prepare_lang.sh --ctc true
# Example: utils/make_char_dict.sh data/train/text data/local/dict
# Example: utils/make_char_dict.sh --units bpe --num-pieces 500 data/train/text data/local/dict_bpe
#
# Options:
#   --units char        char | bpe (needs the library sentencepiece)
#   --keep-marks true   char: combining marks (accents, vowel signs) stay with their character, as one unit
#   --num-pieces 500    bpe: size of the inventory
#   --word-end X        a unit after each word (default: none)
#   --format auto       kaldi (the first field is a key) | words (the first field is the word) | auto (by the name text)

set -euo pipefail

units=char      # char | bpe
keep_marks=true # combining marks stay with their character
num_pieces=500  # of bpe
word_end=       # unit after each word
format=auto     # kaldi | words | auto

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/make_char_dict.sh [options] <words-or-text> <dict-dir>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.make_char_dict "--units=$units" "--keep-marks=$keep_marks" "--num-pieces=$num_pieces" \
  "--word-end=$word_end" "--format=$format" "$@" || exit 1
echo "make_char_dict.sh: $2 is ready; next: utils/prepare_lang.sh --ctc true $2 '<unk>' <tmp> <lang>"
