#!/bin/sh
# All measurements on a GPU, and the tests that need one. Results go to the folder given (default: benchmarks/results).
# Needs Python with torch, numpy, scipy, OpenCV and PyYAML; neither ROS nor anything from the network.
cd "$(dirname "$0")/.." || exit 1
out=${1:-benchmarks/results}
python=${PYTHON:-python3}
export PYTHONPATH="$PWD/src:$PYTHONPATH" PYTHONUNBUFFERED=1
nvidia-smi
"$python" benchmarks/performance.py --set gpu --device cuda --results "$out"
status=$?
"$python" benchmarks/sweep.py --device cuda --json "$out/sweep_gpu.json" --picture "$out/sweep_gpu.png" || status=1
"$python" -m pytest -m gpu test/gpu || status=1
exit $status
