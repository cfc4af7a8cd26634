#!/usr/bin/env bash
# The engine on a GPU machine that has torch and little else, in some eight minutes at most: exactness first, then the benchmark.
# Usage: scripts/gpu_check.sh [OUT]    (results and logs go to OUT, default $OUT or .)
set -u
cd "$(dirname "$0")/.."
out=${1:-${OUT:-.}}
export PYTHONUNBUFFERED=1 PYTHONPATH=$PWD
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
timeout 100 python3 -m benchmarks.engine.exactness cuda 2>&1 | tee "$out/exactness.txt"
# Short steps, so that what is done stays done.
for precision in bf16 fp16; do
    timeout 200 python3 -m benchmarks.engine device=cuda precisions=$precision executions=compiled batches=4,8,16 \
        frames=16 rounds=5 compiled_reference=true json="$out/compiled-$precision.json" 2>&1 |
        tee "$out/compiled-$precision.txt"
done
timeout 60 python3 -m benchmarks.engine device=cuda precisions=bf16 executions=graph batches=8 frames=16 rounds=3 \
    modules=false json="$out/graph.json" 2>&1 | tee "$out/graph.txt"
