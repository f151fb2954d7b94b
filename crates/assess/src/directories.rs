//! All identity providers together, indexed by everything that an account may be recognised by.
//!
//! A person whom two identity providers know is one person: an identity of a later one is matched with those of the
//! earlier ones, as an account would be, and is known by the earlier one's key from then on.

use std::collections::BTreeMap;

use model::id::{DirectoryId, OwnerId};
use model::identity::{By, Departed, Directory, Identity, IdentityKey, State, address};
use model::time::{Duration, Timestamp};

/// Everybody the identity providers know. Made once for all scans; [`Directories::default`] is no identity provider.
#[derive(Debug, Clone, Default)]
pub struct Directories {
    places: Vec<Place>,
    people: Vec<Person>,
    ids: Index,
    addresses: Index,
    aliases: Index,
    keys: BTreeMap<IdentityKey, usize>,
}

/// Whom a text may be: positions of people.
type Index = BTreeMap<String, Vec<usize>>;

/// One identity provider.
#[derive(Debug, Clone)]
struct Place {
    id: DirectoryId,
    name: String,
    max_age: Duration,
    complete_at: Option<Timestamp>,
}

/// One person or program.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Of the first identity provider that knows it.
    pub(crate) key: IdentityKey,
    pub(crate) name: String,
    /// Position of that identity provider.
    pub(crate) first: usize,
    members: Vec<Member>,
}

/// What one identity provider says of a person.
#[derive(Debug, Clone)]
struct Member {
    place: usize,
    id: String,
    /// By what it was found to be somebody whom an earlier one knows; `None`: it is the first.
    joined_by: Option<By>,
    state: Option<State>,
    seen_at: Timestamp,
}

/// What is found by some texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nobody,
    One(usize),
    Several,
}

/// Where a person stands, over all identity providers that may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Is(State),
    /// Why it cannot be told.
    Unknown(String),
}

/// What someone may be recognised by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) ids: Vec<String>,
    /// Addresses that whoever tells them vouches for.
    pub(crate) addresses: Vec<String>,
    pub(crate) aliases: Vec<String>,
}

impl Marks {
    /// Those of an identity: the identity provider vouches for all its addresses.
    pub(crate) fn of(identity: &Identity) -> Self {
        let compared = |texts: &[String]| texts.iter().filter_map(|text| address(text)).collect();
        let mut ids = vec![identity.id.clone()];
        ids.extend(identity.other_ids.iter().filter(|id| !id.is_empty()).cloned());
        Self { ids, addresses: compared(&identity.addresses), aliases: compared(&identity.aliases) }
    }
}

impl Directories {
    /// Indexes identity providers. Their order counts: the first that knows a person names it.
    #[must_use]
    pub fn new(directories: &[Directory]) -> Self {
        let mut all = Self::default();
        for directory in directories {
            all.add(directory);
        }
        all
    }

    fn add(&mut self, directory: &Directory) {
        let place = self.places.len();
        self.places.push(Place {
            id: directory.id.clone(),
            name: directory.name.clone(),
            max_age: directory.max_age,
            complete_at: directory.complete_at,
        });
        // Identities of one provider are never one person; only those of the ones before are looked through, and as they stood
        // before this one added to what is known of them: the order in which a provider lists its people must not count.
        let marks: Vec<Marks> = directory.identities.iter().map(Marks::of).collect();
        let found: Vec<Option<(usize, By)>> =
            marks.iter().map(|marks| self.search(marks, &|_| true)).collect();
        let mut joined: Vec<(usize, Marks)> = Vec::with_capacity(directory.identities.len());
        for ((identity, marks), found) in directory.identities.iter().zip(marks).zip(found) {
            let member = Member {
                place,
                id: identity.id.clone(),
                joined_by: found.map(|(_, by)| by),
                state: identity.state,
                seen_at: identity.seen_at,
            };
            let key = IdentityKey { directory: directory.id.clone(), id: identity.id.clone() };
            let person = match found {
                Some((person, _)) => {
                    let members = &mut self.people[person].members;
                    members.push(member);
                    members.sort_by(|a, b| (a.place, &a.id).cmp(&(b.place, &b.id)));
                    person
                }
                None => {
                    let name = identity.name().to_owned();
                    self.people.push(Person { key: key.clone(), name, first: place, members: vec![member] });
                    self.people.len() - 1
                }
            };
            self.keys.insert(key, person);
            joined.push((person, marks));
        }
        for (person, marks) in joined {
            for (index, texts) in [
                (&mut self.ids, marks.ids),
                (&mut self.addresses, marks.addresses),
                (&mut self.aliases, marks.aliases),
            ] {
                for text in texts {
                    let people = index.entry(text).or_default();
                    if !people.contains(&person) {
                        people.push(person);
                    }
                }
            }
        }
    }

