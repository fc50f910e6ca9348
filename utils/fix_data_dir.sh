#!/usr/bin/env bash
# Puts a data directory in order: sorts the files, makes them unique, and keeps only what is in all of them.
#
# Reads   <data-dir>
# Writes  <data-dir>, where the old files are kept in .backup/
# Example: utils/fix_data_dir.sh data/train
#
# Usage: utils/fix_data_dir.sh [options] <data-dir>
#
# An utterance stays if it is in utt2spk, feats.scp, text, segments, utt2lang, vad.scp, utt2uniq (those that are there) and
# its recording in wav.scp; a speaker, if in cmvn.scp and spk2gender. Of several lines with one key the first stays.
#
# Options:
#   --utt-extra-files "a b"        further files, by utterance, to be filtered too
#   --spk-extra-files "a b"        further files, by speaker
#   --remove-empty-text true|false remove utterances with an empty transcript; default false
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli fix "$0" "$@"
