#!/bin/sh
# Write deploy/.env from compose.env.example, with a random value for every secret; never over an old one.
# 生成带随机密钥的 deploy/.env；不会覆盖已有文件。
set -eu
cd -- "$(dirname -- "$0")"
target=${1:-.env}
if [ -e "$target" ]; then
    echo "$target exists, it stays as it is / $target 已存在，未作改动" >&2
    exit 1
fi
umask 077
while IFS= read -r line; do
    case $line in
    \#*) printf '%s\n' "$line" ;;
    *SECRET_KEY= | *PASSWORD=)
        printf '%s%s\n' "$line" "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done <compose.env.example >"$target.new"
mv "$target.new" "$target"
echo "Wrote $target / 已生成 $target"
