#!/usr/bin/env bash
# Computes mel-frequency cepstral coefficients and pitch of a data directory, side by side.
#
# Reads   <data>/wav.scp, segments, utt2spk, spk2warp or utt2warp (warp factors, if there)
# Writes  <feat-dir>/raw_mfcc_pitch_<name>.JOB.{ark,scp}; <data>/feats.scp, utt2num_frames, utt2dur, frame_shift, conf/
# Example: steps/make_mfcc_pitch.sh --nj 2 data/train exp/make_mfcc_pitch/train mfcc
#
# Usage: steps/make_mfcc_pitch.sh [options] <data> [<log-dir> [<feat-dir>]]; by default <data>/log and <data>/data
#
# Utterances whose audio cannot be used are named; more than 5% of them is a failure.
#
# Options:
#   --nj 4                          number of jobs
#   --cmd run.py                    how jobs are started
#   --mfcc-config conf/mfcc.conf    options of compute-mfcc-feats; if absent, the file of that name in Sidamo's conf/
#   --pitch-config conf/pitch.conf  options of compute-kaldi-pitch-feats
#   --pitch-postprocess-config ""   options of process-kaldi-pitch-feats, if any
#   --paste-length-tolerance 2      frames by which the two may differ in length
#   --compress true                 write compressed matrices, a byte per number
#   --write-utt2num-frames true     write <data>/utt2num_frames
#   --write-utt2dur true            write <data>/utt2dur
set -euo pipefail
nj=4
cmd=run.py
mfcc_config=conf/mfcc.conf
pitch_config=conf/pitch.conf
pitch_postprocess_config=
paste_length_tolerance=2
compress=true
write_utt2num_frames=true
write_utt2dur=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -lt 1 ] || [ $# -gt 3 ]; then
  echo "usage: steps/make_mfcc_pitch.sh [options] <data> [<log-dir> [<feat-dir>]]; --help lists the options" >&2
  exit 1
fi
exec "$SIDAMO_ROOT/steps/make_feats.sh" --nj "$nj" --cmd "$cmd" --feat-config "$mfcc_config" --compress "$compress" \
  --write-utt2num-frames "$write_utt2num_frames" --write-utt2dur "$write_utt2dur" --pitch-config "$pitch_config" \
  --pitch-postprocess-config "$pitch_postprocess_config" --paste-length-tolerance "$paste_length_tolerance" \
  mfcc_pitch "$@"
