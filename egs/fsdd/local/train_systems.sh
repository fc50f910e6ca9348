#!/usr/bin/env bash
# Trains one system on each of the recipe's splits, several splits at a time, each with one thread.
#
# Reads   data/<split>_{train,dev}, data/synthetic_{train,dev}, data/lang, conf/train_{plain,augment,transfer}.conf
# Writes  exp/<system>_<split>/, exp/log/train_<system>.*.log, and exp/synthetic/ where the system starts from it
# Example: local/train_systems.sh --nj 2 augment official loo_george
#
# Options:
#   --cmd run.py   how jobs are started
#   --nj 2         trainings at a time
#   --seed 1       of the training
#   --split N      train the Nth of the splits only (how the jobs call this script)
set -euo pipefail
cmd=run.py
nj=2
seed=1
split=
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -lt 2 ]; then
  echo "usage: local/train_systems.sh [options] <system> <split>...; --help lists the options" >&2
  exit 1
fi
system=$1
shift

train=(steps/train_ctc.sh --cmd "$cmd" --seed "$seed" --train-config conf/train_augment.conf)
if [ -z "$split" ]; then
  if [ "$system" = transfer ]; then
    "${train[@]}" --num-threads "$nj" data/synthetic_train data/synthetic_dev data/lang exp/synthetic
  fi
  mkdir -p exp/log
  $cmd --max-jobs-run "$nj" JOB=1:$# "exp/log/train_$system.JOB.log" \
    local/train_systems.sh --cmd "$cmd" --seed "$seed" --split JOB "$system" "$@"
  echo "train_systems.sh: done $system on $# splits"
  exit
fi
name=${!split}
sets=("data/${name}_train" "data/${name}_dev" data/lang "exp/${system}_$name")
if [ "$system" = transfer ]; then
  train=(steps/transfer_ctc.sh --cmd "$cmd" --seed "$seed" --train-config conf/train_transfer.conf)
  sets=(exp/synthetic "${sets[@]}")
elif [ "$system" = plain ]; then
  train+=(--train-config conf/train_plain.conf)
fi
"${train[@]}" --num-threads 1 "${sets[@]}"
