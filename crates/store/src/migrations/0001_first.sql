-- One text for both databases. {text} is text that sorts by its bytes, {bytes} is a byte string. Times are milliseconds
-- since 1970 (BIGINT), structured values JSON in text, ids UUIDv7.

CREATE TABLE owners (
    id {text} PRIMARY KEY,
    name {text} NOT NULL,
    name_sort {text} NOT NULL,
    email {text} NOT NULL,
    email_key {text} NOT NULL UNIQUE,
    time_zone {text} NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE operators (
    id {text} PRIMARY KEY,
    name {text} NOT NULL,
    name_key {text} NOT NULL UNIQUE,
    role {text} NOT NULL,
    password_hash {text} NOT NULL,
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_sign_in_at BIGINT
);

CREATE TABLE sessions (
    token_hash {bytes} PRIMARY KEY,
    operator_id {text} NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    csrf {text} NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_operator ON sessions (operator_id);

-- At most one row: the token of first set-up.
CREATE TABLE setup (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    token_hash {bytes} NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE settings (
    name {text} PRIMARY KEY,
    value {text} NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE instances (
    id {text} PRIMARY KEY,
    app {text} NOT NULL,
    name {text} NOT NULL,
    name_sort {text} NOT NULL,
    deployment {text} NOT NULL,
    settings {text} NOT NULL,
    origins {text} NOT NULL,
    auth {text} NOT NULL,
    tenant_uid {text} NOT NULL,
    identity {text} NOT NULL,
    owner_id {text} REFERENCES owners (id) ON DELETE SET NULL,
    tags {text} NOT NULL,
    hash_key {bytes} NOT NULL,
    credential_version BIGINT NOT NULL,
    credential_set_at BIGINT NOT NULL,
    credential_used_at BIGINT,
    credential_failures BIGINT NOT NULL,
    suspended_at BIGINT,
    suspension_tries BIGINT,
    suspension_next_at BIGINT,
    blocked_until BIGINT,
    down_after BIGINT NOT NULL,
    onboarded_at BIGINT NOT NULL,
    paused_at BIGINT,
    paused_by {text},
    -- Written first by every transaction that changes facts of the instance: the row is its lock.
    turn BIGINT NOT NULL,
    UNIQUE (app, name)
);
CREATE INDEX instances_owner ON instances (owner_id);
CREATE INDEX instances_tenant ON instances (app, tenant_uid);

CREATE TABLE secrets (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    field {text} NOT NULL,
    version BIGINT NOT NULL,
    sealed {bytes} NOT NULL,
    PRIMARY KEY (instance_id, field)
);

CREATE TABLE scans (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    enabled BOOLEAN NOT NULL,
    enablement {text} NOT NULL,
    readiness_gaps {text} NOT NULL,
    interval_ms BIGINT NOT NULL,
    watched_since BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    wanted_at BIGINT,
    -- The open run, while there is one.
    run_id {text},
    run_started_at BIGINT,
    run_deadline_at BIGINT,
    run_waiting_until BIGINT,
    run_abandoned BIGINT NOT NULL,
    run_wanted BOOLEAN NOT NULL,
    -- The hold on it, while somebody has one. The fence only ever grows.
    fence BIGINT NOT NULL,
    lease_holder {text},
    lease_expires_at BIGINT,
    cancel_at BIGINT,
    progress {text},
    -- The last finished run and what follows from the ones before.
    last {text},
    last_success_at BIGINT,
    failures_in_a_row BIGINT NOT NULL,
    retryable_partials BIGINT NOT NULL,
    failing_since BIGINT,
    warnings {text} NOT NULL,
    PRIMARY KEY (instance_id, kind)
);
CREATE INDEX scans_lease ON scans (lease_expires_at);

CREATE TABLE runs (
    id {text} PRIMARY KEY,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    outcome {text} NOT NULL,
    cause {text},
    fault {text},
    gaps {text} NOT NULL,
    warnings {text} NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    cost {text} NOT NULL,
    records BIGINT NOT NULL,
    datasets_read BIGINT NOT NULL,
    datasets_total BIGINT NOT NULL,
    wanted BOOLEAN NOT NULL,
    credential_version BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    reopened BIGINT NOT NULL,
    resolved BIGINT NOT NULL
);
CREATE INDEX runs_log ON runs (instance_id, finished_at, id);

-- One row a scan and day (UTC), for the health bar: counts of runs, not words.
CREATE TABLE days (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    day BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    partial BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    worst_row BIGINT NOT NULL,
    down BOOLEAN NOT NULL,
    cause {text},
    PRIMARY KEY (instance_id, kind, day)
);

CREATE TABLE checkpoints (
    run_id {text} NOT NULL,
    dataset {text} NOT NULL,
    part BIGINT NOT NULL,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (run_id, dataset, part)
);
CREATE INDEX checkpoints_scan ON checkpoints (instance_id, kind);

CREATE TABLE sweeps (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    dataset {text} NOT NULL,
    body {bytes} NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (instance_id, dataset)
);

CREATE TABLE snapshots (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    dataset {text} NOT NULL,
    kind {text} NOT NULL,
    run_id {text} NOT NULL,
    revision BIGINT NOT NULL,
    collected_at BIGINT NOT NULL,
    records BIGINT NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (instance_id, dataset)
);

-- Datasets that had 10 or more records and then none: believed when agreed to.
CREATE TABLE shrunk (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    dataset {text} NOT NULL,
    first_at BIGINT NOT NULL,
    agreed_at BIGINT,
    agreed_by {text},
    PRIMARY KEY (instance_id, dataset)
);

CREATE TABLE tallies (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    check_id {text} NOT NULL,
    revision BIGINT NOT NULL,
    pass BIGINT NOT NULL,
    fail BIGINT NOT NULL,
    inconclusive BIGINT NOT NULL,
    not_applicable BIGINT NOT NULL,
    reason {text},
    needs {text} NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (instance_id, kind, check_id)
);
CREATE INDEX tallies_check ON tallies (check_id);

-- The latest results of a scan that are not findings.
CREATE TABLE results (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    run_id {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (instance_id, kind)
);

CREATE TABLE findings (
    id {text} PRIMARY KEY,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    check_id {text} NOT NULL,
    revision BIGINT NOT NULL,
    kind {text} NOT NULL,
    resource {text} NOT NULL,
    resource_kind {text} NOT NULL,
    -- 0 informational to 4 critical.
    severity BIGINT NOT NULL,
    state {text} NOT NULL,
    says {text} NOT NULL,
    evidence {text} NOT NULL,
    search {text} NOT NULL,
    created_at BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    resolved_at BIGINT,
    stale_since BIGINT,
    reopened BIGINT NOT NULL,
    run_id {text} NOT NULL,
    state_at BIGINT,
    state_by {text},
    exception {text},
    exception_expires_at BIGINT,
    UNIQUE (instance_id, check_id, resource)
);
CREATE INDEX findings_resource ON findings (instance_id, kind, resource);
CREATE INDEX findings_state ON findings (state, severity, id);
CREATE INDEX findings_check ON findings (check_id, state);

CREATE TABLE finding_events (
    id {text} PRIMARY KEY,
    finding_id {text} NOT NULL REFERENCES findings (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    what {text} NOT NULL,
    by_name {text},
    note {text}
);
CREATE INDEX finding_events_finding ON finding_events (finding_id, id);

CREATE TABLE accounts (
    uid {text} PRIMARY KEY,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    id {text} NOT NULL,
    record {text} NOT NULL,
    search {text} NOT NULL,
    username_sort {text} NOT NULL,
    account_kind {text},
    state {text},
    privileged BOOLEAN,
    external BOOLEAN,
    second_factor BOOLEAN,
    idp_linked BOOLEAN,
    -- -2: unknown, -1: never.
    last_active_sort BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    stale_since BIGINT,
    gone_at BIGINT,
    run_id {text} NOT NULL,
    UNIQUE (instance_id, id)
);
CREATE INDEX accounts_there ON accounts (instance_id, gone_at);

CREATE TABLE plugins (
    uid {text} PRIMARY KEY,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    id {text} NOT NULL,
    record {text} NOT NULL,
    search {text} NOT NULL,
    name_sort {text} NOT NULL,
    plugin_kind {text},
    level {text},
    -- 0 low, 1 unknown, 2 medium, 3 high: a scope nobody graded is no good news.
    grade BIGINT NOT NULL,
    last_used_sort BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    stale_since BIGINT,
    gone_at BIGINT,
    run_id {text} NOT NULL,
    review {text} NOT NULL,
    review_at BIGINT,
    review_by {text},
    UNIQUE (instance_id, id)
);
CREATE INDEX plugins_there ON plugins (instance_id, gone_at);

CREATE TABLE drift (
    id {text} PRIMARY KEY,
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    run_id {text} NOT NULL,
    dataset {text} NOT NULL,
    resource {text} NOT NULL,
    field {text},
    before_value {text},
    after_value {text},
    search {text} NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX drift_instance ON drift (instance_id, at, id);

CREATE TABLE audit (
    id {text} PRIMARY KEY,
    at BIGINT NOT NULL,
    operator_id {text},
    by_name {text} NOT NULL,
    action {text} NOT NULL,
    instance_id {text},
    target {text} NOT NULL,
    detail {text} NOT NULL,
    search {text} NOT NULL
);
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_instance ON audit (instance_id, at);
