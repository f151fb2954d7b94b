-- When a run was stored, by the clock that all nodes share. What it found is new since then. Without: it was stored by a program that
-- took the run's end for it.
ALTER TABLE runs ADD COLUMN stored_at BIGINT;
