#!/usr/bin/env bash
# Draws a small FST as an SVG picture with symbols, for teaching; says so where it is too large to be read.
#
# Reads  <fst> (OpenFst binary), the symbol tables
# Writes <svg>, for any browser
# Example: utils/draw_fst.sh --isymbols data/lang/phones.txt --osymbols data/lang/words.txt data/lang/L.fst L.svg
# Example: utils/draw_fst.sh --isymbols data/lang/words.txt --osymbols data/lang/words.txt data/lang_test/G.fst G.svg
#
# Options:
#   --isymbols FILE   names of the inputs (default: those in the FST, or numbers)
#   --osymbols FILE   names of the outputs
#   --max-states 60   draw no more
#   --max-arcs 300    draw no more

set -euo pipefail

isymbols=     # table of the inputs
osymbols=     # table of the outputs
max_states=60 # draw no more
max_arcs=300  # draw no more

. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

if [ $# -ne 2 ]; then
  echo "usage: utils/draw_fst.sh [options] <fst> <svg>   (--help: all of it)" >&2
  exit 1
fi

python -m sidamo.bin.draw_fst "--isymbols=$isymbols" "--osymbols=$osymbols" "--max-states=$max_states" \
  "--max-arcs=$max_arcs" "$@" || exit 1
echo "draw_fst.sh: $2 is ready"
