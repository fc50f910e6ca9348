#!/usr/bin/env bash
# Turns the options on a script's command line into its shell variables; sourced, never run.
#
# Reads the caller's "$@" and the variables it has set so far: each of them is an option, its value the default.
# Writes those variables, and leaves in "$@" what follows the options.
# Example (in a script):
#   nj=4            # number of parallel jobs
#   use_energy=false
#   . "$SIDAMO_ROOT/utils/parse_options.sh"
#   # then: steps/x.sh --nj 8 --use-energy=true data/train
#
# Accepted on the command line:
#   --name value, --name=value   sets $name; - and _ are the same in names
#   --config FILE                reads FILE (lines name=value in shell syntax, or --name=value) before the other
#                                options, so that the command line wins; may be given more than once
#   --help, -h                   prints $help_message, or else the comment at the head of the script, and exits with 0
#   --                           ends the options
# Refused, with exit status 1: an option the script does not have (the nearest one is named), an option without its value,
# anything but true or false for an option whose default is one of them, --nj below 1, an empty --cmd.
#
# Bash only, no process is started: sourcing this costs about a millisecond.

# Prints the names of the assignments that the script makes before it sources this file: its options.
_po_names() {
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line =~ ^[[:space:]]*(\.|source)[[:space:]].*parse_options ]]; then break; fi
    if [[ $line =~ ^([a-zA-Z][a-zA-Z0-9_]*)= ]]; then echo "${BASH_REMATCH[1]}"; fi
  done < "$_po_script"
}

# _po_is_option NAME: is it a variable that the script set (and not one that came from the environment)?
_po_is_option() {
  if [ -z "${!1+set}" ]; then return 1; fi
  case $'\n'"$_po_known"$'\n' in *$'\n'"$1"$'\n'*) return 0 ;; esac
  case $1 in _* | [A-Z]*) return 1 ;; esac # the shell's own
  local attributes
  attributes=$(declare -p "$1" 2>/dev/null) || return 1
  case $attributes in "declare -"*x*" $1="*) return 1 ;; esac # set by a file the script sourced? then it is not exported
  return 0
}

# _po_distance A B: sets _po_d to Levenshtein's distance.
_po_distance() {
  local a=$1 b=$2 i j best cost
  local -a row previous
  for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#a}; i++)); do
    previous=("${row[@]}")
    row[0]=$i
    for ((j = 1; j <= ${#b}; j++)); do
      cost=1
      if [ "${a:i-1:1}" = "${b:j-1:1}" ]; then cost=0; fi
      best=$((previous[j - 1] + cost))
      if ((previous[j] + 1 < best)); then best=$((previous[j] + 1)); fi
      if ((row[j - 1] + 1 < best)); then best=$((row[j - 1] + 1)); fi
      row[j]=$best
    done
  done
  _po_d=${row[${#b}]}
}

# _po_refuse NAME WHERE: there is no such option; names the nearest one and stops the script.
_po_refuse() {
  local candidate nearest='' smallest=1000 others=''
  # Options may also come from a file that the script sources (stage, from utils/stages.sh).
  for candidate in $(compgen -v); do
    case $candidate in [a-z]*) if _po_is_option "$candidate"; then others+=" $candidate"; fi ;; esac
  done
  for candidate in $_po_known config help $others; do
    _po_distance "$1" "$candidate"
    # What is a part of the other is near, however long the rest: --max for --max-active.
    case $candidate in *"$1"*) if [ ${#1} -gt 1 ] && ((_po_d > 2)); then _po_d=2; fi ;; esac
    case $1 in *"$candidate"*) if [ ${#candidate} -gt 2 ] && ((_po_d > 2)); then _po_d=2; fi ;; esac
    if ((_po_d < smallest)); then smallest=$_po_d nearest=$candidate; fi
  done
  local message="$0: $2: no such option: --${1//_/-}"
  if [ -n "$nearest" ]; then message+="; did you mean --${nearest//_/-}?"; fi
  echo "$message (see: $0 --help)" >&2
  exit 1
}

# _po_check NAME VALUE WHERE: stops the script where the value cannot be one of that option.
_po_check() {
  local value=$2
  case ${!1} in
    true | false)
      if [ "$value" != true ] && [ "$value" != false ]; then
        echo "$0: $3: --${1//_/-} expects true or false, got \"$value\"" >&2
        exit 1
      fi
      ;;
  esac
  case $1 in
    nj)
      if ! [[ $value =~ ^0*[1-9][0-9]*$ ]]; then
        echo "$0: $3: --nj expects a whole number of at least 1, got \"$value\"" >&2
        exit 1
      fi
      ;;
    stage | stop_stage)
      if ! [[ $value =~ ^-?[0-9]+$ ]] && [ "$value" != "${!1}" ]; then # run.sh has stage=auto
        echo "$0: $3: --${1//_/-} expects a whole number, got \"$value\"" >&2
        exit 1
      fi
      ;;
    cmd)
      if [ -z "${value//[[:space:]]/}" ]; then
        echo "$0: $3: --cmd is empty; expected for example utils/run.pl (is cmd.sh sourced?)" >&2
        exit 1
      fi
      ;;
  esac
}

# _po_help: the script's help text, from $help_message or from the comment at its head.
_po_help() {
  local line first=true
  if [ -n "${help_message:-}" ]; then
    printf '%b\n' "$help_message"
    return 0
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    if $first && [[ $line == '#!'* ]]; then
      first=false
      continue
    fi
    first=false
    case $line in
      '# shellcheck '*) ;;
      '# '*) printf '%s\n' "${line#\# }" ;;
      '#'*) printf '%s\n' "${line#\#}" ;;
      *) break ;;
    esac
  done < "$_po_script"
}

