"""`gen-video logout`: forget a service's key."""

import typer

from gen_video.cli.logins import clean, read_logins, write_logins
from gen_video.cli.remote import AsJson, BaseUrl
from gen_video.cli.terminal import note, print_json

app = typer.Typer(add_completion=False)


@app.command()
def logout(*, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Forget the key of the current login, or of the service that is named.

    The key itself stays valid: whoever runs the service can revoke it.

    删除本机保存的密钥；密钥本身仍然有效，可由管理员吊销。
    """
    logins = read_logins()
    address = logins.current if base_url is None else clean(base_url)
    is_known = address in logins.keys
    if address is not None and is_known:
        write_logins(logins.without(address))
    if is_json:
        print_json({"base_url": address, "was_logged_in": is_known})
        return
    if is_known:
        note(f"Logged out of {address}.", f"已退出 {address}。")
    else:
        note("There was no login.", "没有登录信息。")
