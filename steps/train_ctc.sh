#!/usr/bin/env bash
# Trains an acoustic model with CTC; goes on where it was when it is started again.
#
# Reads   <train-data>/{feats.scp,cmvn.scp,utt2spk,text}, the same of <dev-data>, <lang-dir> (tokens.txt, lexicon)
# Writes  <exp-dir>/final.pt, tokens.txt, cmvn_opts, frame_subsampling_factor, train.conf, config, provenance.txt,
#         log/{dump*.log,train.log,curve.tsv,posteriors.ark}, curve.svg, checkpoint.pt, dump/ (normalized features and
#         integer targets)
# Example: steps/train_ctc.sh --config conf/train_tdnn.conf data/train data/dev data/lang exp/tdnn
#
# Options:
#   --cmd "run.py"            how jobs are started
#   --nj 4                    jobs that normalize features
#   --train-config FILE       options of train-ctc (--network=..., see train-ctc --help); default conf/train_tdnn.conf
#   --train-opts "..."        further options of train-ctc, which win over the file's
#   --cmvn-opts "..."         options of apply-cmvn; default "--norm-means=true --norm-vars=true"
#   --oov ""                  words outside the lexicon train as this word; default: that of <lang-dir>/oov.txt
#   --num-epochs N --network NAME --seed N --subsampling N --init-model FILE   short for the same in --train-opts
#   --num-threads 0           threads of the trainer; 0: all cores
#   --num-processes 1         processes on this machine (one a GPU), started by torchrun
#   --use-gpu auto            auto | yes | no
#   --save-seconds 60         time between checkpoints
#   --overwrite false         begin anew although there is a checkpoint
#   --keep-dump true          keep <exp-dir>/dump after training
set -euo pipefail
cmd=run.py
nj=4
train_config=
train_opts=
cmvn_opts="--norm-means=true --norm-vars=true"
oov=
num_epochs=
network=
seed=
subsampling=
init_model=
num_threads=0
num_processes=1
use_gpu=auto
save_seconds=60
overwrite=false
keep_dump=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 4 ]; then
  echo "usage: steps/train_ctc.sh [options] <train-data> <dev-data> <lang-dir> <exp-dir>; --help lists the options" >&2
  exit 1
fi
train_data=$1 dev_data=$2 lang=$3 dir=$4

need() { # need FILE COMMAND: the file, or an end that names the command that makes it
  if [ ! -s "$1" ]; then
    echo "train_ctc.sh: $1 is missing; to mend: $2" >&2
    exit 1
  fi
}
for data in "$train_data" "$dev_data"; do
  need "$data/utt2spk" "make the data directory $data"
  need "$data/text" "make $data/text: lines <utt> <words>"
  need "$data/feats.scp" "steps/make_fbank.sh $data"
  if [ -n "$cmvn_opts" ]; then need "$data/cmvn.scp" "steps/compute_cmvn_stats.sh $data"; fi
done
need "$lang/tokens.txt" "utils/prepare_lang.sh"
if [ -z "$train_config" ]; then
  train_config=conf/train_tdnn.conf
  if [ ! -f $train_config ]; then train_config=$SIDAMO_ROOT/conf/train_tdnn.conf; fi
fi
need "$train_config" "give --train-config, e.g. $SIDAMO_ROOT/conf/train_tdnn.conf"
if [ "$overwrite" = true ]; then
  rm -f "$dir"/{checkpoint.pt,final.pt,.done,log/curve.tsv,log/posteriors.ark} "$dir"/epoch_*.pt
fi

# A model belongs to the data, the configuration and the options that it was trained with. Where they have changed, the
# old one is put aside (one generation), so that nothing is lost and nothing is taken for what it is not.
made_of=$(cat "$train_config" "$lang/tokens.txt" "$train_data"/{feats.scp,text} "$dev_data"/{feats.scp,text} \
  <(echo "$train_data $dev_data $cmvn_opts $oov $train_opts $num_epochs $network $seed $subsampling $init_model") | cksum)
changed=
if [ "$(cat "$dir/.made_of" 2>/dev/null)" != "$made_of" ]; then changed="other data, options or configuration"; fi
for data in "$train_data" "$dev_data"; do
  for file in feats.scp cmvn.scp text; do
    if [ "$data/$file" -nt "$dir/.made_of" ]; then changed="an older $data/$file"; fi
  done
done
if [ -n "$changed" ] && { [ -f "$dir/checkpoint.pt" ] || [ -f "$dir/final.pt" ]; }; then
  echo "train_ctc.sh: the model in $dir was trained with $changed; it is kept in $dir/.before, and training begins anew" >&2
  rm -rf "$dir/.before"
  mkdir -p "$dir/.before"
  # The checkpoint goes first: without it a run that is killed here begins anew, too.
  for file in checkpoint.pt final.pt .done config train.conf provenance.txt log; do
    if [ -e "$dir/$file" ]; then mv "$dir/$file" "$dir/.before/"; fi
  done
  rm -f "$dir"/epoch_*.pt
