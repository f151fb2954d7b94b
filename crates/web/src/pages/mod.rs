//! The pages. Each stands in a folder of its own: the handler beside its templates.

mod accounts;
pub(crate) mod application;
mod applications;
mod audit;
mod checks;
mod entrance;
mod exceptions;
mod export;
mod findings;
mod identities;
mod notifications;
pub(crate) mod onboard;
mod owners;
mod people;
mod plugins;
pub(crate) mod settings;

use axum::Router;

use crate::Web;

/// The routes of all pages.
pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .merge(entrance::routes())
        .merge(applications::routes())
        .merge(application::routes())
        .merge(settings::routes())
        .merge(onboard::routes())
        .merge(findings::routes())
        .merge(accounts::routes())
        .merge(people::routes())
        .merge(plugins::routes())
        .merge(exceptions::routes())
        .merge(identities::routes())
        .merge(checks::routes())
        .merge(notifications::routes())
        .merge(owners::routes())
        .merge(audit::routes())
}
