#!/usr/bin/env bash
# Writes the words of lattices with their times (and, if asked, confidences) as CTM.
#
# Reads   <decode-dir>/lat.*.gz; <graph-or-lang-dir>/{words.txt,tokens.txt,phones/align_lexicon.txt}; <data>/segments and
#         reco2file_and_channel where there are any
# Writes  <decode-dir>/score_<LMWT>/<data name>.ctm: recording (or utterance), channel, begin and duration in seconds,
#         word[, confidence]
# Example: steps/get_ctm.sh --conf true data/test exp/graph exp/tdnn/decode_test
#
# The CTC network's labels are peaks: a word lasts from its first token's first frame to its last token's last one;
# --max-pad gives it some of the blank frames around it.
#
# Options:
#   --cmd "run.py"         how jobs are started
#   --min-lmwt ""          smallest LM weight (the acoustic scale is 1/LMWT); default: the best one that scoring found, else 10
#   --max-lmwt ""          largest LM weight; default: the smallest one
#   --frame-shift auto     seconds a frame of the lattices; auto: <data>/frame_shift times <model-dir>/frame_subsampling_factor
#   --max-pad 5            frames of blanks that a word takes at each end at most
#   --conf false           true: minimum Bayes risk words with confidences (lattice-to-ctm-conf), else the best path
#   --beam 8.0             lattice beam for confidences
#   --use-segments true    false: times relative to the utterance even where <data>/segments is there
#   --print-silence false  true: also entries without a word (<eps>)
#   --stage 0              taken for Kaldi's sake; not used
set -euo pipefail
cmd=run.py
min_lmwt=
max_lmwt=
frame_shift=auto
max_pad=5
conf=false
beam=8.0
use_segments=true
print_silence=false
# shellcheck disable=SC2034 # Kaldi's callers pass it
stage=0
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/get_ctm.sh [options] <data> <graph-or-lang-dir> <decode-dir>; --help lists the options" >&2
  exit 1
fi
data=$1 lang=$2 dir=$3
for f in "$lang/words.txt" "$lang/tokens.txt" "$lang/phones/align_lexicon.txt" "$dir/lat.1.gz"; do
  if [ ! -s "$f" ]; then
    echo "get_ctm.sh: $f is missing; to mend: utils/mkgraph.sh makes graph directories, steps/decode.sh lattices" >&2
    exit 1
  fi
done
if [ "$frame_shift" = auto ]; then
  srcdir=$(dirname "$dir")
  factor=$(cat "$srcdir/frame_subsampling_factor" 2>/dev/null || sed -n 's/^--subsampling=//p' "$srcdir/config" 2>/dev/null || true)
  shift_in=$(cat "$data/frame_shift" 2>/dev/null || cat "$srcdir/frame_shift" 2>/dev/null || echo 0.01)
  frame_shift=$(python3 -c "print(f'{float(\"$shift_in\") * int(\"${factor:-1}\"):g}')")
  echo "get_ctm.sh: a frame of the lattices is $frame_shift s (--frame-shift sets it)"
fi
if [ -z "$min_lmwt" ]; then min_lmwt=$(cat "$dir/scoring_kaldi/wer_details/lmwt" 2>/dev/null || echo 10); fi
if [ -z "$max_lmwt" ]; then max_lmwt=$min_lmwt; fi

name=$(basename "$data").ctm
convert="cat"
if [ "$use_segments" = true ] && [ -s "$data/segments" ]; then
  if [ ! -s "$data/reco2file_and_channel" ]; then
    echo "get_ctm.sh: $data/reco2file_and_channel is missing (with $data/segments);" \
      "to mend: awk '{print \$1, \$1, \"A\"}' $data/wav.scp >$data/reco2file_and_channel, or --use-segments false" >&2
    exit 1
  fi
  convert="$SIDAMO_ROOT/utils/convert_ctm.pl $data/segments $data/reco2file_and_channel"
fi
align="lattice-align-words --max-pad=$max_pad --words=$lang/words.txt --tokens=$lang/tokens.txt $lang/phones/align_lexicon.txt ark:- ark:-"
lattices="gunzip -c $dir/lat.*.gz"
done=0
mkdir -p "$dir/scoring/log"
for ((lmwt = min_lmwt; lmwt <= max_lmwt; lmwt++)); do
  out=$dir/score_$lmwt
  mkdir -p "$out"
  if [ "$conf" = true ]; then
    work="lattice-prune --inv-acoustic-scale=$lmwt --beam=$beam \"ark:$lattices |\" ark:- | $align | lattice-to-ctm-conf --inv-acoustic-scale=$lmwt --print-silence=$print_silence --frame-shift=$frame_shift ark:- -"
  else
    work="lattice-1best --inv-acoustic-scale=$lmwt \"ark:$lattices |\" ark:- | $align | nbest-to-ctm --print-silence=$print_silence --frame-shift=$frame_shift ark:- -"
  fi
  # shellcheck disable=SC2086 # cmd may hold options
  $cmd "$dir/scoring/log/get_ctm.$lmwt.log" bash -c \
    "set -o pipefail; $work | $SIDAMO_ROOT/utils/int2sym.pl -f 5 $lang/words.txt | $convert >$out/$name.tmp && mv $out/$name.tmp $out/$name"
  done=$((done + 1))
done
echo "get_ctm.sh: done $done/$((max_lmwt - min_lmwt + 1)) LM weights; $(wc -l <"$dir/score_$min_lmwt/$name") words in $dir/score_$min_lmwt/$name"
