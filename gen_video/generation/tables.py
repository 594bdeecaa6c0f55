"""Tables of the generation slice: jobs and all that belongs to them, workers and their orders."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    literal_column,
    text,
)

from gen_video.db.schema import UtcTime, metadata

_IS_TERMINAL = "state IN ('succeeded', 'failed', 'canceled', 'expired')"

_QUEUE_INDEXES = (
    (  # who is next, and how much work is ahead
        "ix_jobs_ready",
        ("queue", "rank", "start_tag", "id", "predicted_us"),
        "state = 'queued' AND start_tag IS NOT NULL",
    ),
    (  # what waits behind its own account's jobs
        "ix_jobs_backlog",
        ("queue", "account_id", "rank", "created_at", "id", "predicted_us"),
        "state = 'queued' AND start_tag IS NULL",
    ),
    ("ix_jobs_running", ("queue", "rank", "start_tag"), "state = 'running'"),
    (  # how many jobs of an account compete, and up to which tag
        "ix_jobs_competing",
        ("account_id", "queue", "rank", "start_tag"),
        "state IN ('queued', 'running') AND start_tag IS NOT NULL",
    ),
    (
        "ix_jobs_dispatched",
        ("queue", "dispatched_at"),
        "state = 'queued' AND dispatched_at IS NOT NULL",
    ),
    ("ix_jobs_batch", ("created_at",), "state = 'queued' AND rank = 1"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("api_key_id", String(40), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("model", String(120), nullable=False),
    Column("state", String(12), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("input_json", Text, nullable=False),
    Column("reference_key", String(200)),
    Column("metadata_json", Text),
    Column("units", Integer, nullable=False),
    Column("units_delivered", Integer),
    Column("price_micros", BigInteger, nullable=False),
    Column("window_date", String(10), nullable=False),
    Column("is_key_limited", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crash_count", Integer, nullable=False, server_default="0"),
    Column("lost_count", Integer, nullable=False, server_default="0"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("committed_fence", BigInteger),
    Column("lease_owner", String(80)),
    Column("lease_expires_at", UtcTime),
    Column("not_before", UtcTime, nullable=False),
    Column("deadline_at", UtcTime, nullable=False),
    Column("cancel_requested_at", UtcTime),
    Column("progress_stage", String(20)),
    Column("progress_step", Integer),
    Column("progress_steps", Integer),
    Column("progress_at", UtcTime),
    Column("error_code", String(60)),
    Column("error_en", Text),
    Column("error_zh", Text),
    Column("quota_json", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("expires_at", UtcTime),
    Column("deleted_at", UtcTime),
    # Its place: queue is "{pool}.{kind}", empty for a job of the release before; start_tag is null
    # while the job waits behind its own account's other jobs.
    Column("queue", String(60), nullable=False, server_default=""),
    Column("tier", String(20), nullable=False, server_default=""),
    Column("predicted_us", BigInteger, nullable=False, server_default="0"),
    Column("start_tag", BigInteger),
    Column("passed_at", UtcTime),
    Column("dispatched_at", UtcTime),
    Column("previews", Integer, nullable=False, server_default="0"),
    # Whose end is told to this address only; and whether the code that ended the job writes events.
    Column("webhook_url", Text),
    Column("has_event", Integer, nullable=False, server_default="0"),
    CheckConstraint(f"({_IS_TERMINAL}) = (finished_at IS NOT NULL)", name="terminal_is_finished"),
    CheckConstraint(f"NOT ({_IS_TERMINAL}) OR lease_owner IS NULL", name="terminal_has_no_lease"),
    CheckConstraint("(state = 'running') = (lease_owner IS NOT NULL)", name="running_is_leased"),
    CheckConstraint("units > 0 AND price_micros >= 0", name="cost_positive"),
    # The order of the release before, which may still run beside this one.
    Index(
        "ix_jobs_queue",
        "rank",
        "created_at",
        "id",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    *(
        Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))
        for name, columns, condition in _QUEUE_INDEXES
    ),
    Index(
        "ix_jobs_leases",
        "lease_expires_at",
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(
        "ix_jobs_deadlines",
        "deadline_at",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_jobs_references",
        "reference_key",
        sqlite_where=text("reference_key IS NOT NULL"),
        postgresql_where=text("reference_key IS NOT NULL"),
    ),
    Index("ix_jobs_account", "account_id", "created_at", "id"),
    Index("ix_jobs_finished", "finished_at"),
)

# In words, not as parameters: a database uses a partial index only where it can read the condition.
IS_QUEUED = jobs.c.state == literal_column("'queued'")
IS_RUNNING = jobs.c.state == literal_column("'running'")
IS_OPEN = jobs.c.state.in_((literal_column("'queued'"), literal_column("'running'")))
IS_BATCH = jobs.c.rank == literal_column("1")

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id"), primary_key=True),
    Column("fence", BigInteger, primary_key=True),
    Column("worker_id", String(80), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outcome", String(40)),
)

job_previews = Table(
    "job_previews",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("mime", String(60), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "created_at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("job_id", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("storage_key", String(200), nullable=False, unique=True),
    Column("public_name", String(120), nullable=False, unique=True),
    Column("state", String(12), nullable=False),
    Column("mime", String(60), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("role", String(10), nullable=False, server_default="output"),
    Column("num_frames", Integer),
    Column("fps", Integer),
    CheckConstraint("state IN ('live', 'expired', 'deleted')", name="known_state"),
    Index(None, "job_id"),
    Index(
        "ix_artifacts_retention",
        "expires_at",
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
)

IS_LIVE = artifacts.c.state == literal_column("'live'")

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", String(40), primary_key=True),
    Column("scope", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("job_id", String(40), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "expires_at"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("host", String(120), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("models_json", Text, nullable=False),
    Column("resident_json", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("queues_json", Text, nullable=False, server_default="[]"),
    Column("slots", Integer, nullable=False, server_default="1"),
)

fair_shares = Table(
    "fair_shares",
    metadata,
    Column("account_id", String(40), primary_key=True),
    Column("queue", String(60), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("finish_tag", BigInteger, nullable=False),
    Index("ix_fair_shares_finish", "queue", "rank", "finish_tag"),
)

model_speeds = Table(
    "model_speeds",
    metadata,
    Column("model", String(120), primary_key=True),
    Column("us_per_megawork", Float, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

chores = Table(
    "chores",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("due_at", UtcTime, nullable=False),
)

worker_orders = Table(
    "worker_orders",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("worker_id", String(80), nullable=False),
    Column("action", String(10), nullable=False),
    Column("model", String(120)),
    Column("state", String(10), nullable=False),
    Column("answer", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    CheckConstraint("state IN ('pending', 'done', 'failed')", name="known_state"),
    CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name="ended_is_over"),
    Index(
        "ix_worker_orders_pending",
        "worker_id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(None, "created_at"),
)
