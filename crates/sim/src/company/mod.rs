//! One invented company: who works there, what each of them holds in which application, and what foreign programs were let in.
//!
//! Every simulated tenant of the demo is rendered from one company, so that the tenants agree: the same person has one Okta
//! id, one Entra object id and one Google id wherever they are written, and an account that somebody forgot is the account of
//! somebody who left. The company is a pure function of seed, size and time.
//!
//! What holds of every company (`tests.rs`):
//!
//! 1. The same seed, size and time give the same company. Another seed gives other people in the same numbers.
//! 2. No two people or machines share an id or an address, former addresses and aliases included.
//! 3. Every employee but the head has a manager, who works here and stands above: nobody is their own manager's manager.
//! 4. Everybody who left is deactivated at the identity provider; their accounts elsewhere are suspended, or are
//!    [left over](Company::leftovers).
//! 5. Whoever has not begun has an invitation at most. Guests are unknown to the identity provider.
//! 6. Every account but those made by hand belongs to a person, a guest or a machine of the company, and carries the ids that
//!    the identity provider gave them where it came from there.

mod accounts;
mod applications;
mod people;
#[cfg(test)]
mod tests;

use model::time::{Duration, Timestamp};

pub use accounts::{Account, Link, Right, State, Whose};
pub use applications::{Grant, Plugin};

/// The applications that the company uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum App {
    /// The identity provider: everybody who works or worked here.
    Okta,
    /// Mail and documents of everybody, and the guests of its projects.
    Microsoft365,
    /// Documents of engineering, data, product, design and marketing.
    Google,
    /// The engineers' organisation, with single sign-on.
    GitHub,
    /// A second, older organisation for what is published, without single sign-on.
    GitHubOpenSource,
    /// The directory of the building: badges, rooms. Speaks SCIM.
    Directory,
}

impl App {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Okta, Self::Microsoft365, Self::Google, Self::GitHub, Self::GitHubOpenSource, Self::Directory];
}

/// What a person is to the company, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Works here.
    Employee,
    /// Works here, paid by somebody else; known to the identity provider.
    Contractor,
    /// Begins within the next days: has been entered, and has not signed in.
    Joiner,
    /// On leave: suspended at the identity provider until they return.
    OnLeave,
    /// Has left.
    Leaver,
}

/// The strongest second factor of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// Phishing-resistant.
    Passkey,
    /// An app with push or a code.
    App,
    /// Text messages.
    Sms,
    /// None was ever set up.
    None,
}

/// A part of the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Department {
    Engineering,
    Product,
    Design,
    Data,
    Security,
    It,
    Sales,
    Marketing,
    Support,
    Finance,
    People,
    Legal,
}

impl Department {
    /// All of them, with their share of the company in thousandths.
    pub const ALL: [(Self, usize); 12] = [
        (Self::Engineering, 340),
        (Self::Product, 70),
        (Self::Design, 40),
        (Self::Data, 60),
        (Self::Security, 20),
        (Self::It, 30),
        (Self::Sales, 160),
        (Self::Marketing, 70),
        (Self::Support, 110),
        (Self::Finance, 50),
        (Self::People, 30),
        (Self::Legal, 20),
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engineering => "Engineering",
            Self::Product => "Product",
            Self::Design => "Design",
            Self::Data => "Data",
            Self::Security => "Security",
            Self::It => "IT",
            Self::Sales => "Sales",
            Self::Marketing => "Marketing",
            Self::Support => "Customer Support",
            Self::Finance => "Finance",
            Self::People => "People",
            Self::Legal => "Legal",
        }
    }
}

/// The immutable ids that applications gave to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Okta: `00u` and 17 letters and digits.
    pub okta: String,
    /// Entra object id, a UUID.
    pub entra: String,
    /// Google: 21 digits.
    pub google: String,
    /// GitHub's number.
    pub github: u64,
    /// The login on GitHub, which everybody chose for themselves.
    pub login: String,
}

