#!/usr/bin/env bash
# Install what is missing, then start the service. Options go to `gen-video serve`, e.g. --port 8001.
# 安装缺失的依赖并启动服务。参数会传给 gen-video serve，例如 --port 8001。
set -euo pipefail
here=$(readlink -f -- "${BASH_SOURCE[0]}" 2>/dev/null || printf '%s' "${BASH_SOURCE[0]}")
cd -- "$(dirname -- "$here")"

model=${GEN_VIDEO_DEFAULT_IMAGE_MODEL:-mini}
if [ "$model" = mini ] && [ ! -s models/mini/unet/diffusion_pytorch_model.safetensors ]; then
    echo "✗ models/mini is missing or incomplete. Get the whole repository again: git checkout -- models/mini" >&2
    echo "✗ 缺少内置模型 models/mini（或不完整）。请重新获取：git checkout -- models/mini" >&2
    exit 1
fi

bash scripts/setup.sh
exec .venv/bin/gen-video serve "$@"
