#!/usr/bin/env bash
# Trains one system on each of the recipe's splits, several splits at a time, each with one thread.
#
# Reads   data/<split>_{train,voices,dev,test}, data/voices{,_dev}, data/lang, conf/train_*.conf; exp/voices_<split>
# Writes  exp/<system>_<split>/, exp/log/train_<system>.*.log; exp/voices/ (what voices starts from); for adapt and balanced
#         data/<split>_<system>: the test recordings with what they were taken for, and all that voices was trained on
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
options=(--cmd "$cmd" --nj 1 --seed "$seed" --num-threads 1)

# hypotheses_as_text SYSTEM SPLIT: makes data/<split>_<system>
hypotheses_as_text() {
  local model=exp/voices_$2 heard=data/$2_$1_heard
  utils/copy_data_dir.sh "data/$2_test" "$heard"
  if [ "$1" = adapt ]; then
    sort "$model/decode_test/scoring_kaldi/penalty_0.0/10.txt" >"$heard/text"
  else
    local/balanced_hypotheses.py "$heard" "$model/loglikes_$2_test/loglikes.scp" data/local/dict/lexicon.txt \
      data/local/digits data/lang/tokens.txt "$heard/text"
  fi
  utils/combine_data.sh "data/$2_$1" "data/$2_voices" "$heard"
}

if [ -z "$split" ]; then
  if [ "$system" = voices ]; then
    steps/train_ctc.sh "${options[@]}" --train-config conf/train_augment.conf data/voices data/voices_dev data/lang exp/voices
  fi
  mkdir -p exp/log
  $cmd --max-jobs-run "$nj" JOB=1:$# "exp/log/train_$system.JOB.log" \
    local/train_systems.sh --cmd "$cmd" --seed "$seed" --split JOB "$system" "$@"
  echo "train_systems.sh: done $system on $# splits"
  exit
fi
name=${!split}
target=("data/${name}_dev" data/lang "exp/${system}_$name")
case $system in
  plain | augment)
    steps/train_ctc.sh "${options[@]}" --train-config "conf/train_$system.conf" "data/${name}_train" "${target[@]}"
    ;;
  voices)
    steps/transfer_ctc.sh "${options[@]}" --train-config conf/train_voices.conf exp/voices "data/${name}_voices" "${target[@]}"
    ;;
  adapt | balanced)
    hypotheses_as_text "$system" "$name"
    steps/transfer_ctc.sh "${options[@]}" --train-config conf/train_adapt.conf "exp/voices_$name" "data/${name}_$system" \
      "${target[@]}"
    ;;
  *)
    echo "train_systems.sh: $system: expected plain, augment, voices, adapt or balanced" >&2
    exit 1
    ;;
esac
