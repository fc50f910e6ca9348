#!/usr/bin/env bash
# Scores a decode directory: the best path of every lattice at every LM weight and word insertion penalty, WER and CER.
#
# Reads   <data-dir>/text, <data-dir>/utt2spk, <lang-or-graph-dir>/words.txt, <decode-dir>/lat.*.gz;
#         local/wer_ref_filter, local/wer_hyp_filter or local/wer_output_filter (for both) of the recipe, where executable
# Writes  <decode-dir>/wer_<LMWT>_<WIP>, <decode-dir>/cer_<LMWT>_<WIP>, <decode-dir>/scoring_kaldi/
#         {test_filt.txt,penalty_<WIP>/<LMWT>.txt,best_wer,best_cer,complaints,inputs,wer_details/,cer_details/}
# Example: local/score.sh --min-lmwt 7 --max-lmwt 17 data/test exp/mono/graph exp/mono/decode_test
#
# An utterance without a hypothesis counts as deletions and is named (Kaldi's script leaves it out of the score).
#
# Options:
#   --cmd utils/run.pl               # how to run jobs
#   --nj 2                           # jobs at once (one per lat.JOB.gz; with --decode-mbr one per LM weight)
#   --stage 0                        # 0: all; 1: score the hypotheses that are there; 2: the same, CER only
#   --decode-mbr false               # minimum Bayes risk instead of the best path
#   --beam 6                         # lattice beam for MBR
#   --word-ins-penalty 0.0,0.5,1.0   # penalties to try
#   --min-lmwt 7                     # smallest LM weight (the acoustic scale is 1/LMWT)
#   --max-lmwt 17                    # largest LM weight
#   --wer true                       # write word error rates
#   --cer true                       # write character error rates
#   --stats true                     # write wer_details and cer_details
#   --iter final                     # taken for Kaldi's sake; not used
set -euo pipefail
cmd=utils/run.pl
nj=2
stage=0
decode_mbr=false
beam=6
word_ins_penalty=0.0,0.5,1.0
min_lmwt=7
max_lmwt=17
wer=true
cer=true
stats=true
# shellcheck disable=SC2034  # Kaldi's callers pass it
iter=final
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=../path.sh
. "$here/../path.sh"
# shellcheck source=../utils/parse_options.sh
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: local/score.sh [options] <data-dir> <lang-dir|graph-dir> <decode-dir>  (--help lists the options)" >&2
  exit 1
fi
data=$1
lang_or_graph=$2
dir=$3
scoring=$dir/scoring_kaldi
[ "$cmd" != utils/run.pl ] || cmd=$SIDAMO_ROOT/utils/run.pl

needed=("$data/text" "$data/utt2spk")
[ "$stage" -gt 0 ] || needed+=("$lang_or_graph/words.txt" "$dir/lat.1.gz")
for f in "${needed[@]}"; do
  if [ ! -f "$f" ]; then
    echo "local/score.sh: no such file $f" >&2
    exit 1
  fi
done

# first_executable FILTER...: the recipe's hook, or cat
first_executable() {
  local filter
  for filter in "$@"; do
    if [ -x "$filter" ]; then
      echo "$filter"
      return
    fi
  done
  echo cat
}
ref_filter=$(first_executable local/wer_ref_filter local/wer_output_filter)
hyp_filter=$(first_executable local/wer_hyp_filter local/wer_output_filter)

mkdir -p "$scoring/log"
"$ref_filter" <"$data/text" >"$scoring/test_filt.txt.tmp"
mv "$scoring/test_filt.txt.tmp" "$scoring/test_filt.txt"
printf 'data %s\ngraph %s\n' "$data" "$lang_or_graph" >"$scoring/inputs" # where steps/report.sh finds the sound

if [ "$stage" -le 0 ]; then
  raw=$scoring/unfiltered
  rm -rf "$raw"
  mkdir -p "$raw"
  # In the order of the jobs (lat.10.gz after lat.9.gz), which is that of the sorted utterances.
  mapfile -t files < <(printf '%s\n' "$dir"/lat.*.gz | sort -V)
  jobs=${#files[@]}
  for ((n = 1; n <= jobs; n++)); do
    if [ "${files[n - 1]}" != "$dir/lat.$n.gz" ]; then
      echo "local/score.sh: $dir/lat.$n.gz is missing, and ${files[n - 1]} is there: decode again" >&2
      exit 1
    fi
  done
  if [ "$decode_mbr" = true ]; then
    for wip in ${word_ins_penalty//,/ }; do
      mkdir -p "$raw/penalty_$wip"
      "$cmd" --max-jobs-run "$nj" LMWT="$min_lmwt:$max_lmwt" "$scoring/log/mbr_$wip.LMWT.log" \
        lattice-scale --inv-acoustic-scale=LMWT "ark:gunzip -c ${files[*]}|" ark:- \| \
        lattice-add-penalty --word-ins-penalty="$wip" ark:- ark:- \| \
        lattice-prune --beam="$beam" ark:- ark:- \| \
        lattice-mbr-decode --word-symbol-table="$lang_or_graph/words.txt" ark:- ark,t:- \| \
        "$SIDAMO_ROOT/utils/int2sym.pl" -f 2- "$lang_or_graph/words.txt" \> "$raw/penalty_$wip/LMWT.txt"
    done
  else
    "$cmd" --max-jobs-run "$nj" JOB=1:"$jobs" "$scoring/log/best_path.JOB.log" \
      lattice-best-path-sweep --min-lmwt="$min_lmwt" --max-lmwt="$max_lmwt" --word-ins-penalty="$word_ins_penalty" \
      --word-symbol-table="$lang_or_graph/words.txt" "ark:gunzip -c $dir/lat.JOB.gz|" "$raw/job.JOB"
    for wip in ${word_ins_penalty//,/ }; do
      mkdir -p "$raw/penalty_$wip"
      for ((lmwt = min_lmwt; lmwt <= max_lmwt; lmwt++)); do
        for ((n = 1; n <= jobs; n++)); do cat "$raw/job.$n/penalty_$wip/$lmwt.txt"; done >"$raw/penalty_$wip/$lmwt.txt"
      done
    done
  fi
  for wip in ${word_ins_penalty//,/ }; do
    mkdir -p "$scoring/penalty_$wip"
    for ((lmwt = min_lmwt; lmwt <= max_lmwt; lmwt++)); do
      if [ "$hyp_filter" != cat ]; then
        "$hyp_filter" <"$raw/penalty_$wip/$lmwt.txt" >"$raw/filtered.txt"
        mv "$raw/filtered.txt" "$raw/penalty_$wip/$lmwt.txt"
      fi
      mv "$raw/penalty_$wip/$lmwt.txt" "$scoring/penalty_$wip/$lmwt.txt"
    done
  done
  rm -rf "$raw"
fi

[ "$stage" -lt 2 ] || wer=false
python3 -m sidamo.bin.score_sweep --print-args=false --min-lmwt="$min_lmwt" --max-lmwt="$max_lmwt" \
  --word-ins-penalty="$word_ins_penalty" --wer="$wer" --cer="$cer" --stats="$stats" "$data/utt2spk" "$dir"
