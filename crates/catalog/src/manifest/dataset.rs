//! Datasets: requests, paging, fields, answers and mappings.

use std::collections::BTreeMap;

use model::scan::ScanKind;
use serde::Deserialize;

use super::auth::main;

/// One dataset: a listing or a single object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Name in checks: `members`.
    pub name: String,
    /// What people read: `Members`.
    pub title: String,
    /// The scans that read it.
    pub scans: Vec<ScanKind>,
    /// Of these, the scans that have no meaning without it.
    #[serde(default)]
    pub required: Vec<ScanKind>,
    /// Permissions it needs, by auth id, in the vendor's words; any one of the list suffices, `[]`: none is needed. To be
    /// said for every auth whose `granted` is told.
    #[serde(default)]
    pub permission: BTreeMap<String, Vec<String>>,
    /// The vendor's page that documents it.
    pub docs: String,
    /// The field that identifies a record; none for a single object.
    pub key: Option<String>,
    /// The deployments that offer it, by id; empty: all. Elsewhere it is not applicable and nothing is sent.
    #[serde(default)]
    pub deployments: Vec<String>,
    /// Read only where the operator has chosen to: for transports that the vendor does not document. Elsewhere it is not
    /// applicable and nothing is sent.
    pub opt_in: Option<OptIn>,
    /// A dataset younger than this is reused and labelled with its age; a fan-out advances across runs.
    pub refresh_hours: Option<u32>,
    /// There is always something: a listing without records counts as not understood rather than as empty.
    #[serde(default)]
    pub never_empty: bool,
    /// The full dataset of which this one is a filtered listing: when both have the same keys (and any), the server
    /// ignored the filter, and this one counts as not read.
    pub filter_of: Option<String>,
    /// Of records with the same key only the latest counts: events become what holds now.
    pub latest: Option<Latest>,
    /// Not read but worked out: what holds of settings that units inherit. Such a dataset has no requests.
    pub resolve: Option<Resolve>,
    /// Requests. Those with the same `alternative` are united; alternatives are tried in file order until one is not
    /// refused (permission, absent path, unmapped answer). Default alternative: "".
    #[serde(default)]
    pub request: Vec<Request>,
    /// Meanings of answers, before the application's.
    #[serde(default)]
    pub answer: Vec<AnswerRule>,
    /// The fields of a record, in order.
    pub field: Vec<Field>,
}

/// Inherited settings: one record for each unit and setting, with what holds there. Its fields are taken from the record
/// that wins, by `each` where they have another name there, and from the words `@unit`, `@name` (the unit as people know
/// it), `@setting`, `@key` (unit and setting with a `/` between them) and `@source` (the unit where it was set, as people
/// know it, `top` or `default`; unknown: nowhere).
///
/// Whatever could change what holds somewhere, such as a setting whose unit is not known or a unit whose parent is
/// missing, makes the whole unavailable. What was set for a unit that the tree does not name is told by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The dataset of the settings as they were made; an earlier one.
    pub from: String,
    /// Only these settings. One that is written out is told for every unit, with unknown values where nobody set it and
    /// no default holds; one with a `*` in it stands for those that somebody set.
    #[serde(default)]
    pub only: Vec<String>,
    /// Its field that names the setting.
    pub setting: String,
    /// Its field that names the unit for which it was made; null: for all.
    pub unit: String,
    /// Its field that names a part of the unit (those with a licence) for which alone it was made; null or empty: for the
    /// whole. It is told by itself, inherits nothing and hands nothing down.
    pub part: Option<String>,
    /// Its field that names something beside the units that inherits nothing, such as a group; null or
    /// empty: none.
    pub alone: Option<String>,
    /// Its field, a number, by which the greater of two settings of the same unit wins.
    pub rank: Option<String>,
    /// Its field, a map, whose entries are inherited one by one. All others are inherited with the record. `*`: every field
    /// by itself, where the setting that wins does not know it.
    pub merge: Option<String>,
    /// The dataset of the units, by its key; an earlier one. Left out: only units for which something was set, without
    /// inheritance between them.
    pub tree: Option<String>,
    /// Its field with the key of the unit above; null: a root.
    pub parent: Option<String>,
    /// Earlier datasets that know units and what stands beside them by their key, each with the field of the name that
    /// people know. Without it, or where one could not be read, names are keys.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// A file in the application's folder with what holds where nobody has set it: `[[default]]` with `setting`, `source`
    /// (the vendor's page), `fields` (field to value) and `by_field` (true: also for a field that a setting leaves out).
    /// `known` lists the vendor's settings that were looked at (`*` at the end: all that begin so): while another one
    /// exists that begins like a default's up to the first dot, that default is not believed, since its setting may have
    /// got a new name.
    pub defaults: Option<String>,
}

