#!/bin/sh
# Makes the bucket `lake`, and the user that jobs run as: it may do with that bucket what policy.json says, and nothing else.
# Needs MinIO's client `mc`. Safe to run again. The addresses and passwords come from the environment.
set -eu

: "${MINIO_ENDPOINT:=http://127.0.0.1:9000}"
: "${MINIO_ROOT_USER:?the administrator of the server}"
: "${MINIO_ROOT_PASSWORD:?its password}"
: "${FRAZIL_USER:=frazil}"
: "${FRAZIL_PASSWORD:=frazil-secret}"
here=$(cd "$(dirname "$0")" && pwd)

mc alias set --quiet store "$MINIO_ENDPOINT" "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"
mc mb --quiet --ignore-existing store/lake
mc admin policy create store frazil-lake "$here/policy.json"
mc admin user add store "$FRAZIL_USER" "$FRAZIL_PASSWORD"
# Attaching a policy a second time is an error to mc; what counts is that it is attached afterwards.
mc admin policy attach store frazil-lake --user "$FRAZIL_USER" ||
  mc admin user info store "$FRAZIL_USER" | grep -q frazil-lake
