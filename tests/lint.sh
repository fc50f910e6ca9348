#!/usr/bin/env bash
# Checks the style of the whole repository: ruff on the Python files, shellcheck on the shell scripts.
#
# Reads   the files that git knows, pyproject.toml, .shellcheckrc
# Writes  nothing; exit status 0 if there is nothing to mend
# Example: tests/lint.sh
#          tests/lint.sh --fix true      # let ruff mend what it can
#
# Usage: tests/lint.sh [options] [<file>...]      (default: all files)
#
# Options:
#   --fix true|false   mend what ruff can mend by itself; default false
set -euo pipefail

fix=false
. "$(dirname "${BASH_SOURCE[0]}")/../path.sh"
. "$SIDAMO_ROOT/utils/parse_options.sh"

# The linters come as wheels (setup.cfg, extra "test").
for tool in ruff shellcheck; do
  if ! command -v $tool > /dev/null; then
    echo "$0: $tool is not installed; tests/run.sh installs it, or: pip install -c constraints.txt -e '.[test]'" >&2
    exit 1
  fi
done

files=()
for file in "$@"; do files+=("$(realpath "$file")"); done
cd "$SIDAMO_ROOT"
if [ $# -eq 0 ]; then
  while IFS= read -r -d '' file; do files+=("$file"); done < <(git ls-files -z)
fi

python_files=()
shell_files=()
for file in "${files[@]}"; do
  if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
  case $file in
    *.py) python_files+=("$file") ;;
    *.sh) shell_files+=("$file") ;;
    *.*) ;;
    *)
      first=''
      IFS= read -r first < "$file" || true # a file without a newline
      case $first in
        '#!'*python*) python_files+=("$file") ;;
        '#!'*bash* | '#!'*/sh*) shell_files+=("$file") ;;
      esac
      ;;
  esac
done

status=0
if [ ${#python_files[@]} -gt 0 ]; then
  options=()
  if $fix; then options+=(--fix); fi
  if ! ruff check --quiet ${options[@]+"${options[@]}"} "${python_files[@]}"; then
    status=1
    echo "$0: ruff found faults; mend what it can mend by itself with: tests/lint.sh --fix true" >&2
  fi
fi
if [ ${#shell_files[@]} -gt 0 ]; then
  # -s bash: what is only sourced (cmd.sh) has no first line that says so. In pieces, for as many processors as there are.
  if ! printf '%s\0' "${shell_files[@]}" | xargs -0 -n 8 -P 4 shellcheck -x -s bash; then
    status=1
    echo "$0: shellcheck found faults; each code is explained at https://www.shellcheck.net/wiki/SC<number>" >&2
  fi
fi
if [ $status -eq 0 ]; then
  echo "$0: done ${#python_files[@]} Python files, ${#shell_files[@]} shell scripts, nothing to mend"
fi
exit $status
