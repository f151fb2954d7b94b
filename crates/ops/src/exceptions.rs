//! Exceptions: findings that somebody approved for a while, with the reason; they come back when it is over.

use model::finding::{FindingState, Severity};
use model::id::{FindingId, InstanceId};
use model::scan::ScanKind;
use model::time::{Duration, Timestamp};
use model::view::{
    Actor, ExceptionInput, ExceptionRow, ExceptionView, ExceptionsPage, ExceptionsQuery, NextStep,
};
use serde_json::json;
use store::Order;
use store::findings::{self, Exception, Finding, OperatorState};

use crate::findings::OPEN;
use crate::lists::{self, ROWS, empty, facet, paging, sort};
use crate::refusal::{Result, conflict, internal, invalid, must_be_admin, store as from_store};
use crate::{Ops, audit};

/// How long an exception may last, and when it is about to end.
const LONGEST: Duration = Duration::days(366);
const SOON: Duration = Duration::days(14);

pub(crate) fn filter(query: &ExceptionsQuery, now: Timestamp) -> findings::Filter {
    findings::Filter {
        instance: query.instance.clone(),
        app: query.app.clone(),
        severities: query.severity.into_iter().collect(),
        states: vec![FindingState::Suppressed],
        exception_ends_before: query.soon.filter(|soon| *soon).map(|_| now + SOON),
        text: query.search.clone().filter(|s| !s.trim().is_empty()),
        ..Default::default()
    }
}

pub(crate) fn order(query: &ExceptionsQuery) -> (findings::Sort, Order) {
    let (column, order) = sort(&query.cut);
    match column {
        Some("severity") => (findings::Sort::Severity, lists::reversed(order)),
        Some("resource") => (findings::Sort::Resource, order),
        // What ends first is the natural order.
        _ => (findings::Sort::ExceptionEnds, order),
    }
}

/// What a stored finding says of its exception.
pub(crate) fn view(f: &Finding) -> Option<ExceptionView> {
    let exception = f.exception.as_ref()?;
    Some(ExceptionView {
        finding: f.id.clone(),
        reason: exception.reason.clone(),
        approver: exception.approver.clone(),
        entered: f.state_changed.clone(),
        ends_at: exception.expires_at,
    })
}

impl Ops {
    /// The Exceptions list.
    ///
    /// # Errors
    /// A cursor that cannot be used.
    pub async fn exceptions(&self, _actor: &Actor, query: &ExceptionsQuery) -> Result<ExceptionsPage> {
        let now = self.now();
        let (column, direction) = order(query);
        let wanted = filter(query, now);
        let page = findings::list(self.db(), &wanted, column, direction, lists::cut(&query.cut, ROWS)?);
        let page = page.await.map_err(from_store)?;
        let count = async |query: &ExceptionsQuery| {
            findings::count(self.db(), &filter(query, now)).await.map_err(internal)
        };
        let unfiltered = count(&ExceptionsQuery::default()).await?;
        let soon = count(&ExceptionsQuery { soon: Some(true), ..ExceptionsQuery::default() }).await?;
        let paging = paging(&page, unfiltered);
        let severities: Vec<(&str, String)> =
            Severity::ALL.into_iter().map(|s| (s.as_str(), crate::findings::capital(s.as_str()))).collect();
        let severities: Vec<(&str, &str)> = severities.iter().map(|(v, t)| (*v, t.as_str())).collect();
        let says = "No finding is excepted. A finding is excepted on its own page, with a reason, an approver and an end.";
        let row = |f: Finding| Some(ExceptionRow { exception: view(&f)?, finding: self.finding_row(f) });
        Ok(ExceptionsPage {
            now,
            soon,
            facets: vec![
                facet(
                    "soon",
                    "Ends",
                    query.soon.filter(|soon| *soon).map(|_| "yes"),
                    &[("yes", "Within two weeks")],
                ),
                facet("severity", "Severity", query.severity.map(Severity::as_str), &severities),
                self.app_facet(query.app.as_ref()),
            ],
            empty: empty(&paging, says, NextStep::Nothing),
            rows: page.rows.into_iter().filter_map(row).collect(),
            paging,
        })
    }

    /// Excepts an open finding, or changes the exception that it has.
    ///
    /// # Errors
    /// An input that cannot be used, a finding that is resolved or gone, or the role does not suffice.
    pub async fn except_finding(&self, actor: &Actor, id: &FindingId, input: &ExceptionInput) -> Result<()> {
        must_be_admin(actor)?;
        let exception = checked(input, self.now())?;
        let finding = findings::get(self.db(), id).await.map_err(from_store)?;
        self.except(actor, &finding, &exception).await?;
        self.refreshed(&finding.instance).await
    }

    async fn except(&self, actor: &Actor, finding: &Finding, exception: &Exception) -> Result<()> {
        if finding.state == FindingState::Resolved {
            return Err(conflict("This finding is resolved, so there is nothing to except.", ""));
        }
        let detail = json!({ "finding": finding.id.as_str(), "reason": exception.reason, "approver": exception.approver,
            "until": exception.expires_at.to_string() });
        let entry = audit(
            actor,
            "finding excepted",
            Some(&finding.instance),
            format!("{} on {}", finding.check, finding.resource),
            detail,
        );
        let state = OperatorState::Suppressed(exception.clone());
        findings::set_state(self.db(), &finding.id, &state, &actor.name, self.now(), entry)
            .await
            .map_err(from_store)
    }

