# Sourced: find_python prints the first Python >= 3.11 that can make a venv, or says what is missing.
# 供其他脚本引用：找出第一个可用的 Python（3.11 以上，带 venv）。

find_python() {
    local candidate version found='' without_venv=''
    for candidate in ${GEN_VIDEO_PYTHON:+"$GEN_VIDEO_PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        command -v -- "$candidate" >/dev/null 2>&1 || continue
        # A name on the path may be a stub that runs nothing: ask it.
        version=$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        found=$version
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            command -v -- "$candidate"
            return 0
        fi
        without_venv=${without_venv:-"$candidate $version"}
    done
    if [ -n "$without_venv" ]; then
        echo "✗ $without_venv cannot make a virtual environment. On Debian/Ubuntu: apt install python3-venv" >&2
        echo "✗ $without_venv 缺少 venv 组件。Debian/Ubuntu 请运行：apt install python3-venv" >&2
    elif [ -n "$found" ]; then
        echo "✗ Python 3.11 or newer is needed, found only $found. Install one, or name it: GEN_VIDEO_PYTHON=/path/to/python3" >&2
        echo "✗ 需要 Python 3.11 或更高版本，仅找到 $found。请安装，或用 GEN_VIDEO_PYTHON 指定路径" >&2
    else
        echo "✗ Python was not found. Install Python 3.11 or newer with venv" >&2
        echo "✗ 未找到 Python，请安装 3.11 或更高版本（带 venv）" >&2
    fi
    return 1
}
