#!/usr/bin/env bash
# Trains a model that starts from another one: of another corpus, language or bandwidth.
#
# Reads   <source-dir>/{final.pt,config}, and what steps/train_ctc.sh reads
# Writes  <exp-dir> as steps/train_ctc.sh does; <exp-dir>/transfer.conf (the source's options, then --train-config's)
# Example: steps/transfer_ctc.sh --train-opts "--learning-rate=0.0005 --num-epochs=10" exp/synthetic data/train data/dev \
#            data/lang exp/transfer
#
# The encoder is copied. The output layer is new, except for tokens that both models have. Where the features have
# another dimension, the first projection is new too.
#
# Options:
#   --train-config FILE    options of train-ctc that replace the source's
#   --train-opts "..."     further ones, which win over the file's
#   --freeze REGEX         parameters that stay as they are, e.g. "encoder.(subsample|layers.[01])"
#   --lr-scales LIST       own rates, regex=factor,..., e.g. "encoder=0.1"
#   --cmd "run.py" --nj 4 --seed N --num-threads 0 --num-processes 1 --use-gpu auto --overwrite false   as in train_ctc.sh
set -euo pipefail
cmd=run.py
nj=4
train_config=
train_opts=
freeze=
lr_scales=
seed=0
num_threads=0
num_processes=1
use_gpu=auto
overwrite=false
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 5 ]; then
  echo "usage: steps/transfer_ctc.sh [options] <source-dir> <train-data> <dev-data> <lang-dir> <exp-dir>; --help lists the options" >&2
  exit 1
fi
source=$1 dir=$5
for file in "$source/final.pt" "$source/config" ${train_config:+"$train_config"}; do
  if [ ! -s "$file" ]; then
    echo "transfer_ctc.sh: $file is missing; to mend: train the source model with steps/train_ctc.sh" >&2
    exit 1
  fi
done

mkdir -p "$dir"
{
  echo "# from $source/config"
  grep -v -E '^--(init-model|freeze|lr-scales|seed|num-threads|use-gpu|save-seconds)=' "$source/config"
  if [ -n "$train_config" ]; then
    echo "# from $train_config"
    cat "$train_config"
  fi
  echo "--init-model=$source/final.pt"
  echo "--freeze=$freeze"
  echo "--lr-scales=$lr_scales"
} >"$dir/transfer.conf.tmp.$$"
mv "$dir/transfer.conf.tmp.$$" "$dir/transfer.conf"
shift
exec "$SIDAMO_ROOT/steps/train_ctc.sh" "--cmd=$cmd" "--nj=$nj" "--train-config=$dir/transfer.conf" \
  "--train-opts=$train_opts" "--seed=$seed" "--num-threads=$num_threads" "--num-processes=$num_processes" \
  "--cmvn-opts=$(cat "$source/cmvn_opts")" "--use-gpu=$use_gpu" "--overwrite=$overwrite" "$@"