    /// Whom marks that are vouched for belong to, and by what, among the people that `among` lets through. The strongest mark
    /// that finds anybody decides. Several: nobody.
    pub(crate) fn search(&self, marks: &Marks, among: &dyn Fn(usize) -> bool) -> Option<(usize, By)> {
        let by_alias = self.by_alias_all(&marks.addresses, &marks.aliases);
        let levels = [
            (self.unique(Self::all(&self.ids, &marks.ids), among), By::ImmutableId),
            (self.unique(Self::all(&self.addresses, &marks.addresses), among), By::VerifiedAddress),
            (self.unique(by_alias, among), By::Alias),
        ];
        let (found, by) = levels.into_iter().find(|(found, _)| *found != Found::Nobody)?;
        match found {
            Found::One(person) => Some((person, by)),
            Found::Nobody | Found::Several => None,
        }
    }

    fn all(index: &Index, texts: &[String]) -> Vec<usize> {
        #[cfg(test)]
        LOOKED_UP.with(|n| n.set(n.get() + texts.len()));
        texts.iter().filter_map(|text| index.get(text)).flatten().copied().collect()
    }

    fn by_alias_all(&self, addresses: &[String], aliases: &[String]) -> Vec<usize> {
        let mut found = Self::all(&self.aliases, addresses);
        found.extend(Self::all(&self.aliases, aliases));
        found.extend(Self::all(&self.addresses, aliases));
        found
    }

    /// No identity provider at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn by_id(&self, ids: &[String]) -> Found {
        self.unique(Self::all(&self.ids, ids), &|_| true)
    }

    pub(crate) fn by_address(&self, addresses: &[String]) -> Found {
        self.unique(Self::all(&self.addresses, addresses), &|_| true)
    }

    /// By a further address on either side.
    pub(crate) fn by_alias(&self, addresses: &[String], aliases: &[String]) -> Found {
        self.unique(self.by_alias_all(addresses, aliases), &|_| true)
    }

    pub(crate) fn by_key(&self, key: &IdentityKey) -> Option<usize> {
        self.keys.get(key).copied()
    }

    /// Whom an identity of a later identity provider was found to be, and by what.
    pub(crate) fn joined(&self, key: &IdentityKey) -> Option<(usize, By)> {
        let person = self.by_key(key)?;
        let place = self.place(&key.directory)?;
        let members = &self.people.get(person)?.members;
        let member = members.iter().find(|member| member.place == place && member.id == key.id)?;
        Some((person, member.joined_by?))
    }

    pub(crate) fn person(&self, at: usize) -> Option<&Person> {
        self.people.get(at)
    }

    /// The position of an identity provider.
    pub(crate) fn place(&self, id: &DirectoryId) -> Option<usize> {
        self.places.iter().position(|place| place.id == *id)
    }

    /// Whoever is not at any identity provider any more makes way for whoever is: an address may have passed on.
    fn unique(&self, mut people: Vec<usize>, among: &dyn Fn(usize) -> bool) -> Found {
        people.retain(|person| among(*person));
        people.sort_unstable();
        people.dedup();
        if people.len() > 1 {
            let there =
                |person: &usize| self.people[*person].members.iter().any(|m| m.state != Some(State::Removed));
            if people.iter().any(there) {
                people.retain(there);
            }
        }
        match people.as_slice() {
            [] => Found::Nobody,
            [one] => Found::One(*one),
            _ => Found::Several,
        }
    }

    /// Why nothing may be concluded from somebody's absence among the first so many identity providers; `None`: absence means
    /// that none of them knows him.
    pub(crate) fn lack(&self, first: usize, now: Timestamp) -> Option<String> {
        self.places.iter().take(first).find_map(|place| place.lack(now))
    }

    /// The same for one of them.
    pub(crate) fn lack_of(&self, place: usize, now: Timestamp) -> Option<String> {
        self.places.get(place)?.lack(now)
    }

    /// Where a person stands. Whoever is live at one identity provider is live; `besides` is left out of account.
    pub(crate) fn standing(&self, person: usize, besides: Option<usize>, now: Timestamp) -> Standing {
        let Some(person) = self.people.get(person) else {
            return Standing::Unknown("the identity is not known".to_owned());
        };
        let mut known: Option<Option<State>> = None;
        let mut why = None;
        for member in person.members.iter().filter(|member| Some(member.place) != besides) {
            let Some(place) = self.places.get(member.place) else { continue };
            let seen_at = member.seen_at(place);
            if now - seen_at > place.max_age {
                why.get_or_insert_with(|| place.aged(seen_at));
                continue;
            }
            if member.state.is_none() {
                why = Some(format!("{} does not tell whether the identity is active", place.name));
            }
            known = Some(known.map_or(member.state, |before| better(before, member.state)));
        }
        match known {
            Some(Some(state)) => Standing::Is(state),
            _ => Standing::Unknown(why.unwrap_or_else(|| "no identity provider tells of it".to_owned())),
        }
    }
}

