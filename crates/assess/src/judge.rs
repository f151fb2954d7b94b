//! Asking every check about every record.

mod table;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{Check, judge};
use expr::{Bound, DatasetView, Inputs, Truth};
use model::finding::{CheckResult, CheckTally, Evidence, Outcome};
use model::time::Timestamp;
use model::value::{Record, Value};

use crate::canonical::Canonicals;
use crate::explain::{Explained, Explainer, not_asked};
use crate::judge::table::{Table, Whole, table};
use crate::reading::Reading;
use crate::{Detail, Prior};

/// All answers.
pub(crate) struct Verdicts {
    pub(crate) results: Vec<CheckResult>,
    pub(crate) tallies: Vec<CheckTally>,
    pub(crate) by_check: BTreeMap<String, Verdict>,
}

/// What a check says about resources with findings.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Whether everything there is was looked at: only then is a resource that was not met gone.
    pub(crate) complete: bool,
    pub(crate) looked: BTreeMap<String, Looked>,
}

/// What was seen of a resource, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Looked {
    /// It passes, or the question does not arise any more.
    Settled,
    /// It could not be judged.
    Open,
    /// It fails.
    Fails,
}

/// One check with everything it needs to be asked.
struct Asker<'a> {
    check: &'a Check,
    /// What it asks about, as its answers say it.
    over: Arc<str>,
    when: Option<Bound<'a>>,
    pass: Bound<'a>,
    explain: Explainer<'a>,
    /// Resources about which it had findings.
    open: BTreeSet<&'a str>,
}

/// What it has said.
struct Asked {
    tally: CheckTally,
    /// Why it could not be told, and of how many records.
    doubts: Reasons,
    /// The same for what does not apply.
    exempt: Reasons,
    needs: BTreeSet<String>,
    results: Vec<CheckResult>,
    /// Positions in `results`; empty once all records were asked about.
    by_resource: BTreeMap<Arc<str>, usize>,
    /// The last evidence and permissions: of records of which the same is not known they are the same, too.
    evidence: Arc<[Evidence]>,
    permissions: Arc<[String]>,
    verdict: Verdict,
}

/// Reasons in the words of the tally, and how many records have them.
type Reasons = BTreeMap<Arc<str>, u64>;

/// Reasons why a check does not apply are told apart up to here; then those that a single record has are let go.
const MOST_REASONS: usize = 256;

/// Asks all checks of the scan.
pub(crate) fn all(
    reading: &Reading<'_>,
    canonical: &Canonicals,
    prior: &Prior<'_>,
    now: Timestamp,
    detail: Detail,
) -> Verdicts {
    let views = views(reading, canonical);
    let checks: Vec<&Check> = reading.app.checks_of(reading.kind).map(AsRef::as_ref).collect();
    let params: Vec<BTreeMap<String, Value>> =
        checks.iter().map(|check| parameters(check, reading)).collect();
    let mut asked: Vec<Option<Asked>> = checks.iter().map(|_| None).collect();
    for first in 0..checks.len() {
        if asked[first].is_some() {
            continue;
        }
        // All checks about the same records at once: a record is fetched from memory once.
        let over = &checks[first].over;
        let group: Vec<usize> = (first..checks.len()).filter(|at| checks[*at].over == *over).collect();
        let table = table(over, reading, canonical);
        let over: Arc<str> = over.as_str().into();
        let askers: Vec<Asker<'_>> = group
            .iter()
            .map(|at| {
                let check = checks[*at];
                let inputs = Inputs { datasets: &views, params: &params[*at], now };
                let of_check = prior.open.iter().filter(|finding| *finding.check == check.id);
                Asker {
                    check,
                    over: Arc::clone(&over),
                    when: check.when.as_ref().map(|when| when.bind(&inputs)),
                    pass: check.pass.bind(&inputs),
                    explain: Explainer {
                        check,
                        reading,
                        canonical,
                        views: &views,
                        params: &params[*at],
                        now,
                        fields: RefCell::default(),
                    },
                    open: of_check.map(|finding| finding.resource).collect(),
                }
            })
            .collect();
        for (at, done) in group.into_iter().zip(ask(&table, &askers, detail)) {
            asked[at] = Some(done);
        }
    }
    let mut verdicts = Verdicts { results: Vec::new(), tallies: Vec::new(), by_check: BTreeMap::new() };
    for (check, asked) in checks.iter().zip(asked.into_iter().flatten()) {
        let Asked { mut tally, doubts, exempt, needs, results, verdict, .. } = asked;
        // Where there is a doubt, that is what the tally must explain.
        let reasons = if doubts.is_empty() { exempt } else { doubts };
        let most = |a: &(Arc<str>, u64), b: &(Arc<str>, u64)| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0));
        tally.reason = reasons.into_iter().max_by(most).map(|(reason, _)| reason.to_string());
        tally.needs = needs.into_iter().collect();
        verdicts.results.extend(results);
        verdicts.tallies.push(tally);
        verdicts.by_check.insert(check.id.as_str().to_owned(), verdict);
    }
    verdicts
}

