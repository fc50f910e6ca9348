#!/usr/bin/env bash
# Rescores n-best lists with scores from outside: any language model that can score a line of words.
#
# Reads   <input-decode-dir>/lat.*.gz and num_jobs, <lang-or-graph-dir>/words.txt; the scores, a file of lines
#         `<utt>-<n> <log-probability>` (natural logarithm, higher is better), or a command that makes them
# Writes  <output-decode-dir>/nbest/JOB.{ark.gz,text}: the lists, and as lines `<utt>-<n> word ...`; then, with scores,
#         lat.JOB.gz (lattices of the rescored lists), num_jobs, log/
# Example: steps/rescore_nbest.sh --n 50 --scorer "local/score_lines.py model.pt" data/lang exp/tdnn/decode_test exp/tdnn/decode_test_nn
#          steps/rescore_nbest.sh data/lang exp/tdnn/decode_test exp/x      # only the lists; score exp/x/nbest/*.text, then
#          steps/rescore_nbest.sh --scores my.scores data/lang exp/tdnn/decode_test exp/x
#
# Options:
#   --cmd "run.py"         how jobs are started
#   --n 50                 entries of a list at most
#   --lmwt 10              LM weight with which the lists are chosen (the acoustic scale is 1/LMWT)
#   --scorer ""            command: reads lines `<utt>-<n> word ...`, writes lines `<utt>-<n> <log-probability>`
#   --scores ""            file of such lines, instead
#   --weight 0.5           graph cost = (1 - weight) * old graph cost - weight * log-probability
#   --data ""              data directory, for scoring
#   --skip-scoring true    false: call local/score.sh at the end (needs --data)
set -euo pipefail
cmd=run.py
n=50
lmwt=10
scorer=
scores=
weight=0.5
data=
skip_scoring=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/rescore_nbest.sh [options] <lang-or-graph-dir> <input-decode-dir> <output-decode-dir>; --help lists the options" >&2
  exit 1
fi
lang=$1 indir=$2 outdir=$3
needed=("$lang/words.txt" "$indir/num_jobs" "$indir/lat.1.gz")
if [ -n "$scores" ]; then needed+=("$scores"); fi
for f in "${needed[@]}"; do
  if [ ! -s "$f" ]; then
    echo "rescore_nbest.sh: $f is missing" >&2
    exit 1
  fi
done
if [ "$skip_scoring" = false ] && [ -z "$data" ]; then
  echo "rescore_nbest.sh: --skip-scoring false needs --data" >&2
  exit 1
fi

nj=$(cat "$indir/num_jobs")
mkdir -p "$outdir/nbest" "$outdir/log"
rm -f "$outdir/.done" "$outdir/num_jobs" "$outdir"/lat.*.gz
# shellcheck disable=SC2086 # cmd may hold options
$cmd JOB=1:"$nj" "$outdir/log/nbest.JOB.log" bash -c \
  "set -eo pipefail; lattice-to-nbest --inv-acoustic-scale=$lmwt --n=$n \"ark:gunzip -c $indir/lat.JOB.gz |\" ark:$outdir/nbest/JOB.ark.gz
   nbest-to-linear \"ark:gunzip -c $outdir/nbest/JOB.ark.gz |\" ark:/dev/null ark,t:- |
     $SIDAMO_ROOT/utils/int2sym.pl -f 2- $lang/words.txt >$outdir/nbest/JOB.text.tmp
   mv $outdir/nbest/JOB.text.tmp $outdir/nbest/JOB.text"
if [ -z "$scores" ] && [ -z "$scorer" ]; then
  echo "rescore_nbest.sh: done $nj/$nj lists in $outdir/nbest/*.text; score their lines and come back with --scores FILE"
  exit 0
fi
if [ -n "$scorer" ]; then
  # In a file of its own: the runner's shell would expand what is special in it.
  printf 'set -o pipefail\n%s\n' "$scorer" >"$outdir/nbest/scorer.sh"
  # shellcheck disable=SC2086
  $cmd JOB=1:"$nj" "$outdir/log/scorer.JOB.log" bash -c \
    "bash $outdir/nbest/scorer.sh <$outdir/nbest/JOB.text >$outdir/nbest/JOB.scores.tmp && mv $outdir/nbest/JOB.scores.tmp $outdir/nbest/JOB.scores"
  scores=$outdir/nbest/JOB.scores
fi
# shellcheck disable=SC2086
$cmd JOB=1:"$nj" "$outdir/log/rescore.JOB.log" \
  nbest-rescore "--weight=$weight" "ark:gunzip -c $outdir/nbest/JOB.ark.gz |" "ark,t:$scores" ark:- \| \
  nbest-to-lattice ark:- "ark:$outdir/lat.JOB.gz"
echo "rescore_nbest.sh: done $nj/$nj jobs into $outdir"
echo "$nj" >"$outdir/num_jobs.tmp.$$" && mv "$outdir/num_jobs.tmp.$$" "$outdir/num_jobs"
touch "$outdir/.done"
if [ "$skip_scoring" = false ]; then
  score=local/score.sh
  if [ ! -x "$score" ]; then score=$SIDAMO_ROOT/local/score.sh; fi
  "$score" --cmd "$cmd" "$data" "$lang" "$outdir"
fi
