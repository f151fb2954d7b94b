-- Who is renewing the sign-in of an instance at its vendor: one at a time, over all nodes.
CREATE TABLE renewals (
    instance_id {text} PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    holder {text} NOT NULL,
    expires_at BIGINT NOT NULL
);