/// The datasets as checks see them, the canonical ones among them.
fn views<'v>(reading: &'v Reading<'_>, canonical: &'v Canonicals) -> BTreeMap<String, DatasetView<'v>> {
    let mut views = reading.views();
    for (name, made) in [("account", &canonical.accounts), ("plugin", &canonical.plugins)] {
        if !made.is_unmapped() {
            let view = match made.lack.as_ref().or(made.not_applicable.as_ref()) {
                None => DatasetView::complete(&made.shape, &made.records),
                Some(reason) => DatasetView::incomplete(&made.shape, &made.records, reason.as_str()),
            };
            views.insert(name.to_owned(), view);
        }
    }
    views
}

/// The parameters of a check: as configured for the instance, else the default.
fn parameters(check: &Check, reading: &Reading<'_>) -> BTreeMap<String, Value> {
    let given = reading.instance.params.get(&check.id);
    let value = |(name, param): (&String, &catalog::Param)| {
        let value = given.and_then(|given| given.get(name)).unwrap_or(&param.default);
        (name.clone(), value.clone())
    };
    check.params.iter().map(value).collect()
}

/// Asks all checks about one table.
fn ask(table: &Table<'_>, askers: &[Asker<'_>], detail: Detail) -> Vec<Asked> {
    let mut asked: Vec<Asked> = askers.iter().map(|asker| Asked::new(asker.check)).collect();
    for (at, record) in table.records.iter().enumerate() {
        let mut name: Option<Option<Arc<str>>> = None;
        for (asker, asked) in askers.iter().zip(&mut asked) {
            let outcome = asker.outcome(record);
            if outcome == Outcome::Pass && detail == Detail::Findings && asker.open.is_empty() {
                asked.tally.pass += 1;
                continue;
            }
            let name = name.get_or_insert_with(|| table.resource(record, at));
            match name {
                Some(name) => asker.say(asked, table, record, name, outcome, detail),
                None => asked.unnamed(asker.check, table, at),
            }
        }
    }
    // A record without a key may be any resource, so that none is known to be gone.
    let unnamed =
        table.key.is_some_and(|key| table.records.iter().any(|record| !is_key(record.values.get(key))));
    for (asker, asked) in askers.iter().zip(&mut asked) {
        asked.verdict.complete = matches!(table.whole, Whole::Complete) && !unnamed;
        match &table.whole {
            Whole::Complete if table.records.is_empty() => {
                let reason = format!("{}: there are none", table.title);
                let looked = match asker.check.on_empty {
                    Outcome::Fail => Looked::Fails,
                    Outcome::Inconclusive => Looked::Open,
                    Outcome::Pass | Outcome::NotApplicable => Looked::Settled,
                };
                asked.whole(asker.check, table, (asker.check.on_empty, looked), reason, &[], 1);
            }
            Whole::Complete => {}
            Whole::Short { reason, needs, lacking } => {
                let open = (Outcome::Inconclusive, Looked::Open);
                asked.whole(asker.check, table, open, reason.clone(), needs, *lacking);
            }
            Whole::NotApplicable(reason) => {
                // What a plan does not have any more has not become better.
                let open = (Outcome::NotApplicable, Looked::Open);
                asked.whole(asker.check, table, open, reason.clone(), &[], 1);
            }
        }
        asked.by_resource = BTreeMap::new();
        asked.results.shrink_to_fit();
    }
    asked
}

