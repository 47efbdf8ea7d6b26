#!/usr/bin/env bash
# Train on this machine: dann-train with all its devices.
#
# usage: launch/local.sh [--log=FILE] [--dry-run] -- FLAGS OF dann-train
#
#   --log=FILE   run in the background, beyond the end of the terminal, and write
#                everything into FILE (appended to)
#   --dry-run    print the command and run nothing
#
#   launch/local.sh -- --config=configs/lian2019.py --workdir=runs/lian2019
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

log=
while (($#)); do
  case $1 in
    --log=?*) log=${1#*=} ;;
    --dry-run) dry_run=1 ;;
    --help | -h) show_help && exit ;;
    --) shift && break ;;
    *) misused "unknown argument $(quoted "$1")" ;;
  esac
  shift
done
(($#)) || misused "nothing to run: give the flags of dann-train after --"

command=$(quoted dann-train "$@")
if ((dry_run)); then
  [[ -z $log ]] || command="nohup $command >>$(quoted "$log") 2>&1 </dev/null &"
  printf '%s\n' "$command"
  exit
fi
command -v dann-train >/dev/null ||
  fail 127 "dann-train is not on PATH: python -m pip install -e . in the checkout"
# exec, so that a signal reaches the run, and its exit code whoever called.
[[ -n $log ]] || exec dann-train "$@"
nohup dann-train "$@" >>"$log" 2>&1 </dev/null &
printf 'process %s; follow it with: tail -F %q\n' "$!" "$log"
