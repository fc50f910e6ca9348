#!/usr/bin/env bash
# Computes log-likelihoods of tokens, the decoder's input: log posterior - prior scale * log prior.
#
# Reads   <data>/{feats.scp,cmvn.scp,utt2spk}, <model-dir>/{final.pt,cmvn_opts}
# Writes  <out-dir>/loglikes.JOB.ark, loglikes.scp (T x V matrices, column 0 blank), num_jobs, log/loglikes.JOB.log
# Example: steps/compute_loglikes.sh --nj 2 data/test exp/tdnn exp/tdnn/loglikes_test
#
# Options:
#   --cmd "run.py"         how jobs are started
#   --nj 4                 number of jobs
#   --model final.pt       file in <model-dir>
#   --prior-scale 0.0      weight of the log prior that is subtracted
#   --priors labels        labels (counts of labels, blanks interleaved) | posteriors (the network's own mean)
#   --blank-scale 1.0      factor on the posterior of blank
#   --use-gpu no           auto | yes | no
#   --num-threads 1        threads of a job
set -euo pipefail
cmd=run.py
nj=4
model=final.pt
prior_scale=0.0
priors=labels
blank_scale=1.0
use_gpu=no
num_threads=1
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/compute_loglikes.sh [options] <data> <model-dir> <out-dir>; --help lists the options" >&2
  exit 1
fi
data=$1 srcdir=$2 dir=$3
if [ ! -s "$data/feats.scp" ]; then
  echo "compute_loglikes.sh: $data/feats.scp is missing; to mend: steps/make_fbank.sh $data" >&2
  exit 1
fi
if [ ! -s "$srcdir/$model" ]; then
  echo "compute_loglikes.sh: $srcdir/$model is missing; to mend: steps/train_ctc.sh ... $srcdir" >&2
  exit 1
fi
cmvn_opts=$(cat "$srcdir/cmvn_opts" 2>/dev/null || true)
if [ -n "$cmvn_opts" ] && [ ! -s "$data/cmvn.scp" ]; then
  echo "compute_loglikes.sh: $data/cmvn.scp is missing; to mend: steps/compute_cmvn_stats.sh $data" >&2
  exit 1
fi

mkdir -p "$dir/log" "$dir/split"
rm -f "$dir/loglikes.scp" "$dir/.done"
jobs=$(wc -l <"$data/feats.scp")
if [ "$jobs" -gt "$nj" ]; then jobs=$nj; fi
parts=$(for n in $(seq "$jobs"); do echo "$dir/split/feats.$n.scp"; done)
# shellcheck disable=SC2086 # a list of file names
"$SIDAMO_ROOT/utils/split_scp.py" "$data/feats.scp" $parts
feats="scp:$dir/split/feats.JOB.scp"
if [ -n "$cmvn_opts" ]; then
  feats="ark:apply-cmvn $cmvn_opts --utt2spk=ark:$data/utt2spk scp:$data/cmvn.scp scp:$dir/split/feats.JOB.scp ark:- |"
fi
$cmd JOB=1:"$jobs" "$dir/log/loglikes.JOB.log" compute-loglikes "--prior-scale=$prior_scale" "--priors=$priors" \
  "--blank-scale=$blank_scale" "--use-gpu=$use_gpu" "--num-threads=$num_threads" "$srcdir/$model" "$feats" \
  "ark,scp:$dir/loglikes.JOB.ark,$dir/split/loglikes.JOB.scp"
for n in $(seq "$jobs"); do cat "$dir/split/loglikes.$n.scp"; done >"$dir/loglikes.scp.tmp.$$"
mv "$dir/loglikes.scp.tmp.$$" "$dir/loglikes.scp"
echo "$jobs" >"$dir/num_jobs"
done=$(wc -l <"$dir/loglikes.scp") total=$(wc -l <"$data/feats.scp")
if [ $((done * 100)) -lt $((total * 95)) ]; then
  echo "compute_loglikes.sh: only $done of $total utterances; see $dir/log/loglikes.*.log" >&2
  exit 1
fi
touch "$dir/.done"
echo "compute_loglikes.sh: done $done/$total utterances in $dir/loglikes.scp"
