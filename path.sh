#!/usr/bin/env bash
# The environment: sourced first by every script. Finds or makes .venv, installs Sidamo into it, and puts it in PATH.
#
# Reads   setup.cfg, constraints.txt
# Writes  .venv/ (on the first run, and again when one of those two files has changed); .venv.install.log
# Example: . ./path.sh
#
# Sets    SIDAMO_ROOT, PATH, LC_ALL=C (Kaldi's sort order), OMP_NUM_THREADS=1 unless it is set (a job is one thread)
# Heeds   SIDAMO_PYTHON   an interpreter to use instead of .venv/bin/python
#         VIRTUAL_ENV     an active virtual environment: used, and installed into, instead of .venv
#
# No "set -euo pipefail" here: a sourced file must not change the shell of somebody who sources it by hand.

_sidamo_say() { echo "path.sh: $*" >&2; }

# Is the environment in $1 complete? Its stamp names this very folder and the sums of the two files it was made from.
_sidamo_is_ready() {
  local stamp=$1/.sidamo-installed root sums
  [ -f "$stamp" ] && [ -x "$1/bin/python" ] || return 1
  { read -r root && read -r sums; } <"$stamp" || return 1
  [ "$root" = "$SIDAMO_ROOT" ] || return 1 # the folder was moved: the scripts in bin/ point to the old place
  if [ "$stamp" -nt "$SIDAMO_ROOT/setup.cfg" ] && [ "$stamp" -nt "$SIDAMO_ROOT/constraints.txt" ]; then return 0; fi
  [ "$sums" = "$(_sidamo_sums)" ] && touch "$stamp" # a checkout renews dates without changing contents
}

_sidamo_sums() { cat "$SIDAMO_ROOT/setup.cfg" "$SIDAMO_ROOT/constraints.txt" | cksum; }

# Print the first Python >= 3.10 on PATH, or say why there is none.
_sidamo_find_python() {
  local name found=
  for name in python3 python3.12 python3.11 python3.13 python3.10 python3.14 python; do
    command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$name"
      return 0
    fi
    [ -n "$found" ] || found="$(command -v "$name") is $("$name" --version 2>&1)"
  done
  if [ -n "$found" ]; then
    _sidamo_say "Python is too old: $found, and Sidamo needs 3.10 or newer."
    _sidamo_say "install a newer one beside it, then: SIDAMO_PYTHON=/path/to/venv/bin/python $0"
  else
    _sidamo_say "no python3 in PATH. Sidamo needs Python 3.10 or newer (on Debian or Ubuntu: apt-get install python3 python3-venv)."
  fi
  return 1
}

# Say what the log of a failed installation means. $1: log, $2: what failed
_sidamo_explain() {
  if grep -qiE 'no space left|disk quota exceeded' "$1" || [ "$(_sidamo_free_mb)" -lt 200 ]; then
    _sidamo_say "$2 failed: no space left. Sidamo with torch needs about 2 GB in $SIDAMO_ROOT (free now: $(_sidamo_free_mb) MB) and some in ${TMPDIR:-/tmp}."
  elif grep -qiE 'connection (refused|broken|error|reset)|NewConnectionError|name resolution|ConnectTimeout|ReadTimeout|Network is unreachable|ProxyError|Max retries|from versions: none' "$1"; then
    _sidamo_say "$2 failed: no network (the package index was not reached). Connect, or set PIP_INDEX_URL to a mirror or PIP_FIND_LINKS to a folder of wheels, and run again."
  elif grep -qiE 'ensurepip' "$1"; then
    _sidamo_say "$2 failed: this Python lacks venv/ensurepip (on Debian or Ubuntu: apt-get install python3-venv)."
  else
    _sidamo_say "$2 failed."
  fi
  _sidamo_say "last lines of $1:"
  tail -n 5 "$1" | sed 's/^/path.sh:   /' >&2
}

_sidamo_free_mb() { df -Pk "$SIDAMO_ROOT" | awk 'NR == 2 {print int($4 / 1024)}'; }

# Run a command with its output in a log, and a sign of life every 20 seconds. The command runs in the foreground, so that
# Ctrl-C reaches it and all that it has started.
_sidamo_logged() {
  local log=$1 beat status=0
  shift
  (
    beats=0
    while sleep 4 && kill -0 $$ 2>/dev/null; do
      beats=$((beats + 1))
      if [ $((beats % 5)) -eq 0 ]; then
        _sidamo_say "  … $(grep -E '^(Collecting|Installing|Building|  Downloading)' "$log" | tail -n 1 | cut -c1-90)"
      fi
    done
  ) &
  beat=$!
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  { kill $beat && wait $beat; } 2>/dev/null
  return $status
}

