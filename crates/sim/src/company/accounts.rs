//! Who has an account where, under which name, and where it came from.

use model::time::{Duration, Timestamp};

use super::{App, Company, DOMAIN, Department, Factor, Guest, Machine, Person, Standing};

/// To whom an account belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// An index of [`Company::people`].
    Person(usize),
    /// An index of [`Company::guests`].
    Guest(usize),
    /// An index of [`Company::machines`].
    Machine(usize),
    /// Made by hand, under an address that is not the company's: nobody's as far as the company knows.
    Stray(usize),
}

/// What an account can do at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can sign in.
    Active,
    /// It cannot.
    Suspended,
    /// It has been invited and has not answered.
    Invited,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everything.
    All,
    /// It manages a part: people who forgot their password, say.
    Part,
    /// What everybody may.
    Member,
    /// What outsiders may.
    Outside,
}

/// What single sign-on or provisioning left in an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The name that the identity provider signs for: its own immutable id or, of older links, the address of that time.
    pub name_id: String,
    /// The identity provider's immutable id, where it made the account.
    pub external_id: Option<String>,
    /// The address when it was linked: a former one, where the name has changed since.
    pub email: String,
}

/// An account in an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub whose: Whose,
    /// The application's own immutable id.
    pub id: String,
    /// Under which name one signs in.
    pub username: String,
    /// The person's or the machine's name, as this application has it.
    pub name: String,
    /// First and last name, of people of the company.
    pub names: Option<(&'static str, &'static str)>,
    /// The address, as this application has it.
    pub email: Option<String>,
    /// Further addresses that this application knows.
    pub aliases: Vec<String>,
    /// State.
    pub state: State,
    /// Right.
    pub right: Right,
    /// Strongest second factor in this application.
    pub factor: Factor,
    /// What the identity provider left; `None`: it was made here.
    pub link: Option<Link>,
    /// Since when.
    pub created_at: Timestamp,
    /// Last seen.
    pub last_seen_at: Option<Timestamp>,
}

impl Account {
    /// Whether it can sign in and belongs to somebody who left.
    fn is_left_over(&self, company: &Company) -> bool {
        matches!(self.whose, Whose::Person(n) if company.people[n].standing == Standing::Leaver)
            && self.state == State::Active
    }
}

impl Company {
    /// All accounts of an application, in a stable order.
    #[must_use]
    pub fn accounts(&self, app: App) -> Vec<Account> {
        let people = (0..self.people.len()).filter_map(|n| self.of_person(app, n));
        let guests = (0..self.guests.len()).filter_map(|n| self.of_guest(app, n));
        let machines = (0..self.machines.len()).filter_map(|n| self.of_machine(app, n));
        people.chain(guests).chain(machines).chain(self.strays(app)).collect()
    }

    /// People who left and can still sign in to an application, as indices of [`Company::people`]. At the identity provider,
    /// nobody.
    #[must_use]
    pub fn leftovers(&self, app: App) -> Vec<usize> {
        self.accounts(app)
            .iter()
            .filter(|a| a.is_left_over(self))
            .filter_map(|a| if let Whose::Person(n) = a.whose { Some(n) } else { None })
            .collect()
    }

    /// Whether the account of somebody who left was forgotten. The identity provider switches off what it provisions; where
    /// it does not reach, every third is forgotten, and where it does, somebody now and then switches one on again.
    fn is_forgotten(&self, app: App, n: usize) -> bool {
        let leavers = self.people[..n].iter().filter(|p| p.standing == Standing::Leaver).count();
        match app {
            App::Okta => false,
            App::GitHub => leavers % 3 != 1,
            App::GitHubOpenSource => leavers.is_multiple_of(2),
            App::Microsoft365 => leavers % 20 == 6,
            App::Google => leavers % 12 == 3,
            App::Directory => leavers % 15 == 2,
        }
    }

    /// Whether somebody uses an application.
    fn uses(&self, app: App, n: usize) -> bool {
        use Department as D;
        let person = &self.people[n];
        let engineers = matches!(person.department, D::Engineering | D::Data | D::Security | D::It);
        let administers = self.admins.contains(&n);
        match app {
            App::Okta | App::Microsoft365 | App::Directory => true,
            App::Google => {
                administers
                    || matches!(
                        person.department,
                        D::Engineering | D::Data | D::Product | D::Design | D::Marketing
                    )
            }
            App::GitHub => {
                administers
                    || engineers
                    || (matches!(person.department, D::Product | D::Design) && n.is_multiple_of(2))
            }
            App::GitHubOpenSource => {
                self.admins[..2].contains(&n) || (person.department == D::Engineering && n.is_multiple_of(4))
            }
        }
    }

