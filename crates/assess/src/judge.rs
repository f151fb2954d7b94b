//! Asking every check about every record.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Check, Over, judge};
use expr::{Bound, DatasetView, Inputs, Truth};
use model::dataset::Availability;
use model::finding::{CheckResult, CheckTally, Outcome};
use model::time::Timestamp;
use model::value::{Record, Shape, Value};

use crate::canonical::Canonicals;
use crate::drift::resource;
use crate::explain::{Explained, Explainer};
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

/// What checks ask about.
struct Table<'a> {
    title: String,
    shape: &'a Shape,
    records: &'a [Record],
    key: Option<usize>,
    tenant: &'a str,
    whole: Whole,
}

/// How much of a table there is.
enum Whole {
    Complete,
    Short { reason: String, needs: Vec<String>, lacking: u64 },
    NotApplicable(String),
}

impl Table<'_> {
    /// By what a record is known; `None` when it cannot be told.
    fn resource(&self, record: &Record, at: usize) -> Option<String> {
        match self.key {
            Some(key) => resource(record.values.get(key)?),
            None if self.records.len() == 1 => Some(self.tenant.to_owned()),
            None => Some(format!("{}#{}", self.tenant, at + 1)),
        }
    }
}

/// One check with everything it needs to be asked.
struct Asker<'a> {
    check: &'a Check,
    when: Option<Bound<'a>>,
    pass: Bound<'a>,
    explain: Explainer<'a>,
    /// Resources about which it had findings.
    open: BTreeSet<&'a str>,
}

