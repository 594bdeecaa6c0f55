"""`gen-video`: the table of commands. A command's file is imported when the command is run."""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from gen_video.cli.terminal import note, say
from gen_video.errors import ServiceError

PROGRAM = "gen-video"
INTERRUPTED = 130
COMPLETION_OPTIONS = ("--install-completion", "--show-completion")
COMPLETION_VARIABLE = "_GEN_VIDEO_COMPLETE"
PANELS = {"For users of a service / 使用服务": True, "To run a service / 运行服务": False}
EXIT_CODES = (
    "Exit codes / 退出码: 0 well, 1 failed, 2 usage, 3 key, 4 quota or rate, 5 not found, "
    "6 service away, 130 interrupted."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: where its typer app lives, and one line of help in both languages.

    A user's command talks to a service, so it loads nothing of the service itself.
    """

    module: str
    en: str
    zh: str
    is_for_users: bool = False


COMMANDS = {
    "courier": Entry("process", "Send webhooks, apart from workers", "单独运行 webhook 发送进程"),
    "generate": Entry(
        "generate",
        "Draw or film, here or on a service (--remote)",
        "生成图片或视频，本机或远程（--remote）",
        is_for_users=True,
    ),
    "login": Entry("login", "Log in to a service", "登录服务", is_for_users=True),
    "logout": Entry("logout", "Forget a login", "退出登录", is_for_users=True),
    "jobs": Entry("jobs", "List, show, cancel, delete jobs", "管理任务", is_for_users=True),
    "watch": Entry("watch", "Follow a job live", "实时跟踪任务", is_for_users=True),
    "download": Entry("download", "Save what a job has made", "下载任务结果", is_for_users=True),
    "quota": Entry("quota", "Show what is left today", "查看今日配额", is_for_users=True),
    "webhooks": Entry("webhooks", "Be told when jobs end", "管理 Webhook", is_for_users=True),
    "serve": Entry("serve", "Start the whole service on this machine", "在本机启动整个服务"),
    "web": Entry("process", "Run one web process", "运行一个 Web 进程"),
    "worker": Entry("process", "Run one worker (--pool, --concurrency)", "运行一个工作进程"),
    "workers": Entry("workers", "See, drain and resume workers", "查看、排空与恢复工作进程"),
    "models": Entry("models", "List, check, add or download models", "查看、检查、添加或下载模型"),
    "users": Entry("users", "Create users, change plans, close access", "管理用户与套餐"),
    "keys": Entry("keys", "Create, list and revoke API keys", "创建、查看、吊销 API Key"),
    "plans": Entry("plans", "Show plans and change their figures", "查看与修改套餐"),
    "migrate": Entry("migrate", "Bring the database to this version", "升级数据库结构"),
    "audit": Entry("audit", "Prove that nothing is lost or charged twice", "核对任务、配额与文件"),
    "settings": Entry("settings", "Show the effective settings", "显示当前生效的配置"),
    "doctor": Entry("doctor", "Say what this machine can run", "检查本机环境"),
    "simulate": Entry("simulate", "Play jobs on simulated devices", "在模拟设备上试运行调度"),
    "bench": Entry("bench", "Measure this installation", "运行性能测试"),
}


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn an expected failure into one line in both languages and exit code 1."""
    try:
        yield
    except ServiceError as error:
        note(error.message("en"), error.message("zh"))
        raise SystemExit(1) from error
    except KeyboardInterrupt as error:
        raise SystemExit(INTERRUPTED) from error
    except BrokenPipeError as error:
        # The reader of our output has left; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if _is_about_completion(name):
        return _complete(given)
    if name == "--version":
        return _print_version()
    if name in {"--help", "-h", "help"}:
        return _print_help()
    entry = COMMANDS.get(name)
    if entry is None:
        note(f"There is no command {name}; see: {PROGRAM} --help", f"没有命令 {name}，请看 --help")
        return 2
    with report_errors():
        module = importlib.import_module(f"gen_video.cli.{entry.module}")
        if not entry.is_for_users:
            _quiet_logs()
        return _run(module.app, name, given[1:])


def _run(app: typer.Typer, name: str, arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    code = command.main(args=arguments, prog_name=f"{PROGRAM} {name}", standalone_mode=True)
    return code if isinstance(code, int) else 0


def _quiet_logs() -> None:
    from gen_video.cli.quiet import quiet_logs  # noqa: PLC0415 - slower than the help

    quiet_logs()


def _is_about_completion(name: str) -> bool:
    asked = COMPLETION_VARIABLE in os.environ  # noqa: TID251 - the shell's question, no setting
    return asked or name.partition("=")[0] in COMPLETION_OPTIONS


def _complete(arguments: list[str]) -> int:
    from gen_video.cli.completion import complete  # noqa: PLC0415 - not needed otherwise

    return complete(PROGRAM, COMMANDS, arguments)


def _print_version() -> int:
    from gen_video import __version__  # noqa: PLC0415 - not needed otherwise

    say(f"{PROGRAM} {__version__}")
    return 0


def _print_help() -> int:
    say(f"Usage: {PROGRAM} COMMAND [OPTIONS]      {PROGRAM} COMMAND --help\n")
    for title, is_for_users in PANELS.items():
        say(title)
        for name, entry in COMMANDS.items():
            if entry.is_for_users is is_for_users:
                say(f"  {name:<10} {entry.en} / {entry.zh}")
        say()
    say("Shell completion / 命令补全: --install-completion, --show-completion")
    say(EXIT_CODES)
    say("Settings: environment or .env, names begin with GEN_VIDEO_ (gen-video settings).")
    return 0
