"""The approved OpenAPI document. `python -m tests.house.openapi` approves today's."""

import json
import tempfile
from pathlib import Path

from gen_video.api.app import create_app
from gen_video.api.document import build_document
from gen_video.settings import Settings
from gen_video.wiring import build_services
from tests.house.project import PROJECT

SNAPSHOT = PROJECT / "docs" / "api" / "openapi.json"


def describe() -> str:
    """Return the document of the code as it is, as the snapshot keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        services = build_services(Settings(_env_file=None, data_dir=Path(folder)))
        try:
            document = build_document(create_app(services))
        finally:
            services.close()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Approve the document of the code as it is."""
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    SNAPSHOT.write_text(describe(), encoding="utf-8")


if __name__ == "__main__":
    main()
