//! A simulator of SaaS tenants over loopback HTTP: vendor-shaped answers from data, with faults, growth and a clock of
//! its own. It serves the demo, the tests and the benches, and knows nothing of the engine that reads it.

pub mod cast;
pub mod company;
pub mod github;
pub mod google;
mod graphql;
pub mod keys;
pub mod microsoft365;
pub mod okta;
pub mod scim;
pub mod seed;
mod server;
pub mod tape;

pub use server::{Answer, Ask, Fault, FaultRule, Now, Server, Tenant, Vendor};
