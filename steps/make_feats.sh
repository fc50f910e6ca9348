#!/usr/bin/env bash
# Computes features of one kind for a data directory; make_fbank.sh, make_mfcc.sh, make_plp.sh and others call it.
#
# Reads   <data>/wav.scp, segments, utt2spk, spk2warp or utt2warp (warp factors, if there)
# Writes  <feat-dir>/raw_<kind>_<name>.JOB.{ark,scp}; <data>/feats.scp, utt2num_frames, utt2dur, frame_shift, conf/
# Example: steps/make_feats.sh --nj 2 --feat-config conf/fbank.conf fbank data/train exp/make_fbank/train fbank
#
# Usage: steps/make_feats.sh [options] <kind> <data> [<log-dir> [<feat-dir>]]
# <kind> is fbank, mfcc, plp, spectrogram, or one of them with _pitch.
#
# Options:
#   --nj 4                         number of jobs
#   --cmd run.py                   how jobs are started
#   --feat-config ""               options of compute-<kind>-feats; default conf/<kind>.conf here, else in Sidamo's conf/
#   --pitch-config conf/pitch.conf options of compute-kaldi-pitch-feats
#   --pitch-postprocess-config ""  options of process-kaldi-pitch-feats, if any
#   --paste-length-tolerance 2     frames by which features and pitch may differ in length
#   --compress true                write compressed matrices, a byte per number
#   --write-utt2num-frames true    write <data>/utt2num_frames
#   --write-utt2dur true           write <data>/utt2dur
set -euo pipefail
nj=4
cmd=run.py
feat_config=
pitch_config=conf/pitch.conf
pitch_postprocess_config=
paste_length_tolerance=2
compress=true
write_utt2num_frames=true
write_utt2dur=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -lt 2 ] || [ $# -gt 4 ]; then
  echo "usage: steps/make_feats.sh [options] <kind> <data> [<log-dir> [<feat-dir>]]; --help lists the options" >&2
  exit 1
fi
kind=$1 data=${2%/}
base=${kind%_pitch}
log_dir=${3:-$data/log}
feat_dir=${4:-$data/data}
case $base in
  fbank | mfcc | plp | spectrogram) ;;
  *) echo "make_feats.sh: no such kind of features: $kind" >&2; exit 1 ;;
esac

# config NAME DEFAULT: the file, or the one of that name in Sidamo's conf/ if NAME is the default and not here.
config() {
  if [ -f "$1" ]; then
    echo "$1"
  elif [ "$1" = "$2" ] && [ -f "$SIDAMO_ROOT/$2" ]; then
    echo "$SIDAMO_ROOT/$2"
  else
    echo "make_$kind.sh: no such file: $1" >&2
    return 1
  fi
}
feat_config=$(config "${feat_config:-conf/$base.conf}" "conf/$base.conf")
for file in wav.scp utt2spk; do
  if [ ! -s "$data/$file" ]; then
    echo "make_$kind.sh: $data/$file is missing or empty; to mend: see utils/validate_data_dir.sh --help" >&2
    exit 1
  fi
done
# What was made from earlier features would not fit the new ones.
for file in feats.scp cmvn.scp vad.scp utt2num_frames utt2dur; do
  if [ -f "$data/$file" ]; then
    mkdir -p "$data/.backup"
    mv "$data/$file" "$data/.backup/$file"
  fi
done
"$SIDAMO_ROOT/utils/validate_data_dir.sh" --no-text --no-feats "$data"
mkdir -p "$log_dir" "$feat_dir"
log_dir=$(cd "$log_dir" && pwd) # absolute, as Kaldi writes them: feats.scp is read from anywhere
feat_dir=$(cd "$feat_dir" && pwd)
name=$(basename "$data")

list=$data/wav.scp # what is split among the jobs
if [ -f "$data/segments" ]; then list=$data/segments; fi
lines=$(wc -l < "$list")
if [ "$nj" -gt "$lines" ]; then nj=$lines; fi
parts=()
for ((n = 1; n <= nj; n++)); do parts+=("$log_dir/$kind.list_$name.$n"); done
"$SIDAMO_ROOT/utils/split_scp.pl" "$list" "${parts[@]}"
if [ -f "$data/segments" ]; then
  waves="ark:extract-segments scp,p:$data/wav.scp $log_dir/$kind.list_$name.JOB ark:- |"
else
  waves="scp,p:$log_dir/$kind.list_$name.JOB"
fi

warps=() # vocal tract length normalization
if [ -f "$data/spk2warp" ]; then
  warps=("--vtln-map=ark:$data/spk2warp" "--utt2spk=ark:$data/utt2spk")
elif [ -f "$data/utt2warp" ]; then
  warps=("--vtln-map=ark:$data/utt2warp")
fi
durations=() frames=()
if [ "$write_utt2dur" = true ]; then durations=("--write-utt2dur=ark,t:$log_dir/utt2dur.JOB"); fi
if [ "$write_utt2num_frames" = true ]; then frames=("--write-num-frames=ark,t:$log_dir/utt2num_frames.JOB"); fi
target=raw_${kind}_$name
output="ark,scp:$feat_dir/$target.JOB.ark,$feat_dir/$target.JOB.scp"
compute=("compute-$base-feats" --config="$feat_config" "${warps[@]}" "${durations[@]}")
if [ "$kind" = "$base" ]; then
  $cmd JOB=1:"$nj" "$log_dir/make_${kind}_$name.JOB.log" \
    "${compute[@]}" --compress="$compress" "${frames[@]}" "$waves" "$output"
else
  pitch_config=$(config "$pitch_config" conf/pitch.conf)
  process="process-kaldi-pitch-feats"
  if [ -n "$pitch_postprocess_config" ]; then process+=" --config=$(config "$pitch_postprocess_config" "")"; fi
  # One stream runs in this process, the other behind a pipe: both read the audio.
  case $waves in ark:*) quoted="\"$waves\"" ;; *) quoted=$waves ;; esac
  features="ark:${compute[*]} $quoted ark:- |"
  pitch="ark,s,cs:compute-kaldi-pitch-feats --config=$pitch_config $quoted ark:- | $process ark:- ark:- |"
  $cmd JOB=1:"$nj" "$log_dir/make_${kind}_$name.JOB.log" \
    paste-feats --length-tolerance="$paste_length_tolerance" "$features" "$pitch" ark:- \| \
    copy-feats --compress="$compress" "${frames[@]}" ark:- "$output"
fi

mkdir -p "$data/conf"
cp "$feat_config" "$data/conf/$base.conf"
python3 -m sidamo.bin.collect_feats --print-args=false --script="make_$kind.sh" --nj="$nj" --logs="$log_dir/make_${kind}_$name.JOB.log" \
  --config-file="$feat_config" --utt2num-frames="$write_utt2num_frames" --utt2dur="$write_utt2dur" \
  "$data" "$feat_dir/$target.JOB.scp" "$log_dir"
rm -f "${parts[@]}"
