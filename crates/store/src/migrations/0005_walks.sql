-- Indexes by which lists are walked from end to end: each stretch begins where the last one ended, without sorting what
-- is left. The last columns are there so that counting and filtering by state need no look at the rows.

DROP INDEX findings_state;
CREATE INDEX findings_severity ON findings (severity, id, state);
CREATE INDEX findings_of ON findings (instance_id, severity, id, state);
-- Few: for digests and for retention.
CREATE INDEX findings_resolved ON findings (resolved_at) WHERE state = 'resolved';

DROP INDEX accounts_there;
CREATE INDEX accounts_username ON accounts (username_sort, uid) WHERE gone_at IS NULL;
CREATE INDEX accounts_of ON accounts (instance_id, username_sort, uid, gone_at) WHERE gone_at IS NULL;
CREATE INDEX accounts_gone ON accounts (instance_id, gone_at) WHERE gone_at IS NOT NULL;

DROP INDEX plugins_there;
CREATE INDEX plugins_grade ON plugins (grade, uid) WHERE gone_at IS NULL;
CREATE INDEX plugins_of ON plugins (instance_id, grade, uid, gone_at) WHERE gone_at IS NULL;
CREATE INDEX plugins_gone ON plugins (instance_id, gone_at) WHERE gone_at IS NOT NULL;
