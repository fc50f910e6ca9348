#!/usr/bin/env bash
# Decodes greedily: the best token of each frame, runs merged, blanks dropped. No lexicon and no grammar take part. (A model
# of CTC-CRF was trained beside an n-gram of tokens, and is decoded beside it: the best path through both.)
#
# Reads   <data>/{feats.scp,cmvn.scp,utt2spk,text}, <model-dir>/{final.pt,tokens.txt,cmvn_opts}, token_lm.fst where CTC-CRF
# Writes  <decode-dir>/{units.txt,text} (token strings; words where --word-boundary is given), and where <data>/text
#         exists: wer (words), cer (letters of the words); loglikes.scp and archives, log/
# Example: steps/decode_greedy.sh --word-boundary "|" data/dev exp/blstm exp/blstm/greedy_dev
#
# Options:
#   --cmd "run.py"         how jobs are started
#   --nj 4                 number of jobs
#   --word-boundary ""     unit that ends a word; without it text holds units, and no wer is written
#   --model final.pt       file in <model-dir>
#   --token-lm-scale 1.0   factor on the costs of the n-gram of tokens, where the criterion was CTC-CRF
#   --use-gpu no           auto | yes | no
set -euo pipefail
cmd=run.py
nj=4
word_boundary=
model=final.pt
token_lm_scale=1.0
use_gpu=no
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/decode_greedy.sh [options] <data> <model-dir> <decode-dir>; --help lists the options" >&2
  exit 1
fi
data=$1 srcdir=$2 dir=$3
if [ ! -s "$srcdir/tokens.txt" ]; then
  echo "decode_greedy.sh: $srcdir/tokens.txt is missing; to mend: steps/train_ctc.sh ... $srcdir" >&2
  exit 1
fi

# Prior and blank scales are for decoding with a grammar; here the posteriors decide.
"$SIDAMO_ROOT/steps/compute_loglikes.sh" --cmd "$cmd" --nj "$nj" --model "$model" --use-gpu "$use_gpu" \
  "$data" "$srcdir" "$dir"
criterion=$(sed -n 's/^--criterion=//p' "$srcdir/config" 2>/dev/null || true)
options=("--criterion=${criterion:-ctc}")
if [ "$criterion" = ctc-crf ]; then options+=("--token-lm=$srcdir/token_lm.fst" "--token-lm-scale=$token_lm_scale"); fi
# Light work, and a boundary such as | would be taken by the shell behind $cmd for a pipe: run here.
decode-greedy "${options[@]}" "$srcdir/tokens.txt" "scp:$dir/loglikes.scp" \
  "ark,t:$dir/units.txt" 2>"$dir/log/greedy.log" || { tail -n 3 "$dir/log/greedy.log" >&2; exit 1; }
if [ -n "$word_boundary" ]; then
  decode-greedy "${options[@]}" "--word-boundary=$word_boundary" "$srcdir/tokens.txt" \
    "scp:$dir/loglikes.scp" "ark,t:$dir/text" 2>"$dir/log/greedy_words.log" ||
    { tail -n 3 "$dir/log/greedy_words.log" >&2; exit 1; }
else
  cp "$dir/units.txt" "$dir/text"
fi
if [ -f "$data/text" ] && [ -n "$word_boundary" ]; then
  compute-wer --text --mode=all "ark:$data/text" "ark:$dir/text" >"$dir/wer" 2>"$dir/log/wer.log"
  # Letters, one by one: the first field is the utterance.
  for text in "$data/text" "$dir/text"; do
    python3 -c 'import sys
for line in open(sys.argv[1], encoding="utf-8"):
    utt, *words = line.split()
    print(utt, *"".join(words))' "$text" >"$dir/letters.$(basename "$(dirname "$text")").$$"
  done
  compute-wer --text --mode=all "ark:$dir/letters.$(basename "$data").$$" "ark:$dir/letters.$(basename "$dir").$$" \
    2>"$dir/log/cer.log" | sed 's/^%WER/%CER/' >"$dir/cer"
  rm -f "$dir"/letters.*."$$"
  sed 1q "$dir/wer"
  sed 1q "$dir/cer"
fi
echo "decode_greedy.sh: done $(wc -l <"$dir/text")/$(wc -l <"$data/feats.scp") utterances in $dir/text"
