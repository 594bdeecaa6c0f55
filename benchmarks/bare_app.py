"""The other side of P13: a bare FastAPI application with the same answers and no work at all."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header

from gen_video.api.v1.fields import ImageFields
from gen_video.api.v1.shapes import KindQuotaView, QuotaReply, QuotasView, Remaining

app = FastAPI()
_KIND = KindQuotaView(limit=10, used=1, reserved=0, remaining=9)


@app.get("/quota")
async def get_quota(x_api_key: Annotated[str, Header()]) -> QuotaReply:
    """Answer with a constant quota."""
    return QuotaReply(
        user_id=x_api_key[:4],
        tier="free",
        quota=QuotasView(images=_KIND, videos=_KIND),
        quota_remaining=Remaining(images=9, videos=9),
        resets_at=datetime(2030, 1, 1, tzinfo=UTC),
        timezone="Asia/Shanghai",
    )


@app.post("/generate", status_code=202)
async def generate(fields: ImageFields) -> dict[str, str]:
    """Answer with a constant job."""
    return {"task_id": "job_0000000000000000000000", "status": "queued", "prompt": fields.prompt}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
