#!/bin/sh
# Stands before ffmpeg: a decoder that dies or hangs on clips of a telling name, and is ffmpeg for all others.
case "$*" in
    *-format_whitelist*/segfault.mp4*) kill -SEGV $$ ;;
    *-format_whitelist*/hang.mp4*) exec sleep 1000 ;;
esac
exec "$REAL_FFMPEG" "$@"
