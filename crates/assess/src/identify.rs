//! Whose an account is: its five fields `identity...`, by what the application tells and the identity providers know.
//!
//! The strongest mark that finds anybody decides: an immutable id, a verified address, a further address, an operator's
//! word, the application's own. An address that the application has not verified proves nothing: anybody can enter it.
//! Nobody's is only what is known to be: where an identity provider was not read to its end, or the application did not
//! tell what it usually does, it is not known.

use std::collections::BTreeMap;

use model::account::{MATCHED, SHAPE};
use model::id::DirectoryId;
use model::identity::{By, Identity, IdentityKey, State, address};
use model::time::Timestamp;
use model::value::{Record, Value};

use crate::directories::{Directories, Found, Marks, Standing};

/// What is known of identities for one scan.
#[derive(Debug, Clone, Default)]
pub struct Identities<'a> {
    /// The identity providers; `None`: there is none.
    pub directories: Option<&'a Directories>,
    /// Set when the instance that was scanned is itself an identity provider.
    pub own: Option<&'a DirectoryId>,
    /// What operators linked by hand: the account's id, and whose it is.
    pub links: BTreeMap<&'a str, &'a IdentityKey>,
}

/// The fields of an account that a match rests on.
pub(crate) const KEYS: [&str; 4] = ["idp_id", "emails_verified", "aliases", "email"];

/// Whose an account is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Whose {
    /// This one's.
    Of { key: String, name: String, by: By, standing: Standing },
    /// Known to be nobody's.
    Nobody,
    /// Why it cannot be known.
    Unknown(String),
    /// It cannot be known, because this field of the account is not.
    Lacks(&'static str),
}

pub(crate) const NONE_ONBOARDED: &str = "no identity provider is onboarded, so Parapet cannot tell which accounts it provisioned; mark an application as identity provider, or upload a list of people";
const SEVERAL: &str = "more than one identity fits it; link it by hand to the right one";
const LOOKS_LIKE: &str = "it looks like the account of an identity by an address that the application has not verified; link it by hand, or have the address verified";
const NOT_FOUND: &str = "the application says that an identity provider made it, and none that is onboarded knows it by what the application tells; link it by hand, or onboard that identity provider";
const NO_MARK: &str = "the application tells neither an address nor an immutable id of it; link it by hand";

/// What one account says about itself.
struct Told<'a> {
    record: &'a Record,
    marks: Marks,
    /// Addresses that prove nothing.
    unverified: Vec<String>,
    linked: Option<bool>,
}

fn get<'a>(record: &'a Record, name: &str) -> &'a Value {
    record.get(&SHAPE, name)
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::List(list) => list.items.iter().filter_map(Value::as_str).filter_map(address).collect(),
        _ => Vec::new(),
    }
}

impl<'a> Told<'a> {
    fn of(record: &'a Record) -> Self {
        let text = |name| get(record, name).as_str().filter(|text: &&str| !text.is_empty());
        let id = text("idp_id");
        let mut addresses = list(get(record, "emails_verified"));
        // The name by which an identity provider signed the person in: it vouched for it.
        addresses.extend(id.and_then(address));
        let entered = [text("email"), text("username")].into_iter().flatten().filter_map(address);
        let unverified = entered.filter(|address| !addresses.contains(address)).collect();
        Self {
            record,
            marks: Marks {
                ids: id.map(str::to_owned).into_iter().collect(),
                addresses,
                aliases: list(get(record, "aliases")),
            },
            unverified,
            linked: get(record, "idp_linked").as_bool(),
        }
    }

    /// A field that the application usually tells and that is not known, or not to its end.
    fn lacking(&self, mapped: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        KEYS.into_iter().find(|name| {
            let whole = match get(self.record, name) {
                Value::Unknown => false,
                Value::List(list) => list.complete,
                _ => true,
            };
            mapped(name) && !whole
        })
    }

    /// Nothing by which it could be recognised is told, and nothing is known not to exist.
    fn is_mute(&self) -> bool {
        let said = KEYS.into_iter().any(|name| !get(self.record, name).is_unknown());
        !said && self.unverified.is_empty()
    }
}