/// An operator's choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptIn {
    /// The setting by which it is chosen. Its default is another value, so that nobody chooses by leaving it alone.
    pub setting: String,
    /// The value that chooses it: `yes`.
    pub is: String,
}

/// Which of the records with the same key counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latest {
    /// A field, an instant or a number: the record with the greatest value counts. Of two with the same value, the one that
    /// came later. A record for which it is unknown makes the dataset count as not understood.
    pub by: String,
    /// Leave a record out that says it is over (check language over the record): `event == 'revoke'`. One for which this
    /// is unknown is kept.
    pub gone: Option<String>,
}

/// One request of a dataset.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Host by name.
    #[serde(default = "main")]
    pub host: String,
    /// Path with placeholders: settings `{organization}`, fan-out `{each.name}`. For GraphQL the endpoint's path.
    #[serde(default)]
    pub path: String,
    /// Query parameters, values with the same placeholders, and `{days_ago_3}`: the beginning of the day (UTC) that was
    /// three days ago, as RFC 3339 writes it, for listings of events. `{date_days_ago_3}` is its date alone, for reports
    /// by day; that may also stand in a path.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Request headers, such as a media type or API version. `Authorization`, `Cookie` and `Host` are refused.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A GraphQL query document in the application's folder: `members.graphql`. Sent by POST with typed variables.
    pub graphql: Option<String>,
    /// GraphQL variables, values with placeholders (strings); paging adds its own.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// A read that the vendor offers by POST only: the JSON body, fixed but for slots. A slot is a whole text value:
    /// `"{setting}"`, `"{each.field}"` with the field's own type, `"{each}"`, and with `batch` the list of values. In an
    /// application of your own only for paths that the operator has allowed (`[allow_post]`, `--allow-post`).
    pub post: Option<BTreeMap<String, toml::Value>>,
    /// Where the records are: a path to a list, to one object, or, ending in `*`, to the values of an object; `""`: the
    /// whole answer.
    #[serde(default)]
    pub records: String,
    /// Where the vendor leaves the list out that is empty: a path that stands in the answer all the same; `""`: nothing
    /// stands in it then but where the next page is. Any other answer without the list counts as not understood.
    pub empty_with: Option<String>,
    /// How to get all pages.
    #[serde(default)]
    pub paging: Paging,
    /// Fan-out: once for every record of another dataset.
    pub for_each: Option<ForEach>,
    /// Constant fields of this request's records: `{ role = "admin" }` (text, true or false, whole number).
    #[serde(default)]
    pub set: BTreeMap<String, toml::Value>,
    /// Where this request's answer has a field elsewhere than the field's own `path`: field name to path. For
    /// alternatives that answer in another shape.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
    /// What it costs of our own pace, where the vendor counts dear requests for more or has slower paces for them: as many
    /// requests as this. 1 where nothing is said.
    pub cost: Option<u32>,
    /// Name of the alternative it belongs to.
    #[serde(default)]
    pub alternative: String,
}

/// Fan-out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The dataset whose records are walked; an earlier one.
    pub dataset: String,
    /// Walk the distinct elements of this list field instead of the records; the placeholder is `{each}`.
    pub values_of: Option<String>,
    /// So many at once, as the list `{each}` in the body of `post`: the values, or the keys of the records.
    pub batch: Option<u32>,
    /// Only records for which this holds (check language). A record for which it is unknown is walked.
    #[serde(rename = "where")]
    pub filter: Option<String>,
}

