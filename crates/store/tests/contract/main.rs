//! What the database promises, held against SQLite and PostgreSQL alike.

mod access;
mod archive;
mod commit;
mod identities;
mod leases;
mod lists;
mod model_agrees;
mod notifications;
mod params;
mod refusals;
mod secrets;
mod support;
