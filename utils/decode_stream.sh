#!/usr/bin/env bash
# Prints the words of a WAV file, or of a microphone-like pipe of PCM, as they become certain.
#
# Reads   <model-dir>/{final.pt,cmvn_opts} of a network that does not need the whole utterance; <graph-dir>/{TLG.fst,words.txt};
#         the WAV file, or with "-" 16-bit little-endian samples of one channel on stdin
# Writes  words to stdout; a line ends where the utterance has ended (Kaldi's endpoint rules)
# Example: utils/decode_stream.sh --fbank-config conf/fbank.conf exp/lstm exp/graph talk.wav
#          arecord -q -f S16_LE -r 16000 | utils/decode_stream.sh exp/lstm exp/graph -
#
# Options:
#   --fbank-config conf/fbank.conf   configuration of the features, as in training
#   --cmvn-stats ""                  statistics of the speaker (rxfilename of a matrix); default: of the utterance so far
#   --beam 13.0 --max-active 7000 --acwt 1.0   as in steps/decode.sh
#   --prior-scale 0.0                as in steps/compute_loglikes.sh
#   --chunk-seconds 0.4              sound taken at once
#   --endpoint true                  false: one utterance up to the end of the input
set -euo pipefail
fbank_config=conf/fbank.conf
cmvn_stats=
beam=13.0
max_active=7000
acwt=1.0
prior_scale=0.0
chunk_seconds=0.4
endpoint=true
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: utils/decode_stream.sh [options] <model-dir> <graph-dir> <wav-file or ->; --help lists the options" >&2
  exit 1
fi
srcdir=$1 graphdir=$2 source=$3
for f in "$srcdir/final.pt" "$graphdir/TLG.fst" "$graphdir/words.txt" "$fbank_config"; do
  if [ ! -s "$f" ]; then
    echo "decode_stream.sh: $f is missing; to mend: steps/train_ctc.sh (model), utils/mkgraph.sh (graph), --fbank-config FILE" >&2
    exit 1
  fi
done
exec python3 -m sidamo.bin.decode_stream "--config=$fbank_config" --dither=0 --print-args=false "--beam=$beam" \
  "--max-active=$max_active" "--acoustic-scale=$acwt" "--prior-scale=$prior_scale" "--chunk-seconds=$chunk_seconds" \
  "--endpoint=$endpoint" "--cmvn-stats=$cmvn_stats" "--cmvn-opts=$(cat "$srcdir/cmvn_opts" 2>/dev/null || true)" \
  "$srcdir/final.pt" "$graphdir" "$source"
