#!/usr/bin/env bash
# The dictionary of the two words: "ken" (yes) and "lo" (no), in phones.
#
# Writes  <dict>/{lexicon,nonsilence_phones,silence_phones,optional_silence,extra_questions}.txt
# Example: local/prepare_dict.sh data/local/dict
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then echo "usage: local/prepare_dict.sh <dict-dir>" >&2; exit 1; fi
dict=$1
mkdir -p "$dict"

printf '%s\n' 'NO L O' 'YES K E N' >"$dict/lexicon.txt"
printf '%s\n' E K L N O >"$dict/nonsilence_phones.txt"
# CTC's blank stands for everything that is not speech, so that no phone is needed for silence.
: >"$dict/silence_phones.txt"
: >"$dict/optional_silence.txt"
: >"$dict/extra_questions.txt"
