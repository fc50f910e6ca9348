#!/usr/bin/env bash
# Trains every network on Mboshi with one schedule and prints how they compare.
#
# Reads   data/{train,dev}, data/lang_spelling, exp/graph_3gram (run.sh --stop-stage 2 makes them), conf/train_NAME.conf
# Writes  <dir>/<network>/ as steps/train_ctc.sh does, with greedy_dev/ and decode_3gram_dev/; <dir>/table.txt
# Example: local/compare_networks.sh --num-epochs 4 --networks "tdnn tdnnf lstm"
#
# Each network has the size of its conf/train_NAME.conf; the schedule, the augmentation and the batches are those below for
# all. What is there already is not made again, so a run that was cut off goes on where it was, and several runs share the
# work.
#
# Options:
#   --networks "..."         which ones, by their conf/train_NAME.conf; default: all
#   --criterion ctc          ctc | ctc-crf
#   --dir exp/compare        where the networks lie
#   --num-epochs 4           passes over the training data
#   --learning-rate 0.002    peak of the cosine schedule
#   --warmup-steps 200       updates until then
#   --max-utts 8             utterances in a batch
#   --num-threads 1          threads of the trainer
#   --seed 0                 of the training
#   --nj 1                   jobs that decode
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ./path.sh
# shellcheck source=../cmd.sh
. ./cmd.sh
networks="tdnn tdnnf dfsmn wav2letter wav2letter_asg lstm lstm_online gru ligru indrnn conformer"
criterion=ctc
dir=exp/compare
num_epochs=4
learning_rate=0.002
warmup_steps=200
max_utts=8
num_threads=1
seed=0
nj=1
. utils/parse_options.sh
for file in data/{train,dev}/feats.scp data/lang_spelling/tokens.txt exp/graph_3gram/TLG.fst; do
  if [ ! -s "$file" ]; then
    echo "compare_networks.sh: $file is missing; to mend: ./run.sh --stop-stage 2" >&2
    exit 1
  fi
done

schedule="--word-boundary=| --precision=bfloat16 --schedule=cosine --learning-rate=$learning_rate"
schedule="$schedule --warmup-steps=$warmup_steps --weight-decay=0.02 --max-utts=$max_utts --average=3"
schedule="$schedule --time-masks=2 --time-mask-max=15 --freq-masks=2 --freq-mask-max=6"
compared=$dir
prior_scale=0.3
if [ "$criterion" = ctc-crf ]; then prior_scale=0; fi
for network in $networks; do
  dir=$compared/$network
  config=$SIDAMO_ROOT/conf/train_$network.conf
  mkdir -p "$dir"
  exec 8>"$dir/.lock" # held as long as this script works on the network
  if ! flock -n 8; then
    echo "compare_networks.sh: $dir is in the works of another run" >&2
    continue
  fi
  if [ ! -f "$dir/.compared" ]; then
    choice=
    if ! grep -q '^--criterion=asg' "$config"; then choice=--criterion=$criterion; fi
    steps/train_ctc.sh --cmd "$train_cmd" --nj "$nj" --train-config "$config" --train-opts="$schedule $choice" --seed "$seed" \
      --num-epochs "$num_epochs" --num-threads "$num_threads" --keep-dump false data/train data/dev data/lang_spelling "$dir"
    steps/decode_greedy.sh --nj "$nj" --cmd "$decode_cmd" --word-boundary "|" data/dev "$dir" "$dir/greedy_dev"
    # ASG has no blank: its paths are none of a CTC graph's.
    if ! grep -q '^--criterion=asg' "$config"; then
      steps/decode.sh --nj "$nj" --cmd "$decode_cmd" --prior-scale $prior_scale exp/graph_3gram data/dev "$dir/decode_3gram_dev"
      local/score.sh --cmd "$decode_cmd" --min-lmwt 3 data/dev exp/graph_3gram "$dir/decode_3gram_dev"
    fi
    touch "$dir/.compared"
  fi
done
# shellcheck disable=SC2086 # a list of names
local/compare_networks.py "$compared" $networks | tee "$compared/table.txt.tmp"
mv "$compared/table.txt.tmp" "$compared/table.txt"
