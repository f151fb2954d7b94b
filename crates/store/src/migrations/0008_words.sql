-- The words that a search looks through, in the indexes by which the list of accounts is walked: a search reads these, and the rows of
-- what it finds, instead of each account's row. Not on PostgreSQL: its indexes refuse what is longer than a third of a page.
{sqlite} DROP INDEX accounts_username;
{sqlite} CREATE INDEX accounts_username ON accounts (username_sort, uid, search) WHERE gone_at IS NULL;
{sqlite} DROP INDEX accounts_findings;
{sqlite} CREATE INDEX accounts_findings ON accounts (open_findings, uid, search) WHERE gone_at IS NULL;
