#!/usr/bin/env bash
# Writes the report of an experiment: one HTML file that opens without a network and holds everything it shows.
#
# Reads   <exp-dir>/decode*/ as local/score.sh left them (wer_*, scoring_kaldi/, lat.*.gz), <exp-dir>/log/{curve.tsv,
#         posteriors.ark}, <exp-dir>/{tokens.txt,config}, <exp-dir>/../stage_times.tsv, the logs; the data directory that
#         was scored (wav.scp, segments, text, utt2spk); T.fst, L.fst, G.fst of the lang directory, drawn if small
# Writes  <exp-dir>/report.html
# Example: steps/report.sh exp/tdnn
#          steps/report.sh --decode "exp/tdnn/decode_test exp/tdnn/decode_dev" --num-utts 20 exp/tdnn
#
# Options:
#   --decode ""           # decode directories (the sound is taken from the first); default: all scored ones of <exp-dir>
#   --lang ""             # lang directories to draw; default: data/lang_<x> for each graph exp/graph_<x>, else data/lang
#   --num-utts 12         # utterances to hear and see
#   --utts ""             # these utterances instead of chosen ones
#   --max-seconds 20      # longest utterance to hear
#   --max-states 60       # largest graph to draw
#   --title ""            # default: the name of <exp-dir>
set -euo pipefail
decode=
lang=
num_utts=12
utts=
max_seconds=20
max_states=60
title=
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 1 ]; then
  echo "usage: steps/report.sh [options] <exp-dir>  (--help lists the options)" >&2
  exit 1
fi
exp=${1%/}
if [ ! -d "$exp" ]; then
  echo "steps/report.sh: no such directory $exp" >&2
  exit 1
fi

python3 -m sidamo.bin.make_report --print-args=false --decode="$decode" --lang="$lang" --num-utts="$num_utts" \
  --utts="$utts" --max-seconds="$max_seconds" --max-states="$max_states" --title="$title" "$exp" "$exp/report.html"