/// How to get all pages. Continues only while the server says that there is more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// One answer.
    #[default]
    None,
    /// `Link: <...>; rel="next"` (RFC 8288), same origin.
    Link,
    /// The next address stands in the body, same origin.
    NextUrl {
        /// Where.
        at: String,
    },
    /// A cursor stands in the body and goes into a query parameter.
    Cursor {
        /// Where.
        at: String,
        /// Query parameter.
        param: String,
    },
    /// Numbered pages; ends with the first page shorter than `size`, or at the total.
    Page {
        /// Query parameter of the page.
        param: String,
        /// Number of the first page.
        #[serde(default = "one")]
        start: u32,
        /// Query parameter of the page size.
        size_param: Option<String>,
        /// Records a page.
        size: u32,
        /// Where the total number of records (or pages) stands, if told.
        total_at: Option<String>,
    },
    /// Offset and count (SCIM's `startIndex`).
    Offset {
        /// Query parameter of the offset.
        param: String,
        /// Offset of the first record (SCIM: 1).
        #[serde(default)]
        start: u32,
        /// Query parameter of the page size.
        size_param: Option<String>,
        /// Records a page.
        size: u32,
        /// Where the total number of records stands. Left out where the server does not tell it: then the listing ends with
        /// the first empty page, since a short one may only mean that the server gives fewer at once.
        total_at: Option<String>,
        /// Send the first request without paging parameters, and go on only if the total is larger than what came.
        /// Needs `total_at`.
        #[serde(default)]
        bare_first: bool,
    },
    /// GraphQL connection: `pageInfo { hasNextPage endCursor }`.
    Graphql {
        /// Where the `pageInfo` is.
        at: String,
        /// Variable of the cursor.
        #[serde(default = "after")]
        variable: String,
    },
}

fn one() -> u32 {
    1
}
fn after() -> String {
    "after".to_owned()
}

/// One field of a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name in checks.
    pub name: String,
    /// `bool`, `int`, `double`, `string`, `timestamp`, `duration`, `object`, `list<T>`, `map<T>` (T any of these, so that
    /// `map<list<object>>` is one).
    #[serde(rename = "type")]
    pub kind: String,
    /// Where in the record; default: the name itself. `"."`: the record itself (lists of plain values).
    pub path: Option<String>,
    /// Take it from the fan-out's record instead: the name of its field (`"."`: the walked value).
    pub each: Option<String>,
    /// Do not read it but work it out: since when the record is there, as complete readings of this instance have seen it.
    /// Of type `timestamp`, in a dataset with a `key`. Unknown in a scan that knows of no earlier one (`parapet scan`).
    pub first_seen: Option<FirstSeen>,
    /// What it means that the path leads nowhere.
    #[serde(default)]
    pub missing: Absence,
    /// What it means that it is null.
    #[serde(default)]
    pub null: Absence,
    /// Applied in order to the JSON value before typing.
    #[serde(default)]
    pub transform: Vec<Transform>,
    /// Keep only presence or a hash.
    pub sensitive: Option<Sensitive>,
    /// For lists: a path in the record (usually `...pageInfo.hasNextPage`) that is true when the list is not whole.
    pub incomplete_at: Option<String>,
    /// For `object` and `list<object>`: the nested fields.
    #[serde(default)]
    pub field: Vec<Field>,
    /// How instants are written.
    #[serde(default)]
    pub format: TimeFormat,
}

/// Since when a record is there. Counted anew when the manifest's `revision` changes. What comes back between two readings
/// has not been seen to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstSeen {
    /// What is known of that instant. A check that asks for an age asks both: see the check language.
    pub known: Known,
    /// Since when it is there with the present value of this field, such as `state`: text, a whole number, true or false.
    pub with: Option<String>,
}

/// What is known of the instant at which something was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The first complete reading that has it, after one that did not, at most 48 hours before. Unknown for whatever was
    /// there from the first reading on, and for what came in a longer gap.
    Exactly,
    /// It was there at this instant, and perhaps long before: the first of the readings in a row that all have it.
    AtLatest,
}

/// What absence means.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// We could not know.
    #[default]
    Unknown,
    /// Known to be absent (null in checks).
    Absent,
    /// This value: `missing = { value = false }`.
    Value(toml::Value),
}

