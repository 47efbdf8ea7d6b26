#!/usr/bin/env bash
# Train under Slurm, on one host or several: write a batch script and submit it.
#
# usage: launch/slurm.sh [OPTION ...] -- FLAGS OF dann-train
#
#   --script=FILE      the batch script to write (default: NAME.sbatch, replaced)
#   --name=NAME        of the job (default: dann_jax)
#   --nodes=N          hosts (default: 1)
#   --gpus-per-node=G  GPUs of each, one process for each GPU (default: 0: CPU only,
#                      one process a host)
#   --setup=COMMAND    what a host runs first, such as 'source venv/bin/activate'
#   --sbatch=OPTION    passed on to sbatch; may be repeated
#   --dry-run          print the commands and run nothing
#
# Processes find each other through jax.distributed, which reads Slurm's environment.
# Two minutes before its time is up, and when it is pre-empted, a job gets SIGTERM; it
# saves a checkpoint, is queued again and goes on from there. The work directory must be
# on a file system that all hosts share, or on gs://.
#
#   launch/slurm.sh --nodes=2 --gpus-per-node=4 --sbatch=--time=2:00:00 \
#     --setup='source ~/venv/bin/activate' -- \
#     --config=configs/lian2019.py --workdir=runs/lian2019
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

script='' name=dann_jax nodes=1 gpus=0 setup='' options=()
while (($#)); do
  case $1 in
    --script=?*) script=${1#*=} ;;
    --name=?*) name=${1#*=} ;;
    --nodes=?*) nodes=${1#*=} ;;
    --gpus-per-node=?*) gpus=${1#*=} ;;
    --setup=*) setup=${1#*=} ;;
    --sbatch=?*) options+=("${1#*=}") ;;
    --dry-run) dry_run=1 ;;
    --help | -h) show_help && exit ;;
    --) shift && break ;;
    *) misused "unknown argument $(quoted "$1")" ;;
  esac
  shift
done
(($#)) || misused "nothing to run: give the flags of dann-train after --"
[[ $nodes =~ ^[1-9][0-9]*$ ]] || misused "--nodes must be a number above 0, is '$nodes'"
[[ $gpus =~ ^[0-9]+$ ]] || misused "--gpus-per-node must be a number, is '$gpus'"
script=${script:-$name.sbatch}

# One process for each GPU, because that is how jax.distributed reads Slurm.
tasks=$((gpus ? gpus : 1))
train=(dann-train)
((nodes * tasks == 1)) || train+=(--distributed)
write_script "$script" "#!/usr/bin/env bash
set -euo pipefail
${setup:+$setup
}# srun does not take this over from sbatch by itself.
export SRUN_CPUS_PER_TASK=\${SLURM_CPUS_PER_TASK:-1}
code=0
srun --kill-on-bad-exit=1 $(quoted "${train[@]}" "$@") || code=\$?
# Stopped by SIGTERM with its state saved; whoever cancels a job stops this script too.
((code != 143)) || scontrol requeue \"\$SLURM_JOB_ID\"
exit \"\$code\""
asked=(--job-name="$name" --nodes="$nodes" --ntasks-per-node="$tasks")
((gpus == 0)) || asked+=(--gpus-per-node="$gpus")
asked+=(--signal=TERM@120 --requeue --open-mode=append)
((${#options[@]} == 0)) || asked+=("${options[@]}")
step "the submission" sbatch "${asked[@]}" "$script"