impl Directories {
    /// Whether whoever has this address is known to be live nowhere any more. `None`: they are live, or it is not known: an
    /// address that no identity provider knows or that is several people's, an identity provider that does not tell, and one
    /// whose word is too old.
    #[must_use]
    pub fn departed(&self, mail: &str, now: Timestamp) -> Option<Departed> {
        let mail = [address(mail)?];
        let found = match self.by_address(&mail) {
            Found::Nobody => self.by_alias(&mail, &[]),
            found => found,
        };
        let Found::One(person) = found else { return None };
        let Standing::Is(state) = self.standing(person, None, now) else { return None };
        if state.is_live() {
            return None;
        }
        let members = self.people.get(person)?.members.iter();
        let believed = members.filter_map(|member| {
            let place = self.places.get(member.place)?;
            let until = member.seen_at(place) + place.max_age;
            (until >= now).then_some((member, place, until))
        });
        let believed: Vec<_> = believed.collect();
        let says = believed.iter().find(|(member, ..)| member.state == Some(state))?;
        let until = believed.iter().map(|(.., until)| *until).max()?;
        Some(Departed { state, provider: says.1.name.clone(), until })
    }
}

/// Which owners are known to be live nowhere any more, by their addresses: [`Directories::departed`].
#[must_use]
pub fn departed(
    directories: &[Directory],
    owners: &[(OwnerId, String)],
    now: Timestamp,
) -> BTreeMap<OwnerId, Departed> {
    let all = Directories::new(directories);
    owners.iter().filter_map(|(id, mail)| Some((id.clone(), all.departed(mail, now)?))).collect()
}

impl Member {
    /// How old its word is. That somebody is gone is as old as the reading that did not find him.
    fn seen_at(&self, place: &Place) -> Timestamp {
        match self.state {
            Some(State::Removed) => place.complete_at.unwrap_or(self.seen_at),
            _ => self.seen_at,
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Texts that were looked up in an index.
    pub(crate) static LOOKED_UP: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Of two words about one person the one that counts: live before not told, not told before any that is not live.
fn better(a: Option<State>, b: Option<State>) -> Option<State> {
    let rank = |state: Option<State>| match state {
        Some(State::Active) => 0,
        Some(State::Invited) => 1,
        None => 2,
        Some(State::Suspended) => 3,
        Some(State::Expired) => 4,
        Some(State::Removed) => 5,
    };
    if rank(a) <= rank(b) { a } else { b }
}

impl Place {
    fn lack(&self, now: Timestamp) -> Option<String> {
        match self.complete_at {
            None => Some(format!(
                "the identity provider {} has not been read to its end yet; see the Risky Account Scan there",
                self.name
            )),
            Some(at) if now - at > self.max_age => Some(self.aged(at)),
            Some(_) => None,
        }
    }

    fn aged(&self, at: Timestamp) -> String {
        format!(
            "what the identity provider {} said is from {at}, longer ago than {}; mend its Risky Account Scan, or upload the list afresh",
            self.name,
            model::words::duration(self.max_age)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids are not addresses: what differs in case, or in a blank, is another id.
    #[test]
    fn ids_that_differ_by_case_are_different_people() {
        let now = Timestamp(1_769_817_600_000);
        let identity = |id: &str| Identity { id: id.into(), seen_at: now, ..Identity::default() };
        let all = Directories::new(&[Directory {
            id: "d".into(),
            name: "D".to_owned(),
            max_age: model::identity::MAX_AGE,
            complete_at: Some(now),
            identities: vec![identity("ID-a"), identity("id-A")],
        }]);
        let by = |id: &str| match all.by_id(&[id.to_owned()]) {
            Found::One(person) => all.people[person].key.id.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!([by("ID-a"), by("id-A")], ["ID-a", "id-A"]);
        assert_eq!(["id-a", "ID-A", "ID-a ", ""].map(by), ["Nobody"; 4]);
        let key = |id: &str| IdentityKey { directory: "d".into(), id: id.to_owned() };
        assert_ne!(all.by_key(&key("ID-a")), all.by_key(&key("id-A")));
        assert_eq!(all.by_key(&key("id-a")), None);
    }
}
