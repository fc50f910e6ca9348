#!/usr/bin/env bash
# Aligns transcripts to recordings: when is each word, and each unit, spoken?
#
# Reads   <data>/{feats.scp,cmvn.scp,utt2spk,text,frame_shift}, <lang-dir> (the model's tokens), <model-dir>/final.pt
# Writes  <ali-dir>/ali.JOB.gz (labels per frame), ctm (words), unit_ctm, scores.txt (log-likelihood per frame; low ones
#         point at wrong transcripts), TextGrid/<utt>.TextGrid for Praat where --textgrid is true, num_jobs, log/
# Example: steps/align_ctc.sh --nj 2 --textgrid true data/dev data/lang exp/tdnn exp/tdnn_ali_dev
#
# Options:
#   --cmd "run.py"      how jobs are started
#   --nj 4              number of jobs
#   --textgrid false    write Praat TextGrids
#   --extend 0.06       seconds by which a unit reaches into the blanks beside it, at most
#   --model final.pt    file in <model-dir>
#   --use-gpu no        auto | yes | no
set -euo pipefail
cmd=run.py
nj=4
textgrid=false
extend=0.06
model=final.pt
use_gpu=no
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 4 ]; then
  echo "usage: steps/align_ctc.sh [options] <data> <lang-dir> <model-dir> <ali-dir>; --help lists the options" >&2
  exit 1
fi
data=$1 lang=$2 srcdir=$3 dir=$4
for file in "$data/text" "$lang/lexiconp.txt" "$srcdir/tokens.txt"; do
  if [ ! -s "$file" ]; then
    echo "align_ctc.sh: $file is missing" >&2
    exit 1
  fi
done
if ! cmp -s "$lang/tokens.txt" "$srcdir/tokens.txt"; then
  echo "align_ctc.sh: $lang/tokens.txt and $srcdir/tokens.txt differ; give the lang directory the model was trained with" >&2
  exit 1
fi

"$SIDAMO_ROOT/steps/compute_loglikes.sh" --cmd "$cmd" --nj "$nj" --model "$model" --use-gpu "$use_gpu" \
  "$data" "$srcdir" "$dir"
jobs=$(cat "$dir/num_jobs")
shift=$(python3 -c 'import sys; print(float(sys.argv[1]) * int(sys.argv[2]))' \
  "$(cat "$data/frame_shift" 2>/dev/null || echo 0.01)" "$(cat "$srcdir/frame_subsampling_factor")")
grids=
if [ "$textgrid" = true ]; then grids=--textgrid-dir=$dir/TextGrid; fi
$cmd JOB=1:"$jobs" "$dir/log/align.JOB.log" align-ctc "--frame-shift=$shift" "--extend=$extend" \
  "--ctm=$dir/ctm.JOB" "--unit-ctm=$dir/unit_ctm.JOB" "--scores=ark,t:$dir/scores.JOB" ${grids:+"$grids"} \
  "$lang" "ark:$dir/loglikes.JOB.ark" "ark:$data/text" "ark:| gzip -c > $dir/ali.JOB.gz"
for name in ctm unit_ctm scores; do
  for n in $(seq "$jobs"); do cat "$dir/$name.$n"; done >"$dir/$name.tmp.$$"
  for n in $(seq "$jobs"); do rm "$dir/$name.$n"; done
  mv "$dir/$name.tmp.$$" "$dir/$name"
done
mv "$dir/scores" "$dir/scores.txt"
touch "$dir/.done"
echo "align_ctc.sh: done $(wc -l <"$dir/scores.txt")/$(wc -l <"$data/feats.scp") utterances in $dir/ctm"
