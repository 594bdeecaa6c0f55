#!/bin/sh
# Make the bucket and the service's own key; doing it twice changes nothing.
# 创建存储桶与服务专用密钥，可重复执行。
set -eu
mc alias set store http://minio:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null
mc mb --ignore-existing "store/$BUCKET"
mc anonymous set none "store/$BUCKET"
mc admin policy create store "$BUCKET" /policy.json
mc admin user add store "$S3_ACCESS_KEY" "$S3_SECRET_KEY" >/dev/null
mc admin policy attach store "$BUCKET" --user "$S3_ACCESS_KEY" || echo "policy attached already"
