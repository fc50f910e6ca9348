#!/usr/bin/env bash
# Decodes a data set with a graph: network outputs, then the search, into lattices.
#
# Reads   <graph-dir>/{TLG.fst,words.txt} (or LG.fst, ctc_topo, num_tokens), <data>/{feats.scp,cmvn.scp,utt2spk},
#         <model-dir>/final.pt, where <model-dir> is the folder above <decode-dir> (or --srcdir)
# Writes  <decode-dir>/lat.JOB.gz, num_jobs, log/decode.JOB.log; <model-dir>/loglikes_<data name>/ (kept for other graphs)
# Example: steps/decode.sh --nj 2 --beam 13 exp/graph_3gram data/test exp/tdnn/decode_3gram_test
#
# Options:
#   --cmd "run.py"            how jobs are started
#   --nj 4                    number of jobs
#   --num-threads 1           threads of a job; they share its graph
#   --beam 13.0               decoding beam
#   --max-active 7000         at most so many tokens a frame
#   --min-active 200          at least so many, where there are
#   --lattice-beam 8.0        what a path in the lattice may cost more than the best one
#   --acwt 1.0                acoustic scale while decoding
#   --post-decode-acwt 10.0   factor of the acoustic costs in lat.JOB.gz: 10, so that LMWT 7..17 has its usual meaning
#   --blank-skip-thresh 1.0   frames whose blank is likelier follow blanks only (0.98: faster, the same words)
#   --graph-type auto         TLG (T composed in), LG (the CTC topology inside the decoder), auto: TLG where it is there
#   --hot-words ""            file of phrases to favour: "boost word word ..." a line
#   --srcdir ""               model directory, where it is not the folder above <decode-dir>
#   --model final.pt          file in the model directory
#   --loglikes ""             directory with loglikes.scp: decode these instead of running the network
#   --pipe false              true: no file between the network and the search
#   --prior-scale 0.0         as in steps/compute_loglikes.sh
#   --blank-scale 1.0         as in steps/compute_loglikes.sh
#   --use-gpu no              for the network: auto | yes | no
#   --skip-scoring true       false: call local/score.sh at the end
set -euo pipefail
cmd=run.py
nj=4
num_threads=1
beam=13.0
max_active=7000
min_active=200
lattice_beam=8.0
acwt=1.0
post_decode_acwt=10.0
blank_skip_thresh=1.0
graph_type=auto
hot_words=
srcdir=
model=final.pt
loglikes=
pipe=false
prior_scale=0.0
blank_scale=1.0
use_gpu=no
skip_scoring=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/decode.sh [options] <graph-dir> <data> <decode-dir>; --help lists the options" >&2
  exit 1
fi
graphdir=$1 data=$2 dir=$3
if [ -z "$srcdir" ]; then srcdir=$(dirname "$dir"); fi
steps=$SIDAMO_ROOT/steps

# Which graph?
if [ "$graph_type" = auto ]; then
  graph_type=TLG
  if [ ! -s "$graphdir/TLG.fst" ] && [ -s "$graphdir/LG.fst" ]; then graph_type=LG; fi
fi
graph_opts=()
case $graph_type in
  TLG) ;;
  LG)
    for f in "$graphdir/ctc_topo" "$graphdir/tokens.txt"; do
      if [ ! -s "$f" ]; then
        echo "decode.sh: $f is missing; to mend: utils/mkgraph.sh <lang-dir> $graphdir" >&2
        exit 1
      fi
    done
    graph_opts=("--ctc-topo=$(cat "$graphdir/ctc_topo")" "--tokens=$graphdir/tokens.txt")
    ;;
  *)
    echo "decode.sh: --graph-type $graph_type: expected TLG, LG or auto" >&2
    exit 1
    ;;
esac
for f in "$graphdir/$graph_type.fst" "$graphdir/words.txt"; do
  if [ ! -s "$f" ]; then
    echo "decode.sh: $f is missing; to mend: utils/mkgraph.sh <lang-dir> $graphdir" >&2
    exit 1
  fi
done
if [ -n "$hot_words" ]; then graph_opts+=("--hot-words=$hot_words"); fi
if [ -z "$loglikes" ]; then
  if [ ! -s "$data/feats.scp" ]; then
    echo "decode.sh: $data/feats.scp is missing; to mend: steps/make_fbank.sh $data" >&2
    exit 1
  fi
  if [ ! -s "$srcdir/$model" ]; then
    echo "decode.sh: $srcdir/$model is missing; to mend: steps/train_ctc.sh ... $srcdir (or give --srcdir)" >&2
    exit 1
  fi
