#!/usr/bin/env bash
# All tests: lint, unit tests of every room, and the recipes end to end with their word error rates checked.
#
# Reads   nothing (and ../shared, or $SIDAMO_SHARED, where the reference data is at hand; tests that need it say that they skip)
# Writes  temporary folders only
# Example: tests/run.sh
#          tests/run.sh --quick true                    # without the recipes
#          tests/run.sh tests/feats tests/io            # these alone, no lint
#
# Options: --quick true|false   leave the recipes out (false)
set -euo pipefail
quick=false
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"
cd "$SIDAMO_ROOT"

# What the tests need beside the running system: a linter, pytest, and the peers that serve as oracles.
if ! python3 -c 'import pytest, xdist, kaldi_decoder, kaldi_native_fbank, jiwer, kenlm' 2>/dev/null || ! command -v ruff shellcheck >/dev/null; then
  echo "tests/run.sh: installing what the tests need" >&2
  python3 -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[test]'
  python3 -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[bench]' ||
    echo "tests/run.sh: no peers (extra 'bench') for this platform; the tests that need them will say that they skip" >&2
fi

if [ $# -gt 0 ]; then exec python3 -m pytest "$@"; fi

tests/lint.sh
# Rooms in parallel, then what needs the whole machine.
python3 -m pytest -q -n 2 --dist loadfile --ignore tests/recipes tests
if [ "$quick" = false ]; then python3 -m pytest -q tests/recipes; fi
