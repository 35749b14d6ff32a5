#!/bin/sh
# MinIO for development, without Docker: built from its Go module on first use (2 to 5 minutes, then kept in the cache),
# listening on 127.0.0.1:9000 with the bucket `lake`. Prints what jobs need in the environment:
#
#   eval "$(minio/start.sh)"          the data goes away with `npm run services -- down minio`
#   eval "$(minio/start.sh data)"     keeps it in the folder data/minio
#
# MINIO_PORT chooses another port.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:+$(mkdir -p "$1" && cd "$1" && pwd)}
cd "$here/.."
exec npm run --silent services -- up minio --port "${MINIO_PORT:-9000}" ${folder:+--data "$folder"}
