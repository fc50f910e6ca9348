#!/usr/bin/env bash
# Makes the decoding graph TLG (CTC topology, lexicon, grammar) from a lang directory that has a G.fst.
#
# Reads  <lang-dir>/L_disambig.fst G.fst T.fst words.txt phones.txt tokens.txt; <model-dir>/tokens.txt to compare with
# Writes <graph-dir>/TLG.fst (const, input labels = tokens, sorted), LG.fst (the same without the topology, for decoders
#        that have it inside), ctc_topo, words.txt, tokens.txt, num_tokens, phones/. Only what has changed is built again.
# Example: utils/mkgraph.sh data/lang_test exp/ctc exp/ctc/graph
# Example: utils/mkgraph.sh --builder direct data/lang_test_tg exp/ctc exp/ctc/graph_tg
#
# Options:
#   --builder pynini       pynini: the text-book way, for any grammar; direct: for large n-gram grammars, twice as fast
#   --topo TOPO            correct | compact | minimal | modified | eesen (default: that of the lang directory)
#   --max-states 50000000  stop where a machine gets more states than this
#   --max-mb 0             stop where more memory (MB) is needed; 0: 80% of the machine's
#   --force false          true: build again even where nothing has changed

set -euo pipefail

builder=pynini      # pynini | direct
topo=               # default: that of the lang directory
max_states=50000000 # bound
max_mb=0            # bound in MB, 0: 80% of the machine's memory
force=false         # build again

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: utils/mkgraph.sh [options] <lang-dir> [<model-dir>] <graph-dir>   (--help: all of it)" >&2
  echo " e.g.: utils/mkgraph.sh data/lang_test exp/ctc exp/ctc/graph" >&2
  exit 1
fi

status=0
python -m sidamo.bin.mkgraph "--builder=$builder" "--topo=$topo" "--max-states=$max_states" "--max-mb=$max_mb" \
  "--force=$force" "$@" || status=$?
case $status in
  0) echo "mkgraph.sh: ${*: -1}/TLG.fst is ready" ;;
  134 | 137 | 139)
    echo "mkgraph.sh: out of memory (bound: --max-mb $max_mb, 0 = 80% of the machine's) in the step named last above." >&2
    echo "  A grammar or lexicon that cannot be determinized needs endless memory: are disambiguation symbols missing" >&2
    echo "  (utils/validate_lang.py ${1})? Else: --builder direct, a pruned language model (utils/train_lm.sh --prune)," >&2
    echo "  or a larger --max-mb." >&2
    exit 1
    ;;
  *) exit 1 ;;
esac
