#!/bin/sh
# Shared libraries that opencv-python needs and pip cannot bring. Installed where we may, named where we may not.
PATH="$PATH:/sbin:/usr/sbin"
command -v ldconfig >/dev/null || exit 0 # cannot tell: the import will say so
missing=""
for pair in libGL.so.1:libgl1 libxcb.so.1:libxcb1 libglib-2.0.so.0:libglib2.0-0; do
    library=${pair%%:*}
    ldconfig -p 2>/dev/null | grep -q "$library" || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing && exit 0
fi
echo "opencv-python needs system libraries that are not here. Install them and run make again:" >&2
echo "    sudo apt-get install$missing" >&2
exit 1
