#!/usr/bin/env bash
# Copies a data directory with its speakers split into several, each of a limited number of utterances or seconds.
#
# Reads   <srcdir> (utt2dur for --seconds-per-spk-max)
# Writes  <destdir>; new speakers are <speaker>-<n>
# Example: utils/data/modify_speaker_info.sh --utts-per-spk-max 2 data/train data/train_max2
#
# Usage: utils/data/modify_speaker_info.sh [options] <srcdir> <destdir>
#
# Options (one of the first two has to be given):
#   --utts-per-spk-max N                  most utterances a speaker; default -1 (no limit)
#   --seconds-per-spk-max S               most seconds a speaker; default -1 (no limit)
#   --respect-speaker-info true|false     split existing speakers (else: cut the list of all utterances); default true
#   --respect-recording-info true|false   where speakers are not respected: split recordings; default true
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
exec python -m sidamo.io.datadir_cli modify-speakers "$0" "$@"
