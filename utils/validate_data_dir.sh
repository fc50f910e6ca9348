#!/usr/bin/env bash
# Checks that a data directory is complete and in order, and says what mends it if it is not.
#
# Reads   utt2spk spk2utt text wav.scp segments feats.scp cmvn.scp vad.scp spk2gender utt2dur ... in <data-dir>
# Writes  nothing; exit status 0 if all is well, 1 with one message (file:line, what is wrong, what mends it) per fault
# Example: utils/validate_data_dir.sh --no-feats data/train
#
# Usage: utils/validate_data_dir.sh [options] <data-dir>
#
# Options (a file that need not be there is checked all the same if it is):
#   --no-feats           feats.scp need not be there
#   --no-text            text need not be there
#   --no-wav             wav.scp need not be there
#   --no-spk-sort        utt2spk need not be sorted by speaker as well as by utterance
#   --non-print          text may hold non-printing characters
#   --allow-empty-text   text may hold empty transcripts (in Kaldi they pass unnoticed)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli validate "$0" "$@"
