"""How what goes wrong on a connection becomes an error that a user may read.

Its fact `kind` is a stable word for logs.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import h11

from gen_video.egress.fetcher import UrlUnreachableError


@contextmanager
def failures_as_unreachable() -> Iterator[None]:
    """Turn every failure of a connection into an error of ours while the block runs.

    Raises:
        UrlUnreachableError: Says what failed.
    """
    try:
        yield
    except TimeoutError as error:
        raise UrlUnreachableError(
            kind="timeout", reason="it took too long to answer", reason_zh="响应超时"
        ) from error
    except socket.gaierror as error:
        raise UrlUnreachableError(
            kind="name_not_found",
            reason="its host name does not exist",
            reason_zh="其主机名不存在",
        ) from error
    except ssl.SSLError as error:
        raise UrlUnreachableError(
            kind="tls_failed",
            reason="its certificate or encryption is not valid",
            reason_zh="其证书或加密无效",
        ) from error
    except (OSError, UnicodeError) as error:
        raise UrlUnreachableError(
            kind="connection_failed", reason="the connection failed", reason_zh="连接失败"
        ) from error
    except h11.ProtocolError as error:
        raise UrlUnreachableError(
            kind="not_http",
            reason="the server broke off or does not speak HTTP properly",
            reason_zh="服务器中断了连接，或返回的内容不符合 HTTP 规范",
        ) from error
