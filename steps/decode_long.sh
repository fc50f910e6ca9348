#!/usr/bin/env bash
# Decodes long recordings: the network over overlapping windows, cuts at silence, decoding, and words at their times.
#
# Reads   <graph-dir> as steps/decode.sh; <data>/{feats.scp,utt2spk,cmvn.scp}, one utterance a recording (of any length);
#         <model-dir>/final.pt, where <model-dir> is the folder above <decode-dir> (or --srcdir)
# Writes  <decode-dir>/ctm (recording, channel, begin, duration, word, confidence), text (a line a recording), segments,
#         lat.JOB.gz of the pieces, log/
# Example: steps/decode_long.sh --nj 2 exp/graph data/lectures exp/tdnn/decode_lectures
#
# Options:
#   --cmd "run.py"      how jobs are started
#   --nj 4              number of jobs
#   --window 30         seconds that the network sees at once
#   --overlap 6         seconds that neighbouring windows share
#   --min-seconds 5     shortest piece to decode
#   --max-seconds 30    longest piece; it ends at the longest silence between the two
#   --frame-shift 0.01  seconds between frames of features
#   --lmwt 10           LM weight for the words and their confidences
#   --srcdir ""         model directory, where it is not the folder above <decode-dir>
#   --decode-opts ""    more options for steps/decode.sh
#   --loglike-opts ""   more options for steps/compute_loglikes.sh
set -euo pipefail
cmd=run.py
nj=4
window=30
overlap=6
min_seconds=5
max_seconds=30
frame_shift=0.01
lmwt=10
srcdir=
decode_opts=
loglike_opts=
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/decode_long.sh [options] <graph-dir> <data> <decode-dir>; --help lists the options" >&2
  exit 1
fi
graphdir=$1 data=$2 dir=$3
if [ -z "$srcdir" ]; then srcdir=$(dirname "$dir"); fi
steps=$SIDAMO_ROOT/steps
for f in "$data/feats.scp" "$data/utt2spk" "$srcdir/final.pt" "$graphdir/words.txt"; do
  if [ ! -s "$f" ]; then
    echo "decode_long.sh: $f is missing; to mend: steps/make_fbank.sh (features), steps/train_ctc.sh (model), utils/mkgraph.sh (graph)" >&2
    exit 1
  fi
done
factor=$(cat "$srcdir/frame_subsampling_factor" 2>/dev/null || echo 1)
frames() { python3 -c 'import sys; print(round(float(sys.argv[1]) / float(sys.argv[2])))' "$1" "$frame_shift"; }

mkdir -p "$dir/log"
rm -f "$dir/.done" "$dir/ctm" "$dir/text"
python3 -m sidamo.bin.split_long_feats "--window=$(frames "$window")" "--overlap=$(frames "$overlap")" \
  "--multiple=$((factor * 4))" "$data" "$dir/windows" 2>"$dir/log/split.log" || { cat "$dir/log/split.log" >&2; exit 1; }
# shellcheck disable=SC2086 # options
"$steps/compute_loglikes.sh" --cmd "$cmd" --nj "$nj" $loglike_opts "$dir/windows" "$srcdir" "$dir/windows/loglikes"
mkdir -p "$dir/pieces"
python3 -m sidamo.bin.join_long_loglikes "--subsampling=$factor" "--frame-shift=$frame_shift" \
  "--min-seconds=$min_seconds" "--max-seconds=$max_seconds" "scp:$dir/windows/loglikes/loglikes.scp" "$dir/pieces" \
  2>"$dir/log/join.log" || { cat "$dir/log/join.log" >&2; exit 1; }
# shellcheck disable=SC2086 # options
"$steps/decode.sh" --cmd "$cmd" --nj "$nj" --srcdir "$srcdir" $decode_opts --loglikes "$dir/pieces" \
  "$graphdir" "$data" "$dir"
seconds=$(python3 -c 'import sys; print(float(sys.argv[1]) * int(sys.argv[2]))' "$frame_shift" "$factor")
lats="ark:gunzip -c $dir/lat.*.gz |"
if [ -s "$graphdir/phones/align_lexicon.txt" ]; then # exact times of words
  lats="ark:gunzip -c $dir/lat.*.gz | lattice-align-words --words=$graphdir/words.txt --tokens=$graphdir/tokens.txt $graphdir/phones/align_lexicon.txt ark:- ark:- |"
fi
$cmd "$dir/log/ctm.log" lattice-to-ctm-conf "--inv-acoustic-scale=$lmwt" "--frame-shift=$seconds" \
  "$lats" "$dir/ctm.pieces"
cp "$dir/pieces/segments" "$dir/segments"
python3 -m sidamo.bin.join_long_ctm "$dir/segments" "$graphdir/words.txt" "$dir/ctm.pieces" "$dir/ctm" "$dir/text"
touch "$dir/.done"
echo "decode_long.sh: done $(wc -l <"$dir/text")/$(wc -l <"$data/feats.scp") recordings, $(wc -l <"$dir/ctm") words in $dir/ctm"
