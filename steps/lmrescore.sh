#!/usr/bin/env bash
# Rescores lattices with another language model: subtracts the small grammar's costs, adds the large model's.
#
# Reads   <input-decode-dir>/lat.*.gz and num_jobs; <old-lang>/G.fst (the grammar the lattices were decoded with) and
#         words.txt; the new model: a lang directory with G.fst, or an ARPA file (plain or .gz) of any order, which is
#         composed with the lattices on the fly, so that no large G.fst is ever made
# Writes  <output-decode-dir>/lat.JOB.gz, num_jobs, log/rescorelm.JOB.log
# Example: steps/lmrescore.sh data/lang_3gram_small lm/4gram.arpa.gz data/test exp/tdnn/decode_test exp/tdnn/decode_test_4gram
#
# Options:
#   --cmd "run.py"          how jobs are started
#   --old-lm-scale 1.0      how much of the old grammar is taken out (0: nothing)
#   --new-lm-scale 1.0      how much of the new model is put in
#   --words ""              words.txt of the lattices, where it is not <old-lang>/words.txt
#   --skip-scoring true     false: call local/score.sh at the end
#   --mode 4                taken for Kaldi's sake; the way is always that of its mode 4
set -euo pipefail
cmd=run.py
old_lm_scale=1.0
new_lm_scale=1.0
words=
skip_scoring=true
# shellcheck disable=SC2034 # Kaldi's callers pass it
mode=4
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 5 ]; then
  echo "usage: steps/lmrescore.sh [options] <old-lang> <new-lang|arpa> <data> <input-decode-dir> <output-decode-dir>; --help lists the options" >&2
  exit 1
fi
old=$1 new=$2 data=$3 indir=$4 outdir=$5
if [ -z "$words" ]; then words=$old/words.txt; fi
for f in "$old/G.fst" "$words" "$indir/num_jobs" "$indir/lat.1.gz"; do
  if [ ! -s "$f" ]; then
    echo "lmrescore.sh: $f is missing; to mend: utils/format_lm.sh makes G.fst, steps/decode.sh makes lattices" >&2
    exit 1
  fi
done
if [ "$(readlink -f "$indir")" = "$(readlink -f "$outdir")" ]; then
  echo "lmrescore.sh: input and output are the same directory $indir" >&2
  exit 1
fi
if [ -d "$new" ]; then
  if [ ! -s "$new/G.fst" ]; then
    echo "lmrescore.sh: $new/G.fst is missing; to mend: utils/format_lm.sh, or give an ARPA file instead" >&2
    exit 1
  fi
  if ! cmp -s "$words" "$new/words.txt"; then
    echo "lmrescore.sh: $words and $new/words.txt differ: the integers of the lattices mean other words there;" \
      "to mend: build both lang directories from the same words (or give the ARPA file, which holds words)" >&2
    exit 1
  fi
  add=(lattice-lmrescore "--lm-scale=$new_lm_scale" ark:- "fstproject --project_type=output $new/G.fst |")
elif [ -s "$new" ]; then
  add=(lattice-lmrescore-arpa "--lm-scale=$new_lm_scale" "--word-symbol-table=$words" ark:- "$new")
else
  echo "lmrescore.sh: $new is neither a lang directory nor an ARPA file" >&2
  exit 1
fi

nj=$(cat "$indir/num_jobs")
mkdir -p "$outdir/log"
rm -f "$outdir/.done" "$outdir/num_jobs" "$outdir"/lat.*.gz
# shellcheck disable=SC2086 # cmd may hold options; the bar is the job's own pipe
$cmd JOB=1:"$nj" "$outdir/log/rescorelm.JOB.log" \
  lattice-lmrescore "--lm-scale=-$old_lm_scale" "ark:gunzip -c $indir/lat.JOB.gz |" \
  "fstproject --project_type=output $old/G.fst |" ark:- \| \
  "${add[@]}" "ark:$outdir/lat.JOB.gz"

in=$(cat "$outdir"/log/rescorelm.*.log | sed -n 's/.*Done \([0-9]*\) lattices, failed for \([0-9]*\).*/\1/p' | paste -sd ' ')
echo "lmrescore.sh: done $nj/$nj jobs into $outdir (lattices per job, before and after: $in)"
echo "$nj" >"$outdir/num_jobs.tmp.$$" && mv "$outdir/num_jobs.tmp.$$" "$outdir/num_jobs"
touch "$outdir/.done"
if [ "$skip_scoring" = false ]; then
  score=local/score.sh
  if [ ! -x "$score" ]; then score=$SIDAMO_ROOT/local/score.sh; fi
  "$score" --cmd "$cmd" "$data" "$old" "$outdir"
fi
