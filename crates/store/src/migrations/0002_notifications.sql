-- The daily digest, the outbox and alerts.

-- Minute of the owner's local day at which the digest is due: 08:00.
ALTER TABLE owners ADD COLUMN digest_minute BIGINT NOT NULL DEFAULT 480;
-- No digest on days on which all is well.
ALTER TABLE owners ADD COLUMN quiet BOOLEAN NOT NULL DEFAULT FALSE;
-- Where admins get the digest of what nobody answers for.
ALTER TABLE operators ADD COLUMN email {text};

-- One row a recipient (an owner's id, or 'admins') and local day: the claim, written in one transaction with its mails.
CREATE TABLE digests (
    recipient {text} NOT NULL,
    day {text} NOT NULL,
    made_at BIGINT NOT NULL,
    -- Changes before this were told; the next digest goes on from here.
    until_at BIGINT NOT NULL,
    subject {text} NOT NULL,
    all_clear BOOLEAN NOT NULL,
    -- 0: its reader wants none on such a day.
    mails BIGINT NOT NULL,
    PRIMARY KEY (recipient, day)
);
CREATE INDEX digests_made ON digests (made_at);

-- What waits to be sent, and what became of it. A claim is a lease with a fence, as of scans.
CREATE TABLE outbox (
    id {text} PRIMARY KEY,
    -- Order within a lane.
    seq BIGINT NOT NULL,
    -- 'mail' or a destination's id.
    destination {text} NOT NULL,
    -- Nothing of a lane is sent before what stands ahead of it.
    lane {text} NOT NULL,
    kind {text} NOT NULL,
    title {text} NOT NULL,
    addressee {text} NOT NULL,
    body {text} NOT NULL,
    created_at BIGINT NOT NULL,
    -- waiting, sent, failed.
    state {text} NOT NULL,
    next_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_holder {text},
    lease_expires_at BIGINT,
    ended_at BIGINT,
    error {text},
    error_at BIGINT
);
CREATE INDEX outbox_due ON outbox (state, next_at);
CREATE INDEX outbox_lane ON outbox (destination, lane, state, seq);

CREATE TABLE destinations (
    id {text} PRIMARY KEY,
    name {text} NOT NULL,
    name_key {text} NOT NULL UNIQUE,
    kind {text} NOT NULL,
    -- What may be shown of the address; the whole of it is sealed, for some are secrets themselves.
    shown {text} NOT NULL,
    sealed {bytes} NOT NULL,
    subscription {text} NOT NULL,
    created_at BIGINT NOT NULL,
    paused_at BIGINT,
    paused_by {text}
);

-- How 'mail' and each destination fare: facts, no words.
CREATE TABLE transports (
    id {text} PRIMARY KEY,
    failures_in_a_row BIGINT NOT NULL,
    failing_since BIGINT,
    last_success_at BIGINT,
    last_error {text},
    last_error_at BIGINT
);

-- What was last told of each instance's settled status.
CREATE TABLE watches (
    instance_id {text} PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    watch {text} NOT NULL,
    turn BIGINT NOT NULL
);

-- Things that are told once (an expiry, a run's new findings), and when sorts of alert were last told.
CREATE TABLE told (
    what {text} PRIMARY KEY,
    at BIGINT NOT NULL
);