elif [ ! -s "$loglikes/loglikes.scp" ]; then
  echo "decode.sh: $loglikes/loglikes.scp is missing; to mend: steps/compute_loglikes.sh $data $srcdir $loglikes" >&2
  exit 1
fi

mkdir -p "$dir/log" "$dir/split"
rm -f "$dir/.done" "$dir/num_jobs" "$dir"/lat.*.gz

# The network's outputs: computed now, or while decoding (--pipe true), or there already and younger than what they are
# made from.
list=$data/feats.scp
if [ -z "$loglikes" ] && [ "$pipe" = false ]; then
  loglikes=$srcdir/loglikes_$(basename "$data")
  made_of="$data $model $prior_scale $blank_scale"
  if [ -e "$loglikes/.done" ] && [ "$(cat "$loglikes/made_of" 2>/dev/null)" = "$made_of" ] &&
    [ "$loglikes/.done" -nt "$srcdir/$model" ] && [ "$loglikes/.done" -nt "$data/feats.scp" ] &&
    { [ ! -e "$data/cmvn.scp" ] || [ "$loglikes/.done" -nt "$data/cmvn.scp" ]; }; then
    echo "decode.sh: taking the log-likelihoods in $loglikes"
  else
    rm -f "$loglikes/made_of"
    "$steps/compute_loglikes.sh" --cmd "$cmd" --nj "$nj" --model "$model" --prior-scale "$prior_scale" \
      --blank-scale "$blank_scale" --use-gpu "$use_gpu" "$data" "$srcdir" "$loglikes"
    echo "$made_of" >"$loglikes/made_of"
  fi
fi
if [ -n "$loglikes" ]; then list=$loglikes/loglikes.scp; fi

jobs=$(wc -l <"$list")
if [ "$jobs" -gt "$nj" ]; then jobs=$nj; fi
parts=()
for n in $(seq "$jobs"); do parts+=("$dir/split/input.$n.scp"); done
"$SIDAMO_ROOT/utils/split_scp.py" "$list" "${parts[@]}"
input="scp:$dir/split/input.JOB.scp"
if [ -z "$loglikes" ]; then
  cmvn_opts=$(cat "$srcdir/cmvn_opts" 2>/dev/null || true)
  feats="$input"
  if [ -n "$cmvn_opts" ]; then
    feats="ark:apply-cmvn $cmvn_opts --utt2spk=ark:$data/utt2spk scp:$data/cmvn.scp $input ark:- |"
  fi
  input="ark:compute-loglikes --prior-scale=$prior_scale --blank-scale=$blank_scale --use-gpu=$use_gpu $srcdir/$model '$feats' ark:- |"
fi
# shellcheck disable=SC2086 # cmd may hold options
$cmd --num-threads "$num_threads" JOB=1:"$jobs" "$dir/log/decode.JOB.log" latgen-faster \
  "--acoustic-scale=$acwt" "--post-decode-acwt=$post_decode_acwt" "--beam=$beam" "--max-active=$max_active" \
  "--min-active=$min_active" "--lattice-beam=$lattice_beam" "--blank-skip-thresh=$blank_skip_thresh" \
  --allow-partial=true "--num-threads=$num_threads" "--word-symbol-table=$graphdir/words.txt" "${graph_opts[@]}" \
  "$graphdir/$graph_type.fst" "$input" "ark:$dir/lat.JOB.gz"

# An utterance without a result is named in the log; more than one in twenty is a failure.
total=$(wc -l <"$list")
done=$(cat "$dir"/log/decode.*.log | sed -n 's/.*Done \([0-9]*\) utterances, failed for.*/\1/p' | paste -sd+ - | bash -c 'echo $(($(cat)))')
echo "decode.sh: done $done/$total utterances in $dir"
if [ $((done * 100)) -lt $((total * 95)) ]; then
  echo "decode.sh: more than 5% of the utterances have no lattice; look for WARNING in $dir/log/decode.*.log" >&2
  exit 1
fi
echo "$jobs" >"$dir/num_jobs.tmp.$$" && mv "$dir/num_jobs.tmp.$$" "$dir/num_jobs"
touch "$dir/.done"
if [ "$skip_scoring" = false ]; then
  score=local/score.sh
  if [ ! -x "$score" ]; then score=$SIDAMO_ROOT/local/score.sh; fi
  "$score" --cmd "$cmd" "$data" "$graphdir" "$dir"
fi
