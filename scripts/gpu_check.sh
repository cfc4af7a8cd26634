#!/usr/bin/env bash
# The engine on a GPU machine, in under eight minutes: exactness by precision, start-up by execution with cold and warm
# kernels, speed by precision and batch, memory by precision and batch, paste-back on the device against on a core.
# Needs torch, numpy and scipy; the step "finishing" OpenCV and imageio-ffmpeg, too. No Ray, no Hydra, no pyarrow.
#
#   scripts/gpu_check.sh [OUT]     OUT: a folder, default $OUT, else benchmarks/engine/results
#   DEVICE=cpu SIZE=tiny scripts/gpu_check.sh OUT     the same steps where there is no GPU, to see that they run
#
# Files are called by the machine: OUT/nvidia-h200-start.txt and .json. What is done stays done: each step has a limit, and
# none starts when the time is over. The exit code is that of the worst step.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-${OUT:-benchmarks/engine/results}}
device=${DEVICE:-cuda} size=${SIZE:-full} limit=${LIMIT_S:-470}
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$out"
machine=$("$python" -m benchmarks.engine.machine "$device") || exit 2
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
export LP_RAY_CACHE=$cache
unset TORCHINDUCTOR_CACHE_DIR
worst=0

step() { # NAME SECONDS MODULE ARGUMENTS…
    local name=$1 seconds=$2 module=$3 left=$((limit - SECONDS)) file=$out/$machine-$1
    shift 3
    if ((left < 10)); then
        echo "$name: left out, ${limit} s are over" | tee "$file.txt"
        worst=3
        return
    fi
    echo "== $name, after $SECONDS s"
    timeout $((left < seconds * patience ? left : seconds * patience)) "$python" -m "$module" device="$device" "$@" json="$file.json" 2>&1 |
        tee "$file.txt" || { worst=1; echo "$name: did not finish" | tee -a "$file.txt"; }
}

if [[ $device == cpu ]]; then
    half=fp32 precisions=fp32 executions=eager batches=1 frames=1 rounds=1 modules=false patience=6
    finished=(frames=2 rounds=1) # a CPU takes its time
else
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
    half=bf16 precisions=fp32,bf16,fp16 executions=eager,graph,compiled batches=1,8,16 frames=16
    rounds=5 modules=true patience=1 finished=()
fi
batch=${batches#*,} && batch=${batch%%,*}  # the middle one, which jobs use

step exactness 100 benchmarks.engine.exactness sizes="$size"
step start 190 benchmarks.engine.start size="$size" precision=$half batch="$batch" executions=$executions cache="$cache"
# The kernels of this batch are kept by now.
step "speed-$half" 80 benchmarks.engine size="$size" precisions=$half executions="${executions##*,}" batches="$batch" \
    frames=$frames rounds=$rounds modules=$modules
step finishing 40 benchmarks.engine.finishing ${finished[@]+"${finished[@]}"}
step memory 80 benchmarks.engine.memory size="$size" precisions=$precisions batches=$batches \
    execution="$([[ $device == cpu ]] && echo eager || echo graph)"
step speed-graph 100 benchmarks.engine size="$size" precisions=$precisions batches=$batches frames=$frames rounds=$rounds \
    executions="$([[ $device == cpu ]] && echo eager || echo graph)" modules=false
echo "== after $SECONDS s; results: $out/$machine-*"
exit $worst
