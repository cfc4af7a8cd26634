#!/usr/bin/env bash
# The job around the engine on a GPU machine that has lp_ray[all] with Ray: speed of light with the real engine, paste-back
# and encoding, on seeded weights.
#
#   scripts/gpu_job.sh [OUT]       OUT: a folder, default $OUT, else benchmarks/engine/results
#   DEVICE=cpu SIZE=tiny SOURCES=2 FRAMES=16 scripts/gpu_job.sh OUT     the same where there is no GPU
#
# The exit code is the benchmark's: 0, 3 if the aim is missed, else an error.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-${OUT:-benchmarks/engine/results}}
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$out"
machine=$("$python" -m benchmarks.engine.machine "$device") || exit 2
precision=$([[ $device == cpu ]] && echo fp32 || echo bf16)
timeout "${LIMIT_S:-470}" "$python" -m jobs.bench target=job parts=light light.engine=liveportrait device="$device" \
    precision="$precision" size="${SIZE:-full}" light.sources="${SOURCES:-24}" light.frames="${FRAMES:-500}" \
    light.alone_s="${ALONE_S:-12}" json="$out/$machine-job.json" 2>&1 | tee "$out/$machine-job.txt"
