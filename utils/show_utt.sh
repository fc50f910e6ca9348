#!/usr/bin/env bash
# Shows one utterance's whole way through a recipe: sound, features, tokens, network output, best path, words, errors.
#
# Reads   <decode-dir>/lat.*.gz and <decode-dir>/scoring_kaldi (which data and graph it was scored with, the best LM weight),
#         the data directory, the graph directory, <model-dir>/loglikes_<data name>
# Writes  nothing; each paragraph begins with the command that shows the same
# Example: utils/show_utt.sh us_m3-3oz7 exp/tdnn/decode_3gram_test
#
# Options:
#   --data DIR      data directory (the one that local/score.sh noted)
#   --graph DIR     graph directory (likewise)
#   --lmwt N        LM weight (the best one; 10 where nothing was scored)
#   --wip X         word insertion penalty (the best one; 0.0 where nothing was scored)
set -euo pipefail
data=
graph=
lmwt=
wip=
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
if [ $# -ne 2 ]; then
  echo "usage: utils/show_utt.sh [options] <utt> <decode-dir>; --help lists the options" >&2
  exit 1
fi
exec python3 -m sidamo.bin.show_utt --print-args=false "--data=$data" "--graph=$graph" "--lmwt=$lmwt" "--wip=$wip" "$@"
