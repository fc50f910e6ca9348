#!/usr/bin/env bash
# Scores a decode directory by words: local/score.sh under the name that Kaldi's recipes call.
#
# Reads   what local/score.sh reads
# Writes  what local/score.sh writes, the word error rates only
# Example: steps/scoring/score_kaldi_wer.sh data/test exp/mono/graph exp/mono/decode_test
#
# Options: those of local/score.sh
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
exec "$here/../../local/score.sh" --cer false "$@"
