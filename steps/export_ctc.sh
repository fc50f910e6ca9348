#!/usr/bin/env bash
# Exports a model as TorchScript and ONNX, and checks that they give the log-likelihoods of the model itself.
#
# Reads   <model-dir>/{final.pt,tokens.txt,cmvn_opts}; <data>/{feats.scp,cmvn.scp,utt2spk}: utterances for the check
# Writes  <out-dir>/model.ts, model.onnx (normalized features (B, T, D) and lengths (B,) in, log-likelihoods (B, T', V) and
#         lengths out), and beside them what their user needs: tokens.txt (column = label - 1), cmvn_opts,
#         frame_subsampling_factor; log/export_*.log
# Example: steps/export_ctc.sh --prior-scale 0.3 data/dev exp/tdnn exp/tdnn/export
#
# ONNX needs packages that Sidamo itself does not: pip install onnx onnxscript onnxruntime. Without them it is left out with
# a warning, unless --format names it.
#
# Options:
#   --cmd "run.py"         how jobs are started
#   --format ""            "ts", "onnx" or "ts onnx"; default: ts, and onnx where its packages are
#   --num-check 10         utterances of <data> for the check
#   --tolerance 0.001      largest difference of log-likelihoods allowed
#   --model final.pt       file in <model-dir>
#   --prior-scale 0.0      weight of the log prior that is subtracted
#   --priors labels        labels (counts of labels, blanks interleaved) | posteriors (the network's own mean)
#   --blank-scale 1.0      factor on the posterior of blank
set -euo pipefail
cmd=run.py
format=
num_check=10
tolerance=0.001
model=final.pt
prior_scale=0.0
priors=labels
blank_scale=1.0
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 3 ]; then
  echo "usage: steps/export_ctc.sh [options] <data> <model-dir> <out-dir>; --help lists the options" >&2
  exit 1
fi
data=$1 srcdir=$2 dir=$3
for file in "$srcdir/$model" "$srcdir/tokens.txt" "$srcdir/frame_subsampling_factor"; do
  if [ ! -s "$file" ]; then
    echo "export_ctc.sh: $file is missing; to mend: steps/train_ctc.sh ... $srcdir" >&2
    exit 1
  fi
done
if [ ! -s "$data/feats.scp" ]; then
  echo "export_ctc.sh: $data/feats.scp is missing; to mend: steps/make_fbank.sh $data" >&2
  exit 1
fi
cmvn_opts=$(cat "$srcdir/cmvn_opts" 2>/dev/null || true)
if [ -n "$cmvn_opts" ] && [ ! -s "$data/cmvn.scp" ]; then
  echo "export_ctc.sh: $data/cmvn.scp is missing; to mend: steps/compute_cmvn_stats.sh $data" >&2
  exit 1
fi
format_list=$format
if [ -z "$format" ]; then
  format_list=ts
  if python3 -c 'import sys; from importlib.util import find_spec as f
sys.exit(not all(map(f, ("onnx", "onnxscript", "onnxruntime"))))'; then
    format_list="ts onnx"
  else
    echo "export_ctc.sh: no ONNX: pip install onnx onnxscript onnxruntime" >&2
  fi
fi

mkdir -p "$dir/log"
rm -f "$dir/.done"
head -n "$num_check" "$data/feats.scp" >"$dir/check.scp"
feats="scp:$dir/check.scp"
if [ -n "$cmvn_opts" ]; then
  feats="ark:apply-cmvn $cmvn_opts --utt2spk=ark:$data/utt2spk scp:$data/cmvn.scp scp:$dir/check.scp ark:- |"
fi
for suffix in $format_list; do
  $cmd "$dir/log/export_$suffix.log" export-ctc "--prior-scale=$prior_scale" "--priors=$priors" \
    "--blank-scale=$blank_scale" "--check=$feats" "--tolerance=$tolerance" "$srcdir/$model" "$dir/model.$suffix"
done
cp "$srcdir/tokens.txt" "$srcdir/frame_subsampling_factor" "$dir/"
echo "$cmvn_opts" >"$dir/cmvn_opts"
touch "$dir/.done"
for suffix in $format_list; do
  echo "export_ctc.sh: done $dir/model.$suffix; $(grep -o 'checked: .*' "$dir/log/export_$suffix.log" | tail -n 1)"
done
