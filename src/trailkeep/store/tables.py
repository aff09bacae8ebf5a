"""The state schema as SQLAlchemy tables; migrations/ holds the way from any older one to it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# An intent: what a writer is about to commit. open -> (snapshot) -> stored (ledger) -> done (alerts).
batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(32), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("writer", String(64), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("keys", JSON, nullable=False),
    Column("progress", JSON),  # what collectors have done once this batch is committed
    Index("batches_unfinished", "state"),
)

# The ledger: a row for each object by content and key; records = stored + duplicate + quarantined + dropped.
objects = Table(
    "objects",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("object_id", String(32), nullable=False),
    Column("version", Text),
    Column("batch_id", String(32), nullable=False),
    Column("source", String(64)),
    Column("kind", String(16), nullable=False),
    Column("stored_sha256", String(64), nullable=False),
    Column("stored_size", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("user_metadata", JSON, nullable=False),
    Column("content", LargeBinary),
    Column("records", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("reason", Text),
    Column("added", DateTime(timezone=True), nullable=False),
    Index("objects_by_stored_sha256", "stored_sha256"),
    Index("objects_by_object_id", "object_id"),
    Index("objects_by_key", "key"),
)

# How far each collector is in each thing it reads; moves with the batch that brought the data.
positions = Table(
    "positions",
    metadata,
    Column("collector", String(64), primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("updated", DateTime(timezone=True), nullable=False),
)

# Pushed batches that are stored, by the id that the sender gave them: sent again, they are not stored again.
received = Table(
    "received",
    metadata,
    Column("collector", String(64), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("time", DateTime(timezone=True), nullable=False),
    Index("received_by_time", "time"),
)

# How each collector is, as it said last.
collectors = Table(
    "collectors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("last_error", Text),
    Column("last_object", Text),
    Column("last_arrival", DateTime(timezone=True)),
    Column("lag_seconds", Float),
    Column("updated", DateTime(timezone=True), nullable=False),
)

# Objects that could not be fetched after bounded tries: open -> again (somebody asked for it) -> fetched.
given_up = Table(
    "given_up",
    metadata,
    Column("collector", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("added", DateTime(timezone=True), nullable=False),
)

# What could not be stored and why; its bytes lie at `offset` of a file in the quarantine folder.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("object_id", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("source", String(64)),
    Column("position", BigInteger, nullable=False),
    Column("record_no", BigInteger),
    Column("raw_format", Text),
    Column("reason", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("state", String(8), nullable=False),
    Column("added", DateTime(timezone=True), nullable=False),
    Column("envelope", Text),
    Index("quarantine_by_state", "state"),
)

# Signals as correlations see them; `data` is JSON of values, `flags` whether one is a hit (1) and a start (2).
correlated = Table(
    "correlated",
    metadata,
    Column("correlation", String(80), primary_key=True),
    Column("grp", Text, primary_key=True),
    Column("time", BigInteger, primary_key=True),  # microseconds since 1970
    Column("event", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("data", Text, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False),
    Column("event_name", Text),
    Column("account_uid", Text),
    Column("region", Text),
    Column("src_ip", Text),
    Column("object_id", String(32), nullable=False),
    Column("record_no", BigInteger, nullable=False),
    Index("correlated_by_expiry", "expires"),
    sqlite_with_rowid=False,
)

# What a baseline has seen: one sentence, and the series around it, for people.
observations = Table(
    "observations",
    metadata,
    Column("rule_uid", Text, primary_key=True),
    Column("event_uid", Text, primary_key=True),
    Column("sentence", Text, nullable=False),
    Column("series", JSON, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("rule_uid", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("level", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("first_time", DateTime(timezone=True), nullable=False),
    Column("last_time", DateTime(timezone=True), nullable=False),
    Column("status", String(8), nullable=False),
    Column("assignee", Text),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("updated", DateTime(timezone=True), nullable=False),
    Column("routed", DateTime(timezone=True)),  # when it was decided who is told; until then it waits for that
    Column("group_id", Integer),  # the first of the alerts about one subject that people are told of together
    Column("severity", String(16)),  # the level, raised by what the alert is about
    Column("drill", String(32)),  # the drill whose logs it is about, and nothing else
    Column("told", DateTime(timezone=True)),  # when people were told of it last
    Column("told_events", Integer),  # how many events it had then
    Column("updates", Integer),  # how often it was told again
    Index("alerts_by_rule_and_subject", "rule_uid", "subject"),
    Index("alerts_by_subject", "subject"),
    Index("alerts_by_routed", "routed"),
    Index("alerts_by_group", "group_id"),
)

# The events of an alert; the key makes a rule count an event once, however often it was delivered.
alert_events = Table(
    "alert_events",
    metadata,
    Column("rule_uid", Text, primary_key=True),
    Column("event_uid", Text, primary_key=True),
    Column("alert_id", Integer, ForeignKey("alerts.id"), nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("event_name", Text),
    Column("account_uid", Text),
    Column("region", Text),
    Column("src_ip", Text),
    Column("object_id", String(32), nullable=False),
    Column("record_no", BigInteger, nullable=False),
    Column("resources", JSON),
    Index("alert_events_by_alert", "alert_id", "time"),
)

alert_history = Table(
    "alert_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alert_id", Integer, ForeignKey("alerts.id"), nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(8), nullable=False),
    Column("why", Text),
    Index("alert_history_by_alert", "alert_id"),
)

# What people are told: a row a message and channel; waiting -> sent | dead | void (nobody need hear it any more), or
# waiting -> gathered (the row `summary_id` tells of it) -> sent.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),  # what is told to whom: the same thing is never written twice
    Column("uid", String(32), nullable=False),  # the same at each try, for receivers to know a repetition by
    Column("kind", String(12), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("group_id", Integer),
    Column("alerts", JSON, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try", DateTime(timezone=True), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("sent", DateTime(timezone=True)),
    Column("last_error", Text),
    Column("held", Boolean),  # by quiet hours
    Column("summary_id", Integer),  # the row that tells of it together with others
    Index("outbox_by_key", "key", unique=True),
    Index("outbox_due", "channel", "state", "next_try"),
    Index("outbox_by_group", "group_id"),
    Index("outbox_by_created", "created"),
    Index("outbox_by_summary", "summary_id"),
    Index("outbox_by_sent", "channel", "sent"),
)

# Attacks that were played through the whole way, and what came of each step: evidence that the way works.
drills = Table(
    "drills",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String(8), nullable=False),  # running -> passed | failed
    Column("began", DateTime(timezone=True), nullable=False),
    Column("ended", DateTime(timezone=True)),
    Column("who", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("note", Text),
    Column("steps", JSON, nullable=False),
)

# The objects that drills wrote, by their contents: nothing else is a drill, whatever it says of itself.
drill_objects = Table(
    "drill_objects",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("drill", String(32), ForeignKey("drills.id"), nullable=False),
    Index("drill_objects_by_drill", "drill"),
)