/// What it has said.
struct Asked {
    tally: CheckTally,
    /// Doubts apart from what does not apply: where there is a doubt, that is what the tally must explain.
    reasons: BTreeMap<(bool, String), u64>,
    needs: BTreeSet<String>,
    results: Vec<CheckResult>,
    /// Positions in `results`.
    by_resource: BTreeMap<String, usize>,
    verdict: Verdict,
}

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
        let askers: Vec<Asker<'_>> = group
            .iter()
            .map(|at| {
                let check = checks[*at];
                let inputs = Inputs { datasets: &views, params: &params[*at], now };
                let of_check = prior.open.iter().filter(|finding| *finding.check == check.id);
                Asker {
                    check,
                    when: check.when.as_ref().map(|when| when.bind(&inputs)),
                    pass: check.pass.bind(&inputs),
                    explain: Explainer {
                        check,
                        reading,
                        canonical,
                        views: &views,
                        params: &params[*at],
                        now,
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
        let Asked { mut tally, reasons, needs, results, verdict, .. } = asked;
        let most = |a: &((bool, String), u64), b: &((bool, String), u64)| {
            a.0.0.cmp(&b.0.0).then(a.1.cmp(&b.1)).then_with(|| b.0.1.cmp(&a.0.1))
        };
        tally.reason = reasons.into_iter().max_by(most).map(|((_, reason), _)| reason);
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

fn table<'a>(over: &Over, reading: &'a Reading<'_>, canonical: &'a Canonicals) -> Table<'a> {
    let tenant = reading.instance.tenant_uid;
    let made = match over {
        Over::Account => Some(("accounts", &canonical.accounts)),
        Over::Plugin => Some(("plugins", &canonical.plugins)),
        Over::Dataset(_) => None,
    };
    if let Some((title, made)) = made {
        let whole = match (&made.not_applicable, &made.lack) {
            (Some(reason), _) => Whole::NotApplicable(reason.clone()),
            (None, Some(reason)) => Whole::Short {
                reason: reason.clone(),
                needs: made.needs.clone(),
                lacking: made.lacking.max(1),
            },
            (None, None) if made.is_unmapped() => {
                Whole::Short { reason: format!("this scan reads no {title}"), needs: Vec::new(), lacking: 1 }
            }
            (None, None) => Whole::Complete,
        };
        let key = made.shape.field("id").map(|(at, _)| at);
        return Table {
            title: title.to_owned(),
            shape: &made.shape,
            records: &made.records,
            key,
            tenant,
            whole,
        };
    }
    let Some(read) = reading.datasets.get(over.as_str()) else {
        let whole = Whole::Short {
            reason: format!("{}: this scan does not read it", over.as_str()),
            needs: Vec::new(),
            lacking: 1,
        };
        return Table {
            title: over.as_str().to_owned(),
            shape: &NOTHING,
            records: &[],
            key: None,
            tenant,
            whole,
        };
    };
    let whole = match (&read.availability, read.lack()) {
        (Availability::NotApplicable { reason }, _) => {
            Whole::NotApplicable(reason.trim_end_matches('.').to_owned())
        }
        (_, Some(reason)) => {
            Whole::Short { reason, needs: read.needs(reading.instance.auth), lacking: read.lacking() }
        }
        (_, None) => Whole::Complete,
    };
    let key = read.spec.spec.key.as_deref().and_then(|key| read.spec.shape.field(key)).map(|(at, _)| at);
    let title = read.spec.spec.title.clone();
    Table { title, shape: &read.spec.shape, records: read.records(), key, tenant, whole }
}

static NOTHING: Shape = Shape { fields: Vec::new() };

/// Asks all checks about one table.
fn ask(table: &Table<'_>, askers: &[Asker<'_>], detail: Detail) -> Vec<Asked> {
    let mut asked: Vec<Asked> = askers.iter().map(|asker| Asked::new(asker.check)).collect();
    for (at, record) in table.records.iter().enumerate() {
        let mut name: Option<Option<String>> = None;
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
        name: &str,
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
        asked.count(outcome, 1, reason, &needs);
        asked.put(CheckResult {
            check: self.check.id.clone(),
            revision: self.check.revision,
            scan: self.check.scan,
            resource: name.to_owned(),
            resource_kind: self.check.over.as_str().to_owned(),
            outcome,
            severity: self.check.severity,
            says,
            evidence,
            needs,
        });
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
            reasons: BTreeMap::new(),
            needs: BTreeSet::new(),
            results: Vec::new(),
            by_resource: BTreeMap::new(),
            verdict: Verdict::default(),
        }
    }

    fn count(&mut self, outcome: Outcome, records: u64, reason: Option<String>, needs: &[String]) {
        match outcome {
            Outcome::Pass => self.tally.pass += records,
            Outcome::Fail => self.tally.fail += records,
            Outcome::Inconclusive => self.tally.inconclusive += records,
            Outcome::NotApplicable => self.tally.not_applicable += records,
        }
        if let Some(reason) = reason {
            *self.reasons.entry((outcome == Outcome::Inconclusive, reason)).or_default() += records;
        }
        self.needs.extend(needs.iter().cloned());
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
        let told = matches!(outcome, Outcome::Inconclusive | Outcome::NotApplicable).then(|| reason.clone());
        self.count(outcome, records, told, needs);
        let seen = self.verdict.looked.entry(table.tenant.to_owned()).or_insert(looked);
        *seen = (*seen).max(looked);
        if outcome == Outcome::Pass {
            return;
        }
        self.put(CheckResult {
            check: check.id.clone(),
            revision: check.revision,
            scan: check.scan,
            resource: table.tenant.to_owned(),
            resource_kind: check.over.as_str().to_owned(),
            outcome,
            severity: check.severity,
            says: reason,
            evidence: Vec::new(),
            needs: needs.to_vec(),
        });
    }

    /// A record that cannot be told from others: nothing can be filed under it.
    fn unnamed(&mut self, check: &Check, table: &Table<'_>, at: usize) {
        let reason = format!("{}: record {} has no key", table.title, at + 1);
        self.count(Outcome::Inconclusive, 1, Some(reason.clone()), &[]);
        self.put(CheckResult {
            check: check.id.clone(),
            revision: check.revision,
            scan: check.scan,
            resource: format!("{}#{}", table.tenant, at + 1),
            resource_kind: check.over.as_str().to_owned(),
            outcome: Outcome::Inconclusive,
            severity: check.severity,
            says: reason,
            evidence: Vec::new(),
            needs: Vec::new(),
        });
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