# Install into the environment $1 (made with the interpreter $2 where it is absent).
_sidamo_install() {
  local venv=$1 python=$2 log=$SIDAMO_ROOT/.venv.install.log
  : >"$log" 2>/dev/null || {
    _sidamo_say "cannot write $log: no space left, or $SIDAMO_ROOT is read-only"
    return 1
  }
  # A marker without its stamp tells of an installation that was cut off: half-written packages are not to be trusted.
  if [ -e "$venv/.sidamo-installing" ] && [ "$venv" = "$SIDAMO_ROOT/.venv" ]; then
    _sidamo_say "an earlier installation did not finish; starting over"
    rm -rf "$venv"
  fi
  if [ ! -x "$venv/bin/python" ]; then
    if [ "$(_sidamo_free_mb)" -lt 1500 ]; then
      _sidamo_say "no space: $SIDAMO_ROOT has $(_sidamo_free_mb) MB free, and Sidamo with torch needs about 2 GB."
      return 1
    fi
    _sidamo_say "making $venv with $python ($("$python" --version 2>&1))"
    mkdir -p "$venv" && touch "$venv/.sidamo-installing"
    _sidamo_logged "$log" "$python" -m venv "$venv" || {
      _sidamo_explain "$log" "making the virtual environment"
      rm -rf "$venv"
      return 1
    }
  fi
  touch "$venv/.sidamo-installing" && rm -f "$venv/.sidamo-installed"
  _sidamo_say "installing Sidamo into $venv (this first time only: a minute or two, about 1.5 GB with torch; log: $log)"
  _sidamo_logged "$log" "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
    -c "$SIDAMO_ROOT/constraints.txt" -e "$SIDAMO_ROOT" || {
    _sidamo_explain "$log" "the installation"
    return 1
  }
  _sidamo_logged "$log" "$venv/bin/python" -c 'import sidamo, numpy, kaldiio, pynini, soundfile, numba, scipy, torch' || {
    _sidamo_explain "$log" "the first import"
    return 1
  }
  # Where PYTHONDONTWRITEBYTECODE is set, every tool would compile its sources anew, which costs it a fifth of its start-up.
  "$venv/bin/python" -m compileall -q "$SIDAMO_ROOT/pylib" >>"$log" 2>&1 || true
  printf '%s\n%s\n' "$SIDAMO_ROOT" "$(_sidamo_sums)" >"$venv/.sidamo-installed.tmp" &&
    mv "$venv/.sidamo-installed.tmp" "$venv/.sidamo-installed" && rm -f "$venv/.sidamo-installing" || return 1
  _sidamo_say "installed in $venv"
}

# The same under a lock, so that two scripts started together do not install over each other.
_sidamo_install_once() {
  if command -v flock >/dev/null 2>&1; then
    local status=0
    exec 8>"$SIDAMO_ROOT/.venv.lock"
    flock -n 8 || { _sidamo_say "another process is installing; waiting for it"; flock 8; }
    _sidamo_is_ready "$1" || _sidamo_install "$@" || status=$?
    exec 8>&-
    return $status
  fi
  _sidamo_install "$@"
}

_sidamo_environment() {
  local here bin python=
  here=${BASH_SOURCE[0]}
  # Through the links in egs/<corpus>/ to the folder that holds setup.cfg. No fork where there is no link.
  if [ -L "$here" ]; then here=$(readlink -f "$here"); fi
  SIDAMO_ROOT=$(cd -P "$(dirname "$here")" && pwd -P)
  export SIDAMO_ROOT
  if [ -n "${SIDAMO_PYTHON:-}" ]; then
    python=$(command -v "$SIDAMO_PYTHON") || {
      _sidamo_say "SIDAMO_PYTHON=$SIDAMO_PYTHON is not a program; unset it, or name an interpreter"
      return 1
    }
    "$python" -c 'import sidamo' 2>/dev/null || {
      _sidamo_say "SIDAMO_PYTHON=$SIDAMO_PYTHON does not have Sidamo. Install it there:"
      _sidamo_say "  $SIDAMO_PYTHON -m pip install -c $SIDAMO_ROOT/constraints.txt -e $SIDAMO_ROOT"
      return 1
    }
    bin=$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))')
    PATH=$(dirname "$python"):$bin:$PATH
  else
    local venv=${VIRTUAL_ENV:-$SIDAMO_ROOT/.venv}
    if ! _sidamo_is_ready "$venv"; then
      if [ ! -x "$venv/bin/python" ]; then python=$(_sidamo_find_python) || return 1; fi
      _sidamo_install_once "$venv" "$python" || return 1
    fi
    PATH=$venv/bin:$PATH
  fi
  PATH=$SIDAMO_ROOT/utils:$PATH
  export PATH
  # A thread that waits for another sleeps: spinning, it takes the core that the other needs, and training on a machine
  # that does anything else besides became 20 times slower (169 s an epoch of egs/digits instead of 8 s).
  export LC_ALL=C PYTHONUTF8=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
  export SIDAMO_READY=$SIDAMO_ROOT
}

# A child of a script that has been here inherits everything: nothing left to do (unless it is of another clone).
if [ -z "${SIDAMO_READY:-}" ] || [ ! "${BASH_SOURCE[0]}" -ef "$SIDAMO_READY/path.sh" ]; then
  _sidamo_environment || return 1 2>/dev/null || exit 1
fi