    pub(super) fn of_person(&self, app: App, n: usize) -> Option<Account> {
        let person = &self.people[n];
        if !self.uses(app, n) {
            return None;
        }
        let state = match person.standing {
            // Only the identity provider and the engineers' organisation know of those who have yet to begin.
            Standing::Joiner if matches!(app, App::Okta | App::GitHub) => State::Invited,
            Standing::Joiner => return None,
            Standing::Leaver if self.is_forgotten(app, n) => State::Active,
            // GitHub has no suspended members: whoever was not forgotten was removed.
            Standing::Leaver if matches!(app, App::GitHub | App::GitHubOpenSource) => return None,
            Standing::Leaver => State::Suspended,
            // Whoever is on leave is suspended at the identity provider alone, which is enough: the others ask it.
            Standing::OnLeave if app == App::Okta => State::Suspended,
            Standing::OnLeave | Standing::Employee | Standing::Contractor => State::Active,
        };
        let (id, username) = match app {
            App::Okta => (person.ids.okta.clone(), person.email.clone()),
            // Nobody renames a principal: what people sign in with stays what it was.
            App::Microsoft365 => {
                (person.ids.entra.clone(), person.former_email.as_ref().unwrap_or(&person.email).clone())
            }
            App::Google => (person.ids.google.clone(), self.primary(n).to_owned()),
            App::GitHub | App::GitHubOpenSource => (person.ids.github.to_string(), person.ids.login.clone()),
            App::Directory => (format!("badge-{:05}", n + 1), person.number.to_lowercase()),
        };
        let (email, aliases) = self.addresses(app, n);
        let told = matches!(app, App::GitHub | App::GitHubOpenSource | App::Directory)
            && person.former_last.is_some();
        let last = if told { person.former_last.unwrap_or(person.last) } else { person.last };
        Some(Account {
            whose: Whose::Person(n),
            id,
            username,
            name: format!("{} {last}", person.first),
            names: Some((person.first, last)),
            email,
            aliases,
            state,
            right: self.right(app, n),
            factor: person.factor,
            link: self.link(app, n),
            created_at: person.joined_at.min(self.now - Duration::hours(20)),
            last_seen_at: person.last_seen_at,
        })
    }

    /// In Google, half of those who changed their name still carry the former address as the first one.
    fn primary(&self, n: usize) -> &str {
        let person = &self.people[n];
        match &person.former_email {
            Some(former) if n.is_multiple_of(2) => former,
            _ => &person.email,
        }
    }

    /// The address as an application has it, and the further ones that it knows.
    fn addresses(&self, app: App, n: usize) -> (Option<String>, Vec<String>) {
        let person = &self.people[n];
        let at_first = person.former_email.as_ref().unwrap_or(&person.email).clone();
        let mut all = vec![person.email.clone()];
        all.extend(person.former_email.clone());
        all.extend(person.aliases.iter().cloned());
        let first = match app {
            App::Okta => return (Some(person.email.clone()), Vec::new()),
            App::Microsoft365 => person.email.clone(),
            App::Google => self.primary(n).to_owned(),
            // Where nobody was told, the former address stands alone. One in nine uses a short form there.
            App::GitHub | App::GitHubOpenSource => {
                let short = person.aliases.first().filter(|_| !n.is_multiple_of(9));
                return (Some(short.unwrap_or(&at_first).clone()), Vec::new());
            }
            App::Directory => {
                let of_person = match person.standing {
                    // The reception wrote down what a contractor said.
                    Standing::Contractor if n.is_multiple_of(3) => person.private_email.clone(),
                    _ => capitals(&at_first),
                };
                return (Some(of_person), Vec::new());
            }
        };
        all.retain(|address| *address != first);
        (Some(first), all)
    }

    fn right(&self, app: App, n: usize) -> Right {
        let place = self.admins.iter().position(|admin| *admin == n);
        match (app, place) {
            (App::Directory, _) | (_, None) => Right::Member,
            (App::GitHubOpenSource, Some(0 | 1)) => Right::All,
            (App::GitHubOpenSource, Some(_)) => Right::Member,
            (_, Some(0..4)) => Right::All,
            (App::GitHub, Some(_)) => Right::Member,
            (_, Some(_)) => Right::Part,
        }
    }

    /// One in twenty-five of the engineers' organisation never linked the account; one in ten of the directory was entered by
    /// the reception. Links that are older than two years name the address of that time.
    fn link(&self, app: App, n: usize) -> Option<Link> {
        let person = &self.people[n];
        let made_here = match app {
            App::Okta | App::GitHubOpenSource => true,
            App::Microsoft365 | App::Google => false,
            App::GitHub => person.standing == Standing::Joiner || n % 25 == 7,
            App::Directory => n % 10 == 9,
        };
        if made_here {
            return None;
        }
        let old = person.joined_at < self.ago(730);
        let at_first =
            if old { person.former_email.as_ref().unwrap_or(&person.email) } else { &person.email };
        Some(Link {
            name_id: if app == App::GitHub && old { at_first.clone() } else { person.ids.okta.clone() },
            external_id: (app != App::GitHub || !old).then(|| person.ids.okta.clone()),
            email: at_first.clone(),
        })
    }

