#!/usr/bin/env bash
# The numbered stages of a recipe: sourced by every run.sh, before utils/parse_options.sh.
#
# Reads   exp/.stages/ (which stages of an earlier run are finished, and with which options it was started)
# Writes  exp/.stages/, exp/stage_times.tsv (stage, name, seconds, started, command: for the report)
# Example: . utils/stages.sh; . utils/parse_options.sh
#          if stage 1 features "What does the ear keep of a sound?"; then
#            need 0 data/train/wav.scp
#            steps/make_fbank.sh data/train
#          fi
#          stages_end
#
# Sets the variables stage and stop_stage. A run that was cut off goes on with its first unfinished stage; after a whole
# run, or with other options, ./run.sh begins at stage 0. --stage N begins at N.
#
# No "set -euo pipefail" here: the recipe that sources this file has it.

stage=auto   # begin here: a number, or auto = where the last run was cut off
stop_stage=6 # end after this stage

_stages_command="$0 $*"
_stages_args=()
_stages_dir=exp/.stages
_stages_now=
# Jobs end with the recipe that they work for (utils/run.py looks for this process).
export SIDAMO_RUN_PID=$$
# Which of the options decide what is computed? Not where to begin, where to stop, or with how many jobs.
for ((_i = 1; _i <= $#; _i++)); do
  case ${!_i} in
    --stage | --stop-stage | --stop_stage | --nj) _i=$((_i + 1)) ;;
    --stage=* | --stop-stage=* | --stop_stage=* | --nj=*) ;;
    *) _stages_args+=("${!_i}") ;;
  esac
done

# One recipe at a time in a folder. The lock is inherited by all that is started here, so that what is left of a recipe that
# was killed holds it until it has ended, too.
_stages_locked=false
_stages_lock() {
  _stages_locked=true
  mkdir -p exp
  if command -v flock >/dev/null 2>&1; then
    exec 9>exp/.lock
    if ! flock -n 9; then
      echo "$0: another run.sh, or what is left of one, is at work in $PWD; waiting for its end" >&2
      flock 9
    fi
  fi
}

# stage NUMBER NAME QUESTION: true if this stage is to be run. The stage before it is finished then.
stage() {
  $_stages_locked || _stages_lock
  _stages_finish
  [ "$stage" != auto ] || _stages_resume
  if [ "$1" -lt "$stage" ] || [ "$1" -gt "$stop_stage" ]; then return 1; fi
  _stages_now=$1
  _stages_name=$2
  _stages_started=$(date +%s)
  rm -f "$_stages_dir/$1.done"
  echo
  echo "== Stage $1: $2. $3"
}

# need NUMBER FILE...: these files come from that stage; say so where one is missing.
need() {
  local from=$1 file
  shift
  for file in "$@"; do
    if [ ! -e "$file" ]; then
      echo "$0: stage ${_stages_now:-?} needs $file, which stage $from makes: $0 --stage $from" >&2
      _stages_now=
      exit 1
    fi
  done
}

# To be called after the last stage.
stages_end() {
  _stages_finish
  [ "$stop_stage" -lt 6 ] || rm -rf "$_stages_dir"
}

# Where did the last run with these options stop?
_stages_resume() {
  stage=0
  if [ -f "$_stages_dir/args" ] && [ "$(cat "$_stages_dir/args")" = "${_stages_args[*]-}" ]; then
    while [ -f "$_stages_dir/$stage.done" ]; do stage=$((stage + 1)); done
    if [ "$stage" -gt 0 ]; then
      echo "$0: going on with stage $stage; the stages before it are finished ($0 --stage 0 begins anew)"
    fi
  else
    rm -rf "$_stages_dir"
  fi
  mkdir -p "$_stages_dir"
  echo "${_stages_args[*]-}" >"$_stages_dir/args.tmp" && mv "$_stages_dir/args.tmp" "$_stages_dir/args"
}

_stages_finish() {
  [ -n "$_stages_now" ] || return 0
  local seconds=$(($(date +%s) - _stages_started))
  mkdir -p "$_stages_dir"
  # The table keeps one line a stage, that of its last run.
  {
    printf 'stage\tname\tseconds\tstarted\tcommand\n'
    {
      tail -n +2 exp/stage_times.tsv 2>/dev/null | grep -v "^$_stages_now"$'\t' || true
      printf '%s\t%s\t%s\t%s\t%s\n' "$_stages_now" "$_stages_name" "$seconds" "$(date -d "@$_stages_started" '+%F %T' 2>/dev/null || date -r "$_stages_started" '+%F %T')" "$_stages_command"
    } | sort -n
  } >exp/stage_times.tsv.tmp.$$ && mv exp/stage_times.tsv.tmp.$$ exp/stage_times.tsv
  touch "$_stages_dir/$_stages_now.done"
  echo "== Stage $_stages_now took $seconds s"
  _stages_now=
}

_stages_on_exit() {
  local status=$?
  if [ $status -ne 0 ] && [ -n "$_stages_now" ]; then
    echo "$0: stage $_stages_now ($_stages_name) failed. Mend what is said above; then the same command goes on here: $_stages_command" >&2
  fi
  rm -f exp/stage_times.tsv.tmp.$$
}
trap _stages_on_exit EXIT
