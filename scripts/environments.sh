#!/bin/sh
# Build the wheel, install it into empty environments, plain and with all extras, and use each from a folder that holds
# somebody else's conf/: version, help, a job of two pairs. Prints the sizes. Usage:
# scripts/environments.sh FOLDER SOURCE SOURCE DRIVING
set -eu
repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
mkdir -p "$folder/tree" "$folder/theirs/conf"
for name in lp_ray jobs conf benchmarks pyproject.toml setup.py README.md LICENSE NOTICE; do
    cp -R "$repository/$name" "$folder/tree/"
done
echo 'theirs: 1' >"$folder/theirs/conf/animate.yaml"
"${PYTHON:-python3}" -m venv "$folder/builds"
"$folder/builds/bin/pip" wheel --quiet --no-deps --wheel-dir "$folder" "$folder/tree"
wheel=$(ls "$folder"/lp_ray-*.whl)

for extras in "" "[all]"; do
    environment=$folder/environment$extras
    "${PYTHON:-python3}" -m venv "$environment"
    if [ -n "$extras" ]; then # first, as in the Makefile
        "$environment/bin/pip" install --quiet --constraint "$repository/constraints.txt" torch
    fi
    "$environment/bin/pip" install --quiet --constraint "$repository/constraints.txt" "$wheel$extras"
    echo "pip install 'lp_ray$extras': $(du -sm "$environment" | cut -f1) MB, $("$environment/bin/pip" list 2>/dev/null | tail -n +3 | wc -l) packages"
    (
        cd "$folder/theirs"
        lp_ray=$environment/bin/lp-ray
        "$lp_ray" --version
        "$lp_ray" animate --help | head -n 3
        printf 'uri\n%s\n%s\n' "$2" "$3" >sources.csv
        printf 'uri,end_s\n%s,0.2\n' "$4" >drivings.csv
        "$lp_ray" animate sources=sources.csv drivings=drivings.csv "output=out$extras" 2>&1 | tail -n 4
    )
done