/// The closed list of transforms.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Text to a list: `{ split = " " }`. Empty parts are dropped.
    Split(String),
    /// What follows the last `/`.
    LastSegment,
    /// What stands behind a text: `{ after = "id:" }`, or between two: `{ between = ["('", "')"] }`. Null, where they are
    /// not in it.
    After(String),
    /// See `after`.
    Between([String; 2]),
    /// The host of an address, lower case.
    HostOf,
    /// The scheme of an address, lower case.
    SchemeOf,
    /// Lower case. Like the other transforms of a text, of each element where a list stands.
    Lower,
    /// Whether there is a value other than null, `false`, `""`, `[]` and `{}`.
    Present,
    /// An object to a list of `key:value` texts (permissions).
    MapEntries,
    /// A list of objects to a map: `{ pivot = { key = "name", value = "value" } }`. A key with two different values is
    /// unknown; an object without its key makes the whole unknown.
    Pivot(Pivot),
    /// A length of time: `{ duration = "iso8601" }` reads `P90D` or `PT1H30M` (years and months have no length and are
    /// unknown), the other words a number in that unit.
    Duration(DurationFormat),
    /// From a list of objects, the values at this path: `{ pluck = "value" }`.
    Pluck(String),
    /// Text by a table: `{ lookup = { "0" = "false" } }`; a key that is not in the table is unknown.
    Lookup(BTreeMap<String, String>),
}

/// Where an object has the key and the value of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pivot {
    /// Path of the key: text, or what can be written as text.
    pub key: String,
    /// Path of the value.
    pub value: String,
}

/// How a length of time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurationFormat {
    /// ISO 8601: `P90D`, `PT1H30M`, `P2W`.
    Iso8601,
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days of 24 hours.
    Days,
}

/// What is kept of a sensitive field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitive {
    /// Whether it is there (type `bool`).
    Presence,
    /// A keyed hash, to see that it changed (type `string`).
    Hash,
}

/// How instants are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339 or a date.
    #[default]
    Rfc3339,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// Maps a dataset's records to a canonical dataset. Expressions are in the check language over the dataset's record;
/// other datasets as `datasets.<name>`, `now`, and settings as `params.<setting>`. A field left out is unknown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The dataset.
    pub from: String,
    /// Only records for which this is true; a record for which it is unknown is mapped.
    pub when: Option<String>,
    /// Canonical field to expression.
    pub fields: BTreeMap<String, String>,
}

/// What an answer means. All given conditions must hold; the first rule that matches decides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// HTTP status codes; empty: any.
    #[serde(default)]
    pub status: Vec<u16>,
    /// A response header that must be present...
    pub header: Option<String>,
    /// ... with exactly this value, if given.
    pub header_is: Option<String>,
    /// A path in the JSON answer that must be present...
    pub at: Option<String>,
    /// ... with exactly this text (numbers and booleans as JSON writes them) ...
    pub is: Option<String>,
    /// ... or containing this text, case-insensitively.
    pub contains: Option<String>,
    /// ... and only where an earlier dataset has nothing that speaks against it.
    pub unless_any: Option<UnlessAny>,
    /// The meaning.
    pub means: Meaning,
    /// The sentence for `not_applicable`; for others an optional detail.
    pub reason: Option<String>,
}

/// What an answer is weighed against: records of an earlier dataset. The rule counts only where that dataset was read to its
/// end and the condition is false for each of its records; where that is not known, the rule does not match.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlessAny {
    /// The dataset; an earlier one.
    pub dataset: String,
    /// What speaks against the rule (check language, over the dataset's record; settings as `params.<setting>`).
    #[serde(rename = "where")]
    pub filter: String,
}

/// Meanings of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A passing server fault: cause `remote` after the retries.
    Retry,
    /// A rate limit.
    Throttled,
    /// The credential is not accepted.
    Credentials,
    /// The credential may not read this.
    Permission,
    /// This plan, licence or version does not have it.
    NotApplicable,
    /// There is none: complete and empty.
    Absent,
    /// An ordinary answer after all.
    Value,
    /// Not understood.
    Protocol,
}
