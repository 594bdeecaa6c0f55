"""What the service prints once it answers: where it is, how to try it, where things are kept."""

from collections.abc import Iterator

from gen_video.accounts.keys import TEST_KEYS
from gen_video.settings import Settings

ANYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def welcome_lines(settings: Settings, *, journal: str) -> Iterator[str]:
    """Return the lines, short and in both languages."""
    url = base_url(settings)
    yield ""
    yield f"  gen_video is ready / 服务已就绪   {url}"
    yield f"  Console / 控制台   {url}/   <- open this in a browser / 用浏览器打开"
    if settings.docs_enabled is not False:
        yield f"  Docs / 文档        {url}/docs   {url}/redoc"
    yield f"  Health / 健康      {url}/api/v1/health"
    yield f"  Model / 模型       {settings.default_image_model}"
    yield f"  Pictures / 图片    {settings.output_dir}"
    yield f"  Database / 数据库  {journal}"
    if settings.is_production:
        yield "  Keys / 密钥        gen-video keys create USER"
        yield "  Admin / 管理员     gen-video users create NAME --email EMAIL --admin"
        yield "                     gen-video users password NAME"
    else:
        keys = "   ".join(f"{key} ({user})" for key, user in TEST_KEYS.items())
        yield f"  Test keys / 测试密钥  {keys}"
    yield from _example(settings, url)


def base_url(settings: Settings) -> str:
    """Return the address that people on this machine use."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = "127.0.0.1" if settings.host in ANYWHERE else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _example(settings: Settings, url: str) -> Iterator[str]:
    key = "$KEY" if settings.is_production else next(iter(TEST_KEYS))
    yield "  Try / 试一下："
    yield f"  curl -X POST {url}/api/v1/images/generate -H 'X-API-Key: {key}' \\"
    yield "    -H 'Content-Type: application/json' -d '{\"prompt\": \"一个美丽的风景\"}'"
    yield "  Stop / 停止：Ctrl-C"
    yield ""