/// Whose this account is. `mapped`: whether the application's manifest fills a field at all for such records.
pub(crate) fn whose(
    known: &Identities<'_>,
    record: &Record,
    mapped: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Whose {
    let Some(directories) = known.directories.filter(|directories| !directories.is_empty()) else {
        return Whose::Unknown(NONE_ONBOARDED.to_owned());
    };
    if let Some(own) = known.own {
        return of_identity_provider(directories, own, record, now);
    }
    let told = Told::of(record);
    let link = get(record, "id").as_str().and_then(|id| known.links.get(id)).copied();
    let linked = link.and_then(|key| directories.by_key(key));
    let by_hand = |person| of(directories, person, By::Hand, None, now);
    let entered = || {
        let by_address = directories.by_address(&told.unverified);
        if by_address == Found::Nobody { directories.by_alias(&told.unverified, &[]) } else { by_address }
    };
    let marks = &told.marks;
    for (found, by) in [
        (directories.by_id(&marks.ids), By::ImmutableId),
        (directories.by_address(&marks.addresses), By::VerifiedAddress),
        (directories.by_alias(&marks.addresses, &marks.aliases), By::Alias),
    ] {
        match (found, linked) {
            (Found::One(person), _) => return of(directories, person, by, None, now),
            (Found::Several, Some(person)) => return by_hand(person),
            (Found::Several, None) => return Whose::Unknown(SEVERAL.to_owned()),
            (Found::Nobody, _) => {}
        }
    }
    if let Some(person) = linked {
        return by_hand(person);
    }
    if let Some(gone) = link.and_then(|key| linked_to_nobody(directories, key, now)) {
        return gone;
    }
    match (entered(), told.linked) {
        (Found::One(person), Some(true)) => of(directories, person, By::Application, None, now),
        (Found::Several, Some(true)) => Whose::Unknown(SEVERAL.to_owned()),
        (Found::One(_) | Found::Several, _) => Whose::Unknown(LOOKS_LIKE.to_owned()),
        (Found::Nobody, _) => nobody(directories, &told, mapped, now),
    }
}

/// Whether an account that nothing was found for is known to be nobody's.
fn nobody(
    directories: &Directories,
    told: &Told<'_>,
    mapped: &dyn Fn(&str) -> bool,
    now: Timestamp,
) -> Whose {
    if let Some(lack) = directories.lack(usize::MAX, now) {
        return Whose::Unknown(lack);
    }
    match told.linked {
        // Where the application itself says that no identity provider made it, what it did not tell besides changes nothing.
        Some(false) => Whose::Nobody,
        Some(true) => Whose::Unknown(NOT_FOUND.to_owned()),
        None => match told.lacking(mapped) {
            Some(field) => Whose::Lacks(field),
            None if told.is_mute() => Whose::Unknown(NO_MARK.to_owned()),
            None => Whose::Nobody,
        },
    }
}

/// An account that was linked by hand with somebody whom the identity provider does not have (any more).
fn linked_to_nobody(directories: &Directories, key: &IdentityKey, now: Timestamp) -> Option<Whose> {
    // The link of an identity provider that is not one any more says nothing.
    let place = directories.place(&key.directory)?;
    let lack = directories.lack_of(place, now);
    let standing = lack.map_or(Standing::Is(State::Removed), Standing::Unknown);
    Some(Whose::Of { key: key.to_string(), name: key.id.clone(), by: By::Hand, standing })
}

/// An account of an identity provider is an identity, unless one that was marked before knows it: then it came from there.
fn of_identity_provider(
    directories: &Directories,
    own: &DirectoryId,
    record: &Record,
    now: Timestamp,
) -> Whose {
    let Some(identity) = Identity::of_account(record, now, false) else {
        return Whose::Lacks("id");
    };
    let place = directories.place(own);
    let earlier = |person: usize| {
        let first = directories.person(person).map(|person| person.first);
        place.zip(first).is_some_and(|(own, first)| first < own)
    };
    let key = IdentityKey { directory: own.clone(), id: identity.id.clone() };
    // One that came since the identity providers were last looked at is looked for as it is.
    let found = directories.joined(&key).or_else(|| match directories.by_key(&key) {
        Some(_) => None,
        None => directories.search(&Marks::of(&identity), &earlier),
    });
    if let Some((person, by)) = found {
        return of(directories, person, by, place, now);
    }
    if let Some(lack) = directories.lack(place.unwrap_or(0), now) {
        return Whose::Unknown(lack);
    }
    let standing = identity.state.map_or_else(
        || Standing::Unknown("the identity provider does not tell whether the identity is active".to_owned()),
        Standing::Is,
    );
    Whose::Of { key: key.to_string(), name: identity.name().to_owned(), by: By::Itself, standing }
}

fn of(directories: &Directories, person: usize, by: By, besides: Option<usize>, now: Timestamp) -> Whose {
    match directories.person(person) {
        Some(known) => Whose::Of {
            key: known.key.to_string(),
            name: known.name.clone(),
            by,
            standing: directories.standing(person, besides, now),
        },
        None => Whose::Nobody,
    }
}

/// Writes the answer into the account's five fields.
pub(crate) fn fill(record: &mut Record, whose: &Whose) {
    let mut values = [Value::Unknown, Value::Unknown, Value::Unknown, Value::Unknown, Value::Null];
    match whose {
        Whose::Of { key, name, by, standing } => {
            values[0] = Value::string(key.as_str());
            values[1] = Value::string(name.as_str());
            values[2] = Value::string(by.as_str());
            match standing {
                Standing::Is(state) => values[3] = Value::string(state.as_str()),
                Standing::Unknown(why) => values[4] = Value::string(why.as_str()),
            }
        }
        Whose::Nobody => values = [const { Value::Null }; 5],
        Whose::Unknown(why) => values[4] = Value::string(why.as_str()),
        Whose::Lacks(field) => values[4] = Value::string(format!("its field {field} is not known")),
    }
    for (name, value) in MATCHED.into_iter().zip(values) {
        if let Some(slot) = SHAPE.field(name).and_then(|(at, _)| record.values.get_mut(at)) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests;
