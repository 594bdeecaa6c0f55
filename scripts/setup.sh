#!/usr/bin/env bash
# Install into .venv what is missing; arguments go to scripts/install.py (--extras dev,training).
# 安装缺失的依赖到 .venv；参数传给 scripts/install.py。
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The usual case first: all is there, and only .venv's own Python is asked.
if .venv/bin/python scripts/install.py --check "$@" 2>/dev/null; then
    exit 0
fi
. scripts/find_python.sh
python=$(find_python)
exec "$python" scripts/install.py "$@"