/// Whether a value tells a record from others.
const fn is_key(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::String(_) | Value::Int(_)))
}

impl Asker<'_> {
    fn outcome(&self, record: &Record) -> Outcome {
        let when: Option<Truth> = self.when.as_ref().map(|when| when.test(Some(record)));
        judge(when, || self.pass.test(Some(record)))
    }

    /// Writes down an answer about a named record.
    fn say(
        &self,
        asked: &mut Asked,
        table: &Table<'_>,
        record: &Record,
        name: &Arc<str>,
        outcome: Outcome,
        detail: Detail,
    ) {
        if outcome == Outcome::Pass && detail == Detail::Findings {
            asked.tally.pass += 1;
            self.looked(asked, name, Looked::Settled);
            return;
        }
        // What decided, asked again with the evidence: `when` where it did not hold, else the question itself.
        let when = self.when.as_ref().map(|when| when.eval(Some(record)));
        let evaluation = match when {
            Some(when) if when.truth() != Truth::True => when,
            _ => self.pass.eval(Some(record)),
        };
        if outcome == Outcome::NotApplicable && detail == Detail::Findings {
            // Known not to be in question, of most records by most checks: counted like a pass, with the reason.
            asked.count(outcome, 1, Some(&not_asked(&evaluation)), &[]);
            self.looked(asked, name, Looked::Settled);
            return;
        }
        let Explained { outcome, says, reason, evidence, needs } =
            self.explain.explain(outcome, &evaluation, table.shape, record, name);
        self.looked(
            asked,
            name,
            match outcome {
                Outcome::Fail => Looked::Fails,
                Outcome::Inconclusive => Looked::Open,
                Outcome::Pass => Looked::Settled,
                // Not asked because the record is known to be out of question; a plan that lacks a feature settles nothing.
                Outcome::NotApplicable if evaluation.truth() == Truth::False => Looked::Settled,
                Outcome::NotApplicable => Looked::Open,
            },
        );
        let reason = asked.count(outcome, 1, reason.as_deref(), &needs);
        let says = match reason {
            Some(reason) if *reason == *says => reason,
            _ => says.into(),
        };
        let (evidence, needs) = asked.shared(evidence, needs);
        asked.put(CheckResult { resource: Arc::clone(name), outcome, says, evidence, needs, ..self.blank() });
    }

    /// An answer that says nothing yet.
    fn blank(&self) -> CheckResult {
        blank(self.check, Arc::clone(&self.over))
    }

    fn looked(&self, asked: &mut Asked, name: &str, looked: Looked) {
        if self.open.contains(name) {
            let seen = asked.verdict.looked.entry(name.to_owned()).or_insert(looked);
            *seen = (*seen).max(looked);
        }
    }
}

impl Asked {
    fn new(check: &Check) -> Self {
        Self {
            tally: CheckTally {
                check: check.id.clone(),
                revision: check.revision,
                pass: 0,
                fail: 0,
                inconclusive: 0,
                not_applicable: 0,
                reason: None,
                needs: Vec::new(),
            },
            doubts: Reasons::new(),
            exempt: Reasons::new(),
            needs: BTreeSet::new(),
            results: Vec::new(),
            by_resource: BTreeMap::new(),
            evidence: Arc::default(),
            permissions: Arc::default(),
            verdict: Verdict::default(),
        }
    }

    /// Counts records, and gives back the text that stands for all the same reasons.
    fn count(
        &mut self,
        outcome: Outcome,
        records: u64,
        reason: Option<&str>,
        needs: &[String],
    ) -> Option<Arc<str>> {
        match outcome {
            Outcome::Pass => self.tally.pass += records,
            Outcome::Fail => self.tally.fail += records,
            Outcome::Inconclusive => self.tally.inconclusive += records,
            Outcome::NotApplicable => self.tally.not_applicable += records,
        }
        for need in needs {
            if !self.needs.contains(need) {
                self.needs.insert(need.clone());
            }
        }
        let reason = reason?;
        let reasons = if outcome == Outcome::Inconclusive { &mut self.doubts } else { &mut self.exempt };
        let kept = remember(reasons, reason, records);
        if outcome == Outcome::NotApplicable && reasons.len() > MOST_REASONS {
            // The tally tells the most frequent reason. One that quotes what only this record has is not going to be it.
            reasons.retain(|told, records| *records > 1 || Arc::ptr_eq(told, &kept));
        }
        Some(kept)
    }

