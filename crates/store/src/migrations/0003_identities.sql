-- Identity providers, whose accounts are, and what people make of accounts and plugins.

-- A marked instance (its id is that of the row) or an uploaded list.
CREATE TABLE directories (
    id {text} PRIMARY KEY,
    instance_id {text} UNIQUE REFERENCES instances (id) ON DELETE CASCADE,
    -- Of a list; an instance has a name of its own.
    name {text} NOT NULL,
    max_age_ms BIGINT NOT NULL,
    -- When it was last read to its end. NULL: never since it was marked.
    complete_at BIGINT,
    marked_at BIGINT NOT NULL,
    marked_by {text} NOT NULL
);

-- The people of uploaded lists, and whom a later list left out.
CREATE TABLE list_identities (
    directory_id {text} NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    id {text} NOT NULL,
    record {text} NOT NULL,
    search {text} NOT NULL,
    removed_at BIGINT,
    PRIMARY KEY (directory_id, id)
);

-- One row: raised by every change of what identity providers know, before anything else of the transaction.
CREATE TABLE directories_version (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO directories_version (one, version) VALUES (1, 1);

-- Whose an account is, said by an operator.
CREATE TABLE account_links (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    account_id {text} NOT NULL,
    identity_key {text} NOT NULL,
    identity_name {text} NOT NULL,
    note {text} NOT NULL,
    by_name {text} NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (instance_id, account_id)
);

-- matched, unmatched or unknown, as the last run judged it.
ALTER TABLE accounts ADD COLUMN identity_match {text} NOT NULL DEFAULT 'unknown';
ALTER TABLE accounts ADD COLUMN identity_key {text};
ALTER TABLE accounts ADD COLUMN identity_name {text};
ALTER TABLE accounts ADD COLUMN identity_state {text};
CREATE INDEX accounts_identity ON accounts (identity_key);

ALTER TABLE plugins ADD COLUMN review_note {text};
-- The same third party in several applications has the same text here.
ALTER TABLE plugins ADD COLUMN same {text} NOT NULL DEFAULT '';
CREATE INDEX plugins_same ON plugins (same);

-- Whom plugins act for, as far as the applications told.
CREATE TABLE plugin_users (
    instance_id {text} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    plugin_id {text} NOT NULL,
    user_name {text} NOT NULL,
    user_key {text} NOT NULL,
    PRIMARY KEY (instance_id, plugin_id, user_key)
);
CREATE INDEX plugin_users_user ON plugin_users (instance_id, user_key);

CREATE INDEX findings_exception ON findings (exception_expires_at);