    fn of_guest(&self, app: App, n: usize) -> Option<Account> {
        let guest: &Guest = &self.guests[n];
        let (id, username) = match app {
            App::Microsoft365 => {
                let local = guest.email.replace('@', "_");
                (guest.ids.entra.clone(), format!("{local}#EXT#@{DOMAIN}"))
            }
            App::GitHub if n.is_multiple_of(3) => (guest.ids.github.to_string(), guest.ids.login.clone()),
            App::GitHubOpenSource if n % 5 == 1 => (guest.ids.github.to_string(), guest.ids.login.clone()),
            _ => return None,
        };
        // An outside collaborator has answered: GitHub lists no others.
        let answered = guest.accepted || app != App::Microsoft365;
        Some(Account {
            whose: Whose::Guest(n),
            id,
            username,
            name: guest.name.clone(),
            names: None,
            email: Some(guest.email.clone()),
            aliases: Vec::new(),
            state: if answered { State::Active } else { State::Invited },
            right: Right::Outside,
            factor: if guest.second_factor { Factor::App } else { Factor::None },
            link: None,
            created_at: guest.invited_at,
            last_seen_at: guest.last_seen_at,
        })
    }

    fn of_machine(&self, app: App, n: usize) -> Option<Account> {
        let machine: &Machine = &self.machines[n];
        let (id, username) = match app {
            App::Okta if n.is_multiple_of(2) => (machine.ids.okta.clone(), machine.email.clone()),
            App::Microsoft365 if n % 3 != 1 => (machine.ids.entra.clone(), machine.email.clone()),
            App::Google if n.is_multiple_of(3) => (machine.ids.google.clone(), machine.email.clone()),
            App::GitHub if n % 2 == 1 => (machine.ids.github.to_string(), format!("acme-{}", machine.name)),
            _ => return None,
        };
        Some(Account {
            whose: Whose::Machine(n),
            id,
            username,
            name: machine.name.clone(),
            names: None,
            email: Some(machine.email.clone()),
            aliases: Vec::new(),
            state: State::Active,
            right: if app == App::Microsoft365 && n == 2 { Right::Part } else { Right::Member },
            factor: Factor::None,
            link: None,
            created_at: machine.created_at,
            last_seen_at: Some(machine.last_seen_at),
        })
    }

    /// Accounts made by hand, under private addresses: three and one more for each 250 people in the engineers'
    /// organisation, fewer elsewhere, none at the identity provider.
    fn strays(&self, app: App) -> impl Iterator<Item = Account> + '_ {
        const NAMES: [&str; 6] =
            ["Night Owl", "Pixel Fox", "J. Doe", "Build Wizard", "Old Intern", "Kim (freelance)"];
        let count = match app {
            App::Okta => 0,
            App::GitHub => 3 + self.people.len() / 250,
            App::Microsoft365 | App::Directory => 2,
            App::Google => 1,
            App::GitHubOpenSource => 3,
        };
        (0..count).map(move |n| {
            // Which of them: no two applications have the same.
            let own = n + 100 * App::ALL.iter().position(|a| *a == app).unwrap_or(0);
            let name = NAMES[own % NAMES.len()];
            let word: String =
                name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
            let private = format!("{word}{own}@mail.example");
            let (id, username) = match app {
                App::Microsoft365 => (
                    format!("0000{own:04x}-5741-4000-8000-{:012x}", self.seed),
                    format!("{}#EXT#@{DOMAIN}", private.replace('@', "_")),
                ),
                App::Google => (format!("199{:018}", own), format!("{word}@{DOMAIN}")),
                App::Directory => (format!("badge-x{own:03}"), format!("x{own:03}")),
                _ => ((900_000 + own).to_string(), format!("{word}{own}")),
            };
            Account {
                whose: Whose::Stray(own),
                id,
                username,
                name: name.to_owned(),
                names: None,
                email: Some(private),
                aliases: Vec::new(),
                state: State::Active,
                right: if app == App::Microsoft365 { Right::Outside } else { Right::Member },
                factor: if n % 2 == 0 { Factor::None } else { Factor::App },
                link: None,
                created_at: self.ago(400 + own),
                last_seen_at: Some(self.ago(1 + 40 * n)),
            }
        })
    }

    /// Who answers for a machine's account, by address; `None`: nobody.
    #[must_use]
    pub fn answers_for(&self, machine: &Machine) -> Option<&Person> {
        machine.owner.map(|n| &self.people[n])
    }
}

/// `ada.berg@acme.example` as a receptionist writes it: `Ada.Berg@acme.example`.
fn capitals(address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, DOMAIN));
    let parts: Vec<String> = local
        .split('.')
        .map(|part| {
            let mut letters = part.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
        })
        .collect();
    format!("{}@{domain}", parts.join("."))
}