    /// What the answer before rests on, where this one rests on the same.
    fn shared(&mut self, evidence: Vec<Evidence>, needs: Vec<String>) -> (Arc<[Evidence]>, Arc<[String]>) {
        if *self.evidence != *evidence {
            self.evidence = evidence.into();
        }
        if *self.permissions != *needs {
            self.permissions = needs.into();
        }
        (Arc::clone(&self.evidence), Arc::clone(&self.permissions))
    }

    /// Keeps the gravest answer about a resource.
    fn put(&mut self, result: CheckResult) {
        match self.by_resource.get(&result.resource) {
            Some(at) if grave(self.results[*at].outcome) >= grave(result.outcome) => {}
            Some(at) => self.results[*at] = result,
            None => {
                self.by_resource.insert(result.resource.clone(), self.results.len());
                self.results.push(result);
            }
        }
    }

    /// An answer about the table as a whole; its resource is the tenant.
    fn whole(
        &mut self,
        check: &Check,
        table: &Table<'_>,
        (outcome, looked): (Outcome, Looked),
        reason: String,
        needs: &[String],
        records: u64,
    ) {
        let told = matches!(outcome, Outcome::Inconclusive | Outcome::NotApplicable).then_some(&*reason);
        self.count(outcome, records, told, needs);
        let seen = self.verdict.looked.entry(table.tenant.to_owned()).or_insert(looked);
        *seen = (*seen).max(looked);
        if outcome == Outcome::Pass {
            return;
        }
        self.put(CheckResult {
            resource: table.tenant.into(),
            outcome,
            says: reason.into(),
            needs: needs.into(),
            ..blank(check, check.over.as_str().into())
        });
    }

    /// A record that cannot be told from others: nothing can be filed under it.
    fn unnamed(&mut self, check: &Check, table: &Table<'_>, at: usize) {
        let reason = format!("{}: record {} has no key", table.title, at + 1);
        self.count(Outcome::Inconclusive, 1, Some(&reason), &[]);
        self.put(CheckResult {
            resource: format!("{}#{}", table.tenant, at + 1).into(),
            says: reason.into(),
            ..blank(check, check.over.as_str().into())
        });
    }
}

/// Counts records under a reason; gives back the text that stands for all the same.
fn remember(reasons: &mut Reasons, reason: &str, records: u64) -> Arc<str> {
    let kept = reasons.get_key_value(reason).map_or_else(|| reason.into(), |(kept, _)| Arc::clone(kept));
    *reasons.entry(Arc::clone(&kept)).or_default() += records;
    kept
}

/// An answer of a check that says nothing yet, about nothing.
fn blank(check: &Check, over: Arc<str>) -> CheckResult {
    CheckResult {
        check: check.id.clone(),
        revision: check.revision,
        scan: check.scan,
        resource: Arc::default(),
        resource_kind: over,
        outcome: Outcome::Inconclusive,
        severity: check.severity,
        says: Arc::default(),
        evidence: Arc::default(),
        needs: Arc::default(),
    }
}

const fn grave(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotApplicable => 0,
        Outcome::Pass => 1,
        Outcome::Inconclusive => 2,
        Outcome::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reason_is_told_among_thousands_that_one_record_has() {
        let loaded = catalog::Catalog::builtin().catalog;
        let check =
            loaded.apps.values().flat_map(|app| &app.checks).next().expect("the catalogue has checks");
        let mut asked = Asked::new(check);
        for n in 0..3_000 {
            let own = format!("does not apply: id is {n}");
            let reason = if n % 100 < 2 { "does not apply: state is \"suspended\"" } else { &own };
            asked.count(Outcome::NotApplicable, 1, Some(reason), &[]);
        }
        assert_eq!(asked.tally.not_applicable, 3_000);
        assert!(asked.exempt.len() <= MOST_REASONS, "{}", asked.exempt.len());
        let most = asked.exempt.iter().max_by_key(|(_, records)| **records).expect("reasons");
        assert_eq!((&**most.0, *most.1), ("does not apply: state is \"suspended\"", 60));
    }
}