/// Somebody who works, worked or is about to work here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Number on the payroll: `A00017`.
    pub number: String,
    /// First name.
    pub first: &'static str,
    /// Last name as of now.
    pub last: &'static str,
    /// The name before it was changed; applications that nobody told still carry it.
    pub former_last: Option<&'static str>,
    /// Address as of now.
    pub email: String,
    /// The address before the name was changed. It still arrives.
    pub former_email: Option<String>,
    /// Further addresses that arrive: short forms.
    pub aliases: Vec<String>,
    /// An address that has nothing to do with the company.
    pub private_email: String,
    /// Where they work.
    pub department: Department,
    /// Whom they report to, as an index of [`Company::people`].
    pub manager: Option<usize>,
    /// What they are to the company.
    pub standing: Standing,
    /// First day; of a joiner, in the future.
    pub joined_at: Timestamp,
    /// Last day, of a leaver.
    pub left_at: Option<Timestamp>,
    /// Last seen anywhere; never, of a joiner. Months ago for those whose accounts lie idle.
    pub last_seen_at: Option<Timestamp>,
    /// Strongest second factor.
    pub factor: Factor,
    /// Ids.
    pub ids: Ids,
}

impl Person {
    /// First and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// Works here now and can sign in.
    #[must_use]
    pub fn is_present(&self) -> bool {
        matches!(self.standing, Standing::Employee | Standing::Contractor)
    }

    /// Has not been seen for more than 45 days although present.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.is_present() && self.last_seen_at.is_none_or(|at| at < now - Duration::days(45))
    }
}

/// Somebody of another company, invited to some work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Full name.
    pub name: String,
    /// Address at the other company.
    pub email: String,
    /// Who invited them, as an index of [`Company::people`].
    pub host: usize,
    /// Since when.
    pub invited_at: Timestamp,
    /// Whether they accepted.
    pub accepted: bool,
    /// Last seen.
    pub last_seen_at: Option<Timestamp>,
    /// Whether they hold a second factor.
    pub second_factor: bool,
    /// Ids; the identity provider has none of them.
    pub ids: Ids,
}

/// An account of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `svc-backup`.
    pub name: String,
    /// What it is for.
    pub purpose: &'static str,
    /// Address.
    pub email: String,
    /// Who answers for it, as an index of [`Company::people`]; `None`: nobody. May have left.
    pub owner: Option<usize>,
    /// Since when.
    pub created_at: Timestamp,
    /// Last seen.
    pub last_seen_at: Timestamp,
    /// Ids.
    pub ids: Ids,
}

/// The company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// What it was made from.
    pub seed: u64,
    /// The present.
    pub now: Timestamp,
    /// Everybody who works, worked or is about to work here. The first is the head.
    pub people: Vec<Person>,
    /// People of other companies.
    pub guests: Vec<Guest>,
    /// Accounts of programs.
    pub machines: Vec<Machine>,
    /// Administrators of the applications, the same people in each, as indices of [`Company::people`]: the first two manage
    /// everything and are well kept; the third has no second factor; the fourth has not been seen for months; the others
    /// manage parts.
    pub admins: Vec<usize>,
}

/// People of the demo's company.
pub const SIZE: usize = 500;
/// Its domain.
pub const DOMAIN: &str = "acme.example";
/// Its name.
pub const NAME: &str = "Acme";

/// So many of a thousand, at least one: categories have the same numbers in every company of a size.
fn share(of: usize, thousandths: usize) -> usize {
    (of * thousandths / 1000).max(1)
}

impl Company {
    /// A company of so many people, guests and machines not counted.
    ///
    /// # Panics
    /// With fewer than 40 people, who cannot be so many kinds of people.
    #[must_use]
    pub fn new(seed: u64, size: usize, now: Timestamp) -> Self {
        assert!(size >= 40, "a company has at least 40 people, not {size}");
        people::company(seed, size, now)
    }

    /// The demo's company.
    #[must_use]
    pub fn demo(now: Timestamp) -> Self {
        Self::new(11, SIZE, now)
    }

    /// An instant so many days before the present.
    #[must_use]
    pub fn ago(&self, days: usize) -> Timestamp {
        self.now - Duration::days(i64::try_from(days).unwrap_or(i64::from(u16::MAX)))
    }
}
