#!/usr/bin/env bash
# Prepare a corpus under Slurm in shards: an array of jobs, and one that makes the store.
#
# usage: launch/prepare_shards.sh --shards=N [OPTION ...] -- FLAGS OF dann-prepare
#
#   --shards=N         how many jobs compute features, each on a host or a part of one
#   --script=FILE      the batch script to write (default: NAME.sbatch, replaced)
#   --name=NAME        of the jobs (default: dann_jax_prepare); a preparation of the
#                      same name waits for this one
#   --setup=COMMAND    what a job runs first, such as 'source venv/bin/activate'
#   --sbatch=OPTION    passed on to sbatch; may be repeated
#   --dry-run          print the commands and run nothing
#
# --source and --data_dir must be on a file system that all hosts share, at the same
# paths. A job that is stopped two minutes before its time is up is queued again and
# goes on. The last one starts when all others have ended; what they lack it computes.
#
#   launch/prepare_shards.sh --shards=8 --sbatch=--cpus-per-task=16 \
#     --setup='source ~/venv/bin/activate' -- \
#     --corpus=manifest --source=/data/mine --features=functionals --data_dir=/data/stores
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

script='' name=dann_jax_prepare shards='' setup='' options=()
while (($#)); do
  case $1 in
    --shards=?*) shards=${1#*=} ;;
    --script=?*) script=${1#*=} ;;
    --name=?*) name=${1#*=} ;;
    --setup=*) setup=${1#*=} ;;
    --sbatch=?*) options+=("${1#*=}") ;;
    --dry-run) dry_run=1 ;;
    --help | -h) show_help && exit ;;
    --) shift && break ;;
    *) misused "unknown argument $(quoted "$1")" ;;
  esac
  shift
done
(($#)) || misused "nothing to run: give the flags of dann-prepare after --"
[[ $shards =~ ^[1-9][0-9]*$ ]] ||
  misused "--shards must be a number above 0, is '$shards'"
script=${script:-$name.sbatch}

write_script "$script" "#!/usr/bin/env bash
set -euo pipefail
${setup:+$setup
}export SRUN_CPUS_PER_TASK=\${SLURM_CPUS_PER_TASK:-1}
shard=\${SLURM_ARRAY_TASK_ID:+--shard=\$SLURM_ARRAY_TASK_ID/$shards}
code=0
srun --ntasks=1 $(quoted dann-prepare "$@") \${shard:+\"\$shard\"} || code=\$?
# Stopped by SIGTERM; whoever cancels a job stops this script too.
((code != 143)) || scontrol requeue \"\$SLURM_JOB_ID\"
exit \"\$code\""
asked=(--job-name="$name" --signal=TERM@120 --requeue --open-mode=append)
((${#options[@]} == 0)) || asked+=("${options[@]}")
step "the submission" sbatch "${asked[@]}" --array="1-$shards" "$script"
# Once no other job of this name is left.
step "the submission of the last job" \
  sbatch "${asked[@]}" --dependency=singleton "$script"