    /// Ends an exception before its time: the finding is open again.
    ///
    /// # Errors
    /// When there is none, or the role does not suffice.
    pub async fn end_exception(&self, actor: &Actor, id: &FindingId) -> Result<()> {
        must_be_admin(actor)?;
        let finding = findings::get(self.db(), id).await.map_err(from_store)?;
        if finding.state != FindingState::Suppressed {
            return Err(conflict("This finding has no exception that could be ended.", ""));
        }
        let entry = audit(
            actor,
            "exception ended",
            Some(&finding.instance),
            format!("{} on {}", finding.check, finding.resource),
            json!({ "finding": id.as_str() }),
        );
        findings::set_state(self.db(), id, &OperatorState::New, &actor.name, self.now(), entry)
            .await
            .map_err(from_store)?;
        self.refreshed(&finding.instance).await
    }

    /// Notes that an account is known: what the checks on identity find about it is excepted until a day.
    ///
    /// # Errors
    /// When no such check fails for it, an input that cannot be used, or the role does not suffice.
    pub async fn account_known_until(
        &self,
        actor: &Actor,
        instance: &InstanceId,
        account: &str,
        input: &ExceptionInput,
    ) -> Result<()> {
        must_be_admin(actor)?;
        let exception = checked(input, self.now())?;
        let found = self.identity_findings(instance, account, &OPEN).await?;
        if found.is_empty() {
            return Err(conflict(
                "No check on identity fails for this account, so there is nothing to except.",
                "An account that cannot be judged is linked by hand, or its identity provider is mended.",
            ));
        }
        for finding in &found {
            self.except(actor, finding, &exception).await?;
        }
        self.refreshed(instance).await
    }

    /// Findings about an account of checks that ask whose it is.
    pub(crate) async fn identity_findings(
        &self,
        instance: &InstanceId,
        account: &str,
        states: &[FindingState],
    ) -> Result<Vec<Finding>> {
        let filter = findings::Filter {
            instance: Some(instance.clone()),
            kind: Some(ScanKind::Accounts),
            resource: Some(account.to_owned()),
            states: states.to_vec(),
            ..Default::default()
        };
        let cut = store::Cut::first(200);
        let found = findings::list(self.db(), &filter, findings::Sort::Severity, Order::Descending, cut);
        let mut rows = found.await.map_err(internal)?.rows;
        rows.retain(|f| self.check_of(f).is_some_and(|check| asks_whose(&check)));
        Ok(rows)
    }
}

/// Whether a check asks whose an account is.
fn asks_whose(check: &catalog::Check) -> bool {
    let whose = |name: &str| model::account::MATCHED.contains(&name);
    check.over == catalog::Over::Account && check.pass.uses().fields.iter().any(|f| whose(f))
}

fn checked(input: &ExceptionInput, now: Timestamp) -> Result<Exception> {
    let said = |name: &str, text: &str, most: usize| {
        let text = text.trim().to_owned();
        let length = text.chars().count();
        if length == 0 || length > most {
            let what = if name == "reason" { "Why it is accepted" } else { "Who approved it" };
            return Err(invalid(name, format!("{what} must be said, in 1 to {most} characters.")));
        }
        Ok(text)
    };
    let reason = said("reason", &input.reason, 1000)?;
    let approver = said("approver", &input.approver, 100)?;
    let until = input.until.trim();
    let day = Timestamp::parse(until).filter(|_| until.len() == 10).ok_or_else(|| {
        invalid("until", format!("\u{201c}{until}\u{201d} is not a day; write it like 2026-12-31."))
    })?;
    // The whole of the day.
    let expires_at = day + Duration::days(1);
    if expires_at <= now {
        return Err(invalid("until", "The last day of the exception is over already."));
    }
    if expires_at > now + LONGEST {
        return Err(invalid("until", "An exception lasts at most a year; it can be renewed then."));
    }
    Ok(Exception { reason, approver, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_780_000_000_000); // 2026-05-28T20:26:40Z

    fn input(reason: &str, approver: &str, until: &str) -> ExceptionInput {
        ExceptionInput { reason: reason.into(), approver: approver.into(), until: until.into() }
    }

    #[test]
    fn an_exception_says_why_by_whom_and_until_when() {
        let good = checked(&input(" agreed ", "bea", "2026-05-28"), NOW).expect("today is not over");
        assert_eq!(
            (good.reason.as_str(), good.expires_at.to_string().as_str()),
            ("agreed", "2026-05-29T00:00:00Z")
        );
        let field = |input| checked(&input, NOW).expect_err("refused").field.expect("of a field");
        assert_eq!(field(input(" ", "bea", "2026-06-01")), "reason");
        assert_eq!(field(input("agreed", "", "2026-06-01")), "approver");
        for until in ["", "tomorrow", "2026-05-27", "2027-05-30", "2026-06-01T00:00:00Z", "2026-13-01"] {
            assert_eq!(field(input("agreed", "bea", until)), "until", "{until}");
        }
    }
}
