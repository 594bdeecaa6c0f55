"""What routes ask for: the services, and who is calling."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from gen_video.accounts.errors import ConflictingKeysError, InvalidKeyError
from gen_video.accounts.models import Caller
from gen_video.api import rates
from gen_video.generation.watch import JobWatch
from gen_video.wiring import Services

BEARER = "bearer "

# These two only describe the security schemes in the OpenAPI document.
_header_scheme = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="API key / API 密钥", scheme_name="ApiKey"
)
_bearer_scheme = HTTPBearer(
    auto_error=False, scheme_name="Bearer", description="API key / API 密钥"
)


async def get_services(request: Request) -> Services:
    """Return the services of this process.

    Asynchronous although it waits for nothing: the framework calls the other kind on a thread.
    """
    services: Services = request.app.state.services
    return services


async def get_watch(request: Request) -> JobWatch:
    """Return the job watch of this process."""
    watch: JobWatch = request.app.state.watch
    return watch


ServicesDep = Annotated[Services, Depends(get_services)]
WatchDep = Annotated[JobWatch, Depends(get_watch)]


def find_key(request: Request) -> str | None:
    """Return the API key that a request carries, None without one.

    Raises:
        ConflictingKeysError: The headers carry different keys.
    """
    headers = request.headers
    keys = {key.strip() for key in headers.getlist("x-api-key")}
    keys |= {
        value[len(BEARER) :].strip()
        for value in headers.getlist("authorization")
        if value.lower().startswith(BEARER)
    }
    keys.discard("")
    if len(keys) > 1:
        raise ConflictingKeysError
    return keys.pop() if keys else None


async def require_caller(request: Request, services: ServicesDep) -> Caller:
    """Return who is calling, with the request counted.

    Raises:
        ConflictingKeysError: The headers carry different keys.
        InvalidKeyError: No key, or not a valid one.
        RateLimitedError: The account, or the address without a valid key, asked too often.
    """
    try:
        caller = await _find_caller(request, services)
    except (ConflictingKeysError, InvalidKeyError):
        await rates.take_for_stranger(request, services)
        raise
    request.state.tier = caller.plan.tier
    request.state.caller = caller
    await rates.take_for_caller(request, services, caller)
    return caller


async def _find_caller(request: Request, services: Services) -> Caller:
    key = find_key(request)
    if key is None:
        raise InvalidKeyError
    caller = services.accounts.find_cached(key)
    if caller is None:
        caller = await services.threads.run(services.accounts.authenticate, key)
    return caller


CallerDep = Annotated[Caller, Depends(require_caller)]
SECURITY = [Depends(_header_scheme), Depends(_bearer_scheme)]