fi
if [ -n "$changed" ]; then rm -rf "$dir/dump"; fi

mkdir -p "$dir/log" "$dir/dump"
echo "$made_of" >"$dir/.made_of.tmp" && mv "$dir/.made_of.tmp" "$dir/.made_of"
cp "$lang/tokens.txt" "$dir/tokens.txt"
echo "$cmvn_opts" >"$dir/cmvn_opts"
if [ -f "$train_data/frame_shift" ]; then cp "$train_data/frame_shift" "$dir/frame_shift"; fi

for set in train dev; do
  if [ $set = train ]; then data=$train_data; else data=$dev_data; fi
  dump=$dir/dump/$set
  if [ -f "$dump/.done" ]; then continue; fi
  rm -rf "$dump"
  mkdir -p "$dump"
  jobs=$(wc -l <"$data/feats.scp")
  if [ "$jobs" -gt "$nj" ]; then jobs=$nj; fi
  parts=$(for n in $(seq "$jobs"); do echo "$dump/raw.$n.scp"; done)
  # shellcheck disable=SC2086 # a list of file names
  "$SIDAMO_ROOT/utils/split_scp.py" "$data/feats.scp" $parts
  if [ -n "$cmvn_opts" ]; then
    # shellcheck disable=SC2086 # options
    $cmd JOB=1:"$jobs" "$dir/log/dump_$set.JOB.log" apply-cmvn $cmvn_opts "--utt2spk=ark:$data/utt2spk" \
      "scp:$data/cmvn.scp" "scp:$dump/raw.JOB.scp" "ark,scp:$dump/feats.JOB.ark,$dump/feats.JOB.scp"
  else
    $cmd JOB=1:"$jobs" "$dir/log/dump_$set.JOB.log" copy-feats \
      "scp:$dump/raw.JOB.scp" "ark,scp:$dump/feats.JOB.ark,$dump/feats.JOB.scp"
  fi
  for n in $(seq "$jobs"); do cat "$dump/feats.$n.scp"; done >"$dump/feats.scp"
  $cmd "$dir/log/targets_$set.log" text-to-tokens "--oov=$oov" "$lang" "$data/text" "ark:$dump/targets.ark"
  touch "$dump/.done"
done

for pair in "num-epochs=$num_epochs" "network=$network" "seed=$seed" "subsampling=$subsampling" "init-model=$init_model"; do
  if [ -n "${pair#*=}" ]; then train_opts="$train_opts --$pair"; fi
done
# All options in one file: what stands there needs no quoting on its way through $cmd.
{
  cat "$train_config"
  set -f
  # shellcheck disable=SC2086 # options, split at blanks
  printf '%s\n' "# --train-opts and the script's own options" $train_opts
  set +f
} >"$dir/train.conf.tmp.$$"
mv "$dir/train.conf.tmp.$$" "$dir/train.conf"
launch=(train-ctc)
if [ "$num_processes" -gt 1 ]; then
  launch=(torchrun --standalone "--nproc-per-node=$num_processes" --no-python train-ctc)
fi
if [ -f "$dir/final.pt" ] && [ -f "$dir/.done" ]; then
  echo "train_ctc.sh: $dir/final.pt is there already; --overwrite true trains anew" >&2
else
  gpu=()
  if [ "$use_gpu" = yes ] || { [ "$use_gpu" = auto ] && command -v nvidia-smi >/dev/null; }; then gpu=(--gpu 1); fi
  $cmd "${gpu[@]}" "$dir/log/train.log" "${launch[@]}" "--config=$dir/train.conf" "--num-threads=$num_threads" \
    "--use-gpu=$use_gpu" "--save-seconds=$save_seconds" "$dir/dump/train/feats.scp" "ark:$dir/dump/train/targets.ark" \
    "$dir/dump/dev/feats.scp" "ark:$dir/dump/dev/targets.ark" "$dir/tokens.txt" "$dir"
fi
sed -n 's/^--subsampling=//p' "$dir/config" >"$dir/frame_subsampling_factor"
plot-curve --print-args=false "--title=$dir" "$dir/log/curve.tsv" "$dir/curve.svg"
touch "$dir/.done"
if [ "$keep_dump" != true ]; then rm -rf "$dir/dump"; fi
epochs=$(($(wc -l <"$dir/log/curve.tsv") - 1))
echo "train_ctc.sh: done $epochs epochs; $dir/final.pt; $(grep -o 'final.pt is the mean.*' "$dir/log/train.log" | tail -n 1)"