# _po_config FILE: sets what the file says. A file of --name=value lines (as Kaldi's binaries take) or shell assignments.
_po_config() {
  local _po_line _po_name _po_value _po_number=0 _po_shell=false
  if [ ! -f "$1" ] || [ ! -r "$1" ]; then
    echo "$0: --config $1: no such file, or it cannot be read" >&2
    exit 1
  fi
  while IFS= read -r _po_line || [ -n "$_po_line" ]; do
    _po_number=$((_po_number + 1))
    if [[ $_po_line =~ ^[[:space:]]*(--)?([a-zA-Z][-a-zA-Z0-9_]*)=(.*)$ ]]; then
      _po_name=${BASH_REMATCH[2]//-/_}
      if ! _po_is_option "$_po_name"; then _po_refuse "$_po_name" "$1:$_po_number"; fi
      if [ -z "${BASH_REMATCH[1]}" ]; then
        _po_shell=true
        continue
      fi
      _po_value=${BASH_REMATCH[3]%%[[:space:]]#*}
      _po_value=${_po_value%"${_po_value##*[![:space:]]}"}
      _po_check "$_po_name" "$_po_value" "$1:$_po_number"
      printf -v "$_po_name" '%s' "$_po_value"
    elif [[ $_po_line =~ ^[[:space:]]*-- ]]; then
      echo "$0: $1:$_po_number: expected --name=value or name=value, got \"$_po_line\"" >&2
      exit 1
    fi
  done < "$1"
  if ! $_po_shell; then return 0; fi
  # Kaldi sources the file, so assignments may use variables and quotes; lines of the other form are left out.
  eval "$(while IFS= read -r _po_line || [ -n "$_po_line" ]; do
    if ! [[ $_po_line =~ ^[[:space:]]*-- ]]; then printf '%s\n' "$_po_line"; fi
  done < "$1")"
}

# The text of the script: $0 may be relative to the directory it was called from, and a recipe goes to its own first.
_po_script=/dev/null
for _po_name in "$0" "${OLDPWD:-.}/$0" "${BASH_SOURCE[1]:-}" "./${0##*/}"; do
  if [ -f "$_po_name" ] && [ -r "$_po_name" ]; then
    _po_script=$_po_name
    break
  fi
done
_po_known=''
_po_options=()
_po_values=()
_po_configs=()

if [ $# -gt 0 ]; then
  case $1 in -*) _po_known=$(_po_names) ;; esac
fi

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      _po_help
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --*=*)
      _po_name=${1%%=*}
      _po_value=${1#*=}
      _po_count=1
      ;;
    --*)
      _po_name=$1
      _po_value=${2-}
      _po_count=2
      ;;
    -[a-zA-Z]*)
      # Not an option in Kaldi's sense; but -nj 4 is a slip, and would be taken for a file.
      _po_name=${1#-}
      _po_name=${_po_name%%=*}
      _po_name=${_po_name//-/_}
      if [[ $_po_name =~ ^[a-zA-Z0-9_]+$ ]] && _po_is_option "$_po_name"; then
        echo "$0: options have two dashes: write --${_po_name//_/-} for $1" >&2
        exit 1
      fi
      break
      ;;
    *) break ;;
  esac
  _po_name=${_po_name#--}
  _po_name=${_po_name//-/_}
  if ! [[ $_po_name =~ ^[a-zA-Z][a-zA-Z0-9_]*$ ]]; then _po_refuse "$_po_name" "command line"; fi
  if [ "$_po_name" != config ] && ! _po_is_option "$_po_name"; then _po_refuse "$_po_name" "command line"; fi
  if [ "$_po_count" -eq 2 ]; then
    _po_missing=false
    if [ $# -lt 2 ]; then
      _po_missing=true
    elif [[ $_po_value =~ ^--([a-zA-Z][-a-zA-Z0-9_]*)(=.*)?$ ]]; then
      # A value may begin with -- (--extra-opts --x=1), but not be the script's own next option.
      _po_next=${BASH_REMATCH[1]//-/_}
      case " ${_po_known//$'\n'/ } config help " in *" $_po_next "*) _po_missing=true ;; esac
    fi
    if $_po_missing; then
      echo "$0: --${_po_name//_/-} needs a value: --${_po_name//_/-} VALUE (see: $0 --help)" >&2
      exit 1
    fi
  fi
  if [ "$_po_name" = config ]; then
    _po_configs+=("$_po_value")
    if [ -n "${config+set}" ]; then config=$_po_value; fi
  else
    _po_check "$_po_name" "$_po_value" "command line"
    _po_options+=("$_po_name")
    _po_values+=("$_po_value")
  fi
  shift "$_po_count"
done

# ${array[@]+...}: bash before 4.4 takes an empty array for an unset variable.
for _po_name in ${_po_configs[@]+"${_po_configs[@]}"}; do
  _po_config "$_po_name"
done
for ((_po_i = 0; _po_i < ${#_po_options[@]}; _po_i++)); do
  printf -v "${_po_options[_po_i]}" '%s' "${_po_values[_po_i]}"
done

# An empty $cmd comes from a cmd.sh that was not sourced, and would run the logs as commands.
if [ -n "${cmd+set}" ]; then _po_check cmd "$cmd" "defaults"; fi

unset -f _po_names _po_is_option _po_distance _po_refuse _po_check _po_help _po_config
unset _po_script _po_known _po_options _po_values _po_configs _po_name _po_value _po_count _po_missing _po_next _po_i _po_d
true
