#!/usr/bin/env bash
# The dictionary of the eleven digits, in ARPAbet phones (no R in "four": half of the accents have none).
#
# Writes  <dict>/{lexicon,nonsilence_phones,silence_phones,optional_silence,extra_questions}.txt
# Example: local/prepare_dict.sh data/local/dict
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then echo "usage: local/prepare_dict.sh <dict-dir>" >&2; exit 1; fi
dict=$1
mkdir -p "$dict"

cat >"$dict/lexicon.txt" <<EOF
eight EY T
five F AY V
four F AO
nine N AY N
oh OW
one W AH N
seven S EH V AH N
six S IH K S
three TH R IY
two T UW
zero Z IH R OW
EOF
cut -d ' ' -f 2- "$dict/lexicon.txt" | tr ' ' '\n' | sort -u >"$dict/nonsilence_phones.txt"
# CTC's blank stands for everything that is not speech, so that no phone is needed for silence.
: >"$dict/silence_phones.txt"
: >"$dict/optional_silence.txt"
: >"$dict/extra_questions.txt"
