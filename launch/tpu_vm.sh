#!/usr/bin/env bash
# Train on a Cloud TPU VM of one host or several.
#
# usage: launch/tpu_vm.sh COMMAND --name=NAME --zone=ZONE [OPTION ...] [-- FLAGS]
#
#   create    the TPU
#   copy      the last commit of this checkout, and --data, to all its hosts
#   setup     Python 3.11 and this package there
#   run       dann-train with FLAGS on all hosts, beyond the end of the connection
#   start     all of the above in this order
#   log       follow the run until it ends, and end as it did
#   collect   bring --from, a folder of the first host, into --to
#   delete    the TPU, and with it what it costs and all that was not collected
#
#   --name=NAME, --zone=ZONE   of the TPU
#   --project=PROJECT          if not gcloud's default
#   --type=TYPE                create: accelerator (default: v5litepod-8)
#   --version=VERSION          create: runtime (default: v2-alpha-tpuv5-lite, for v5e;
#                              v2-alpha-tpuv5 is for v5p)
#   --spot                     create: cheaper, may be taken away; the run then saves a
#                              checkpoint, and the same flags on another TPU go on, if
#                              the work directory is on gs://
#   --data=PATH                copy: a file or folder, to data/ on every host
#   --from=DIR, --to=DIR       collect: as --workdir of the run; here (default: .)
#   --yes                      delete: do not ask
#   --dry-run                  print the commands and run nothing
#
# The run's paths are relative to ~/dann_jax on the hosts. Several hosts need a work
# directory that all of them see: gs://.
#
#   launch/tpu_vm.sh start --name=tpu --zone=us-west4-a --data=features/iemocap -- \
#     --config=configs/lian2019.py --config.data.source=data/iemocap --workdir=runs/a
#   launch/tpu_vm.sh log --name=tpu --zone=us-west4-a
#   launch/tpu_vm.sh collect --name=tpu --zone=us-west4-a --from=runs/a --to=runs
#   launch/tpu_vm.sh delete --name=tpu --zone=us-west4-a
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

gcloud_tpu() { # WHAT VERB [ARGUMENT ...]
  step "$1" gcloud compute tpus tpu-vm "${@:2}" "${place[@]}"
}

on_hosts() { # WHAT WORKER COMMAND
  gcloud_tpu "$1" ssh "$name" --worker="$2" --command="$3"
}

create() {
  gcloud_tpu "creating the TPU" create "$name" \
    --accelerator-type="$type" --version="$version" ${spot:+"$spot"}
}

copy() {
  local archive=$checkout/dist/dann_jax.tar.gz
  step "making room for the archive" mkdir -p "${archive%/*}"
  step "packing the last commit" \
    git -C "$checkout" archive --format=tar.gz --output="$archive" HEAD
  gcloud_tpu "copying the checkout" scp "$archive" "$name:dann_jax.tar.gz" --worker=all
  on_hosts "unpacking the checkout" all \
    'mkdir -p dann_jax/data && tar -xzf dann_jax.tar.gz -C dann_jax'
  [[ -z $data ]] || gcloud_tpu "copying the data" scp --recurse \
    "$(absolute "$data")" "$name:dann_jax/data/" --worker=all
}

setup() {
  # The image's Python is older than 3.11; uv brings one.
  on_hosts "setting up" all "cd dann_jax && python3 -m pip install --quiet --user uv \
&& ~/.local/bin/uv venv --quiet --allow-existing --python=3.11 .venv \
&& ~/.local/bin/uv pip install --quiet --python=.venv -e . 'jax[tpu]'"
}

run() {
  local train
  train=$(quoted .venv/bin/dann-train --distributed "${flags[@]}")
  # The exit code goes into a file, so that `log` can end as the run did.
  on_hosts "starting the run" all "cd dann_jax \
&& if test -f run.pid && kill -0 \$(cat run.pid) 2>/dev/null; then echo 'a run is under way' >&2; exit 1; fi \
&& rm -f run.exit \
&& { nohup bash -c $(quoted "$train; echo \$? >run.exit") >run.log 2>&1 </dev/null & \
echo \$! >run.pid; }"
}

follow() {
  on_hosts "the run" 0 "cd dann_jax && tail --pid=\$(cat run.pid) -n +1 -F run.log; \
exit \$(cat run.exit)"
}

collect() {
  [[ -n $from ]] || misused "collect needs --from=DIR, the run's --workdir"
  [[ $from != gs://* ]] || misused "$from needs no collecting: gcloud storage reads it"
  local archive=$to/collected.tar.gz
  on_hosts "packing the results" 0 "tar -czf collected.tar.gz -C dann_jax \
-C $(quoted "$(dirname -- "$from")") -- $(quoted "$(basename -- "$from")")"
  step "making room for the results" mkdir -p -- "$to"
  gcloud_tpu "collecting" scp "$name:collected.tar.gz" "$(absolute "$archive")" \
    --worker=0
  step "unpacking the results" tar -xzf "$archive" -C "$to"
  step "tidying up" rm -- "$archive"
}

delete() {
  gcloud_tpu "deleting the TPU" delete "$name" ${yes:+"$yes"}
}

still_costs() { # at the end of a command that has created the TPU or used it
  local code=$?
  ((code == 0 || dry_run)) ||
    printf '%s may exist and cost money until it is deleted: %s\n' "$name" \
      "$(quoted gcloud compute tpus tpu-vm delete "$name" "${place[@]}")" >&2
}

command=${1:-}
[[ $command != --help && $command != -h ]] || { show_help && exit; }
(($#)) && shift
name='' zone='' project='' type=v5litepod-8 version=v2-alpha-tpuv5-lite
data='' from='' to=. spot='' yes='' flags=()
while (($#)); do
  case $1 in
    --name=?*) name=${1#*=} ;;
    --zone=?*) zone=${1#*=} ;;
    --project=?*) project=${1#*=} ;;
    --type=?*) type=${1#*=} ;;
    --version=?*) version=${1#*=} ;;
    --spot) spot=--spot ;;
    --data=?*) data=${1#*=} ;;
    --from=?*) from=${1#*=} ;;
    --to=?*) to=${1#*=} ;;
    --yes) yes=--quiet ;;
    --dry-run) dry_run=1 ;;
    --help | -h) show_help && exit ;;
    --) shift && flags=("$@") && break ;;
    *) misused "unknown argument $(quoted "$1")" ;;
  esac
  shift
done

case $command in
  create | copy | setup | run | start) steps=("$command") ;;
  log) steps=(follow) ;;
  collect | delete) steps=("$command") ;;
  *) misused "unknown command $(quoted "$command")" ;;
esac
[[ -n $name && -n $zone ]] || misused "--name=NAME and --zone=ZONE are needed"
[[ -z $data || -e $data ]] || fail 1 "there is no $(quoted "$data") to copy"
place=(--zone="$zone" ${project:+--project="$project"})

case $command in
  run | start) ((${#flags[@]})) || misused "$command needs the flags of dann-train after --" ;;
  *) ((${#flags[@]} == 0)) || misused "only run and start take flags after --" ;;
esac
[[ $command != start ]] || steps=(create copy setup run)
case $command in
  create | copy | setup | run | start)
    trap still_costs EXIT
    # Without these the code of an interrupted step would be lost.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    ;;
esac
for each in "${steps[@]}"; do "$each"; done
