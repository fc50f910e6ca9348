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
#   --lang ""             # lang directory to draw; default: data/lang_<x> of the graph exp/graph_<x>, else data/lang
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

# The first decode directory says which graph it was decoded with, and the graph's name which grammar that was.
first=${decode%% *}
if [ -z "$first" ]; then
  for d in "$exp"/decode*/scoring_kaldi; do
    if [ -d "$d" ]; then
      first=${d%/scoring_kaldi}
      break
    fi
  done
fi
graph=
if [ -n "$first" ] && [ -f "$first/scoring_kaldi/inputs" ]; then graph=$(sed -n 's/^graph //p' "$first/scoring_kaldi/inputs"); fi
if [ -z "$lang" ]; then
  for candidate in "data/lang_${graph##*graph_}" "$graph" data/lang_*/ data/lang; do
    if [ -f "${candidate%/}/G.fst" ]; then
      lang=${candidate%/}
      break
    fi
  done
fi

drawings=$exp/log/drawings
rm -rf "$drawings"
mkdir -p "$drawings"
draw=$SIDAMO_ROOT/utils/draw_fst.sh
for name in T L G; do
  fst=$lang/$name.fst
  if [ -z "$lang" ] || [ ! -f "$fst" ] || [ ! -x "$draw" ]; then continue; fi
  states=$(python3 -c 'import sys; from sidamo.io.fst import read_fst; print(read_fst(sys.argv[1]).num_states)' "$fst")
  if [ "$states" -gt "$max_states" ]; then
    echo "steps/report.sh: $fst has $states states and is not drawn (--max-states $max_states)"
    continue
  fi
  case $name in # what the labels mean
    T) symbols=("$lang/tokens.txt" "$lang/tokens.txt") ;;
    L) symbols=("$lang/tokens.txt" "$lang/words.txt") ;;
    G) symbols=("$lang/words.txt" "$lang/words.txt") ;;
  esac
  "$draw" "$fst" "${symbols[@]}" "$drawings/$name.svg" || echo "steps/report.sh: $fst is not drawn (see above)" >&2
done

python3 -m sidamo.bin.make_report --print-args=false --decode="$decode" --num-utts="$num_utts" --utts="$utts" \
  --max-seconds="$max_seconds" --title="$title" --graphs="$drawings" "$exp" "$exp/report.html"
