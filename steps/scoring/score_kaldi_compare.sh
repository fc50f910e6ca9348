#!/usr/bin/env bash
# Compares two scored decode directories by bootstrap: intervals of both, and the probability that the second is better.
#
# Reads   <decode-a>/scoring_kaldi/ and <decode-b>/scoring_kaldi/ as local/score.sh left them, scored on one reference
# Writes  <out-dir>/wer_bootci_comparison, <out-dir>/log/compare.log
# Example: steps/scoring/score_kaldi_compare.sh exp/tdnn/decode_loop_test exp/tdnn/decode_3gram_test exp/compare
#
# Options:
#   --cmd utils/run.pl      # how to run the job
#   --replications 10000    # samples of the bootstrap
set -euo pipefail
cmd=utils/run.pl
replications=10000
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/scoring/score_kaldi_compare.sh [options] <decode-a> <decode-b> <out-dir>  (--help lists the options)" >&2
  exit 1
fi
out=$3
[ "$cmd" != utils/run.pl ] || cmd=$SIDAMO_ROOT/utils/run.pl

hyps=()
for dir in "$1" "$2"; do
  details=$dir/scoring_kaldi/wer_details
  if [ ! -f "$details/lmwt" ] || [ ! -f "$details/wip" ]; then
    echo "score_kaldi_compare.sh: $dir is not scored; to mend: local/score.sh <data> <graph> $dir" >&2
    exit 1
  fi
  hyps+=("ark:$dir/scoring_kaldi/penalty_$(cat "$details/wip")/$(cat "$details/lmwt").txt")
done
if ! cmp -s "$1/scoring_kaldi/test_filt.txt" "$2/scoring_kaldi/test_filt.txt"; then
  echo "score_kaldi_compare.sh: $1 and $2 were scored on different references" >&2
  exit 1
fi
mkdir -p "$out/log"
"$cmd" "$out/log/compare.log" compute-wer-bootci --mode=all --replications="$replications" \
  "ark:$1/scoring_kaldi/test_filt.txt" "${hyps[@]}" \> "$out/wer_bootci_comparison"
cat "$out/wer_bootci_comparison"
