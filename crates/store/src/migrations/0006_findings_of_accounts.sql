-- How many open findings an account has, kept with each commit, so that the list of those at risk is read by an index. A
-- program that does not know the column leaves it as it is; the next scan of accounts by one that does puts it right.
ALTER TABLE accounts ADD COLUMN open_findings BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET open_findings = (SELECT COUNT(*) FROM findings f WHERE f.instance_id = accounts.instance_id
    AND f.kind = 'accounts' AND f.resource = accounts.id AND f.state IN ('new', 'in_progress'));
CREATE INDEX accounts_findings ON accounts (open_findings, uid) WHERE gone_at IS NULL;
