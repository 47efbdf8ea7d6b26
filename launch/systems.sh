#!/usr/bin/env bash
# Prepare the corpora and run every system of the README's table on them, with the flags
# of the tables in docs/systems/, at least three seeds of each.
#
# usage: launch/systems.sh [--quick] [--dry-run] [--encoder=E] DATA WORKDIR
#            [-- FLAGS OF dann-train]
#
# DATA holds emodb, emovo, urdu, ravdess, ased, fsdd (audio with manifests) and iemocap (a
# feature table). What an earlier call finished or began is taken up.
#
#   --quick      some of the files, one seed, one epoch, a small network, each system
#                once, in WORKDIR/quick: whether everything runs, not how well
#   --dry-run    print the commands and run nothing
#   --encoder=E  of the pretrained features of cai2020, zhou2018, latif2022, wang2020 and
#                a second run of lu2024: a name or folder, as for dann-prepare; without
#                it they have functionals
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

quick=() few=() quickly=0 encoder=
while (($#)); do
  case $1 in
    --quick) quickly=1 ;;
    --dry-run) dry_run=1 ;;
    --encoder=?*) encoder=${1#*=} ;;
    --help | -h) show_help && exit ;;
    -*) misused "unknown argument $(quoted "$1")" ;;
    *) break ;;
  esac
  shift
done
(($# >= 2)) || misused "give the folder of the corpora and one to work in"
data=$(absolute "$1") work=$(absolute "$2")
shift 2
if (($#)); then
  [[ $1 == -- ]] || misused "unknown argument $(quoted "$1")"
  shift
fi
configs=$(absolute "$(dirname "${BASH_SOURCE[0]}")/../configs")
if ((quickly)); then
  work=$work/quick
  few=(--per_speaker=20)
  # One padded shape is one compilation.
  quick=(--config.seeds=1 --config.timetable.epochs=1 --config.batches.num_buckets=1
    --config.encoder.width=8 --config.batches.max_frames=32)
fi
stores=$work/stores

prepare() { # NAME CORPORA FEATURES [ARGUMENTS OF THE FEATURES]
  local sources="" corpus
  for corpus in ${2//,/ }; do
    sources+=${sources:+,}$data/${corpus%%=*}
  done
  step "preparing $1" dann-prepare --name="$1" --corpus="$2" --source="$sources" \
    --features="$3" --feature_args="${4:-{\}}" --data_dir="$stores" \
    ${few[@]+"${few[@]}"}
}

train() { # RUN CONFIG SOURCE [FLAG ...]
  step "the run $1" dann-train --config="$configs/$2" --workdir="$work/$1" \
    --config.data.source="$3" "${@:4}" ${quick[@]+"${quick[@]}"} \
    ${more[@]+"${more[@]}"}
}
more=("$@")

full() { # a run that the reduced form leaves out
  ((quickly)) || train "$@"
}

frames='{"logmel": {"n_mels": 40, "hop": 0.02}}'
prepare emodb emodb functionals,logmel "$frames"
prepare digits fsdd=manifest waveform '{"waveform": {"sample_rate": 8000}}'
((quickly)) || prepare frames emodb,emovo,urdu,ravdess,ased=manifest logmel "$frames"
vectors=functionals
if [[ $encoder ]]; then
  vectors=pretrained
  few+=(--pretrained.model="$encoder" --pretrained.pooling=mean)
fi
prepare languages emodb,emovo,urdu,ravdess $vectors
prepare speakers emodb,emovo,urdu,ravdess,ased=manifest $vectors

train lian2019 lian2019.py "$data/iemocap"
joint=--config.encoder.normalisation.name=joint
train cai2020 cai2020.py:emotion "$stores/languages" $joint
full cai2020-separate cai2020.py:emotion "$stores/languages"
full cai2020-arousal cai2020.py:arousal "$stores/languages" $joint
full cai2020-valence cai2020.py:valence "$stores/languages" $joint
train zhou2018-5 zhou2018.py:5 "$stores/languages" --config.seeds=3
for rows in 1 3 10 20; do
  full "zhou2018-$rows" "zhou2018.py:$rows" "$stores/languages" --config.seeds=3
done
oracle=(--config.seeds=3 "--config.protocol.allowed_leaks=('oracle',)")
full zhou2018-oracle zhou2018.py:10 "$stores/languages" "${oracle[@]}" \
  --config.protocol.oracle=speaker
train tripathi2018 tripathi2018.py "$stores/digits" --config.seeds=3
full tripathi2018-coral tripathi2018.py:coral "$stores/digits" --config.seeds=3
# Two of the accents are one speaker each: the oracle learns from other recordings.
full tripathi2018-oracle tripathi2018.py "$stores/digits" "${oracle[@]}" \
  --config.protocol.oracle=utt_id
train tu2019 tu2019.py:emodb "$stores/emodb" --config.seeds=3
train tu2019-crossgrad tu2019.py:emodb-crossgrad "$stores/emodb" --config.seeds=3
full tu2019-z tu2019.py:emodb "$stores/emodb" --config.seeds=3 \
  --config.data.standardise_by=speaker
small=(--config.seeds=3 --config.timetable.epochs=10)
train wang2020 wang2020.py "$stores/speakers" "${small[@]}"
full wang2020-mmd wang2020.py:mmd "$stores/speakers" "${small[@]}"
full wang2020-coral wang2020.py:coral "$stores/speakers" "${small[@]}"
full wang2020-logmel wang2020.py "$stores/frames" "${small[@]}"
train latif2022 latif2022.py "$stores/languages" --config.seeds=5 \
  --config.data.modalities="('$vectors',)"
train lu2024 lu2024.py:emodb "$stores/emodb" --config.seeds=3
full lu2024-z lu2024.py:emodb "$stores/emodb" --config.seeds=3 \
  --config.data.standardise_by=speaker
if [[ $encoder ]] && ! ((quickly)); then
  prepare emodb_pretrained emodb pretrained
  train lu2024-pretrained lu2024.py:emodb "$stores/emodb_pretrained" \
    --config.seeds=3 --config.data.modalities="('pretrained',)"
fi
small=(--config.seeds=3 --config.encoder.width=32 --config.timetable.epochs=15)
train li2021 li2021.py:script-impro "$data/iemocap" "${small[@]}"
full li2021-back li2021.py:impro-script "$data/iemocap" "${small[@]}"
train dimensions dimensions.py "$data/iemocap"
# About half as long as all others together, so it comes last.
full lian2019-choice lian2019.py:choice "$data/iemocap"
