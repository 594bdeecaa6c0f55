"""Try a running service: `python gen_video/api/test_mvp.py [URL]`.

A script for people: it asks for health and quota, makes one picture and downloads it. Functions
are called `check_…` so that pytest collects nothing here; the suite lies in `tests/`.

脚本：检查健康与配额，生成一张图像并下载。
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

if __name__ == "__main__" and find_spec("httpx") is None:
    own = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "python"
    if own.exists():
        os.execv(own, [str(own), *sys.argv])  # noqa: S606 - the Python that ./启动MVP.sh made
    sys.exit("Run ./启动MVP.sh first: it installs what this needs / 请先运行 ./启动MVP.sh 完成安装")

import httpx

DEFAULT_URL = "http://localhost:8000"
DEFAULT_KEY = "test-key-123"
PROMPT = "一个美丽的风景"
SIDE = 1024
STEPS = 40
PATIENCE_SECONDS = 650.0
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class CheckFailedError(Exception):
    """The service answered something else than it should."""


def check_health(client: httpx.Client) -> None:
    """Ask how the service is."""
    body = _get(client, "/api/v1/health").json()
    print(f"✓ health / 健康: {body['status']}  (version {body['version']})")


def check_wrong_key(client: httpx.Client) -> None:
    """Make sure that a wrong key is refused."""
    answer = client.get("/api/v1/quota", headers={"X-API-Key": "wrong-key"})
    _expect(answer, 401)
    print("✓ a wrong key is refused / 错误的密钥被拒绝")


def check_quota(client: httpx.Client) -> int:
    """Ask for today's quota; return how many pictures are left."""
    body = _get(client, "/api/v1/quota").json()
    images = body["quota"]["images"]
    print(
        f"✓ quota / 配额: {images['remaining']} of {images['limit']} images left / 剩余, "
        f"tier {body['tier']}, user {body['user_id']}"
    )
    return int(images["remaining"])


def check_picture(client: httpx.Client) -> dict[str, object]:
    """Make a picture and wait for it."""
    print(f"  drawing / 正在生成: {PROMPT} …", flush=True)
    answer = client.post(
        "/api/v1/images/generate",
        json={"prompt": PROMPT, "width": SIDE, "height": SIDE, "num_inference_steps": STEPS},
    )
    _expect(answer, 200)
    body: dict[str, object] = answer.json()
    print(f"✓ picture / 图像: {body['task_id']}  {body['elapsed_seconds']} s")
    return body


def check_file(client: httpx.Client, body: dict[str, object]) -> Path:
    """Download the picture, without a key."""
    answer = httpx.get(client.base_url.join(str(body["image_url"])), trust_env=False)
    _expect(answer, 200)
    if not answer.content.startswith(PNG_SIGNATURE) or len(answer.content) != body["file_size"]:
        raise CheckFailedError("the file is not the PNG that was promised / 文件与承诺的不符")
    path = Path(f"{body['task_id']}.png")
    path.write_bytes(answer.content)
    return path


def main() -> int:
    """Run every check; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Try a running gen_video service / 测试运行中的服务"
    )
    parser.add_argument("url", nargs="?", default=DEFAULT_URL)
    parser.add_argument("--key", default=DEFAULT_KEY)
    options = parser.parse_args()
    headers = {"X-API-Key": options.key, "Accept-Language": "zh-CN"}
    try:
        with httpx.Client(
            base_url=options.url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False
        ) as client:
            _run(client)
    except httpx.TransportError as error:
        print(
            f"✗ no answer from / 无法连接 {options.url}: {error}. "
            "Start it with / 请先启动: ./启动MVP.sh"
        )
        return 1
    except CheckFailedError as error:
        print(f"✗ {error}")
        return 1
    return 0


def _run(client: httpx.Client) -> None:
    check_health(client)
    check_wrong_key(client)
    before = check_quota(client)
    if before == 0:
        raise CheckFailedError("today's quota is used up / 今日配额已用完")
    path = check_file(client, check_picture(client))
    after = check_quota(client)
    if after != before - 1:
        raise CheckFailedError(f"quota went from {before} to {after} / 配额变化不正确")
    print(f"✓ everything works, look at / 全部通过，请查看: {path}")


def _get(client: httpx.Client, path: str) -> httpx.Response:
    answer = client.get(path)
    _expect(answer, 200)
    return answer


def _expect(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise CheckFailedError(
            f"{answer.request.url} answered {answer.status_code}: {answer.text[:500]}"
        )


if __name__ == "__main__":
    sys.exit(main())
