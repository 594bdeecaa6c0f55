"""The first page: what this service does, and the way in."""

from fastapi import APIRouter, Request, Response

from gen_video.accounts.keys import TEST_KEYS
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep

CURL = """\
curl -s {address}/api/v1/images/generate \\
  -H "X-API-Key: {key}" -H "Content-Type: application/json" \\
  -d '{{"prompt": "雪山下的湖，日落"}}'"""
OPENAI = """\
import base64
from openai import OpenAI

client = OpenAI(base_url="{address}/v1", api_key="{key}")
answer = client.images.generate(model="gpt-image-1", prompt="a city at night")
with open("city.png", "wb") as file:
    file.write(base64.b64decode(answer.data[0].b64_json))"""

router = APIRouter()


@router.get("/")
async def get_landing(request: Request, services: ServicesDep) -> Response:
    """Show what the service does, how it is tried, and what the plans are."""
    settings = services.settings
    plans = await services.threads.run(services.accounts.list_plans)
    address = settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    key = "$KEY" if settings.is_production else next(iter(TEST_KEYS))
    return render(
        request,
        "pages/landing.html",
        plans=plans,
        curl=CURL.format(address=address, key=key),
        openai=OPENAI.format(address=address, key=key),
        zone=settings.timezone,
    )
