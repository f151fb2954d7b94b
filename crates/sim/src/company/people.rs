//! Who there is.

use std::collections::BTreeMap;

use model::time::{Duration, Timestamp};

use super::{Company, DOMAIN, Department, Factor, Guest, Ids, Machine, Person, Standing, share};
use crate::seed::Seed;

/// What each kind of people is of a thousand.
const CONTRACTORS: usize = 80;
const LEAVERS: usize = 60;
const ON_LEAVE: usize = 16;
const JOINERS: usize = 12;
const IDLE: usize = 40;
const RENAMED: usize = 16;
const WITH_ALIAS: usize = 120;
const WITHOUT_FACTOR: usize = 30;
const GUESTS: usize = 60;
const MACHINES: usize = 30;
/// Administrators, whatever the size.
const ADMINS: usize = 8;

const PURPOSES: [(&str, &str); 10] = [
    ("svc-backup", "Nightly backups"),
    ("ci-runner", "Builds and releases"),
    ("svc-hr-import", "Import from the payroll system"),
    ("scanner", "Scan to mail of the printers"),
    ("svc-monitoring", "Probes and alerts"),
    ("release-bot", "Tags and release notes"),
    ("svc-crm-link", "Contacts between mail and CRM"),
    ("meeting-rooms", "Room displays"),
    ("svc-archive", "Archive of closed projects"),
    ("data-loader", "Loads of the data warehouse"),
];

pub(super) fn company(seed: u64, size: usize, now: Timestamp) -> Company {
    let mut maker = Maker { seed: Seed::new(seed), now, taken: BTreeMap::new(), made: 0 };
    let standings = maker.standings(size);
    let mut people: Vec<Person> =
        standings.into_iter().enumerate().map(|(n, s)| maker.person(n, s)).collect();
    managers(&mut people);
    maker.rename(&mut people);
    maker.alias(&mut people);
    let admins = maker.admins(&mut people);
    maker.idle(&mut people, &admins);
    maker.factors(&mut people, &admins);
    let guests = maker.guests(&people);
    let machines = maker.machines(&people);
    Company { seed, now, people, guests, machines, admins }
}

struct Maker {
    seed: Seed,
    now: Timestamp,
    /// Local parts of addresses that exist, with how many of each.
    taken: BTreeMap<String, usize>,
    /// Identities so far.
    made: usize,
}

/// Letters and digits of an id, the running number among them, so that no two ids can be the same.
const SIGNS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Maker {
    fn ago(&self, days: usize) -> Timestamp {
        self.now - Duration::days(i64::try_from(days).unwrap_or(0))
    }

    /// Everybody's standing: exact numbers, in an order from the seed. The head is an employee.
    fn standings(&mut self, size: usize) -> Vec<Standing> {
        let mut all = vec![Standing::Employee; size];
        let mut places: Vec<usize> = (1..size).collect();
        self.shuffle(&mut places);
        let mut places = places.into_iter();
        for (standing, thousandths) in [
            (Standing::Contractor, CONTRACTORS),
            (Standing::Leaver, LEAVERS),
            (Standing::OnLeave, ON_LEAVE),
            (Standing::Joiner, JOINERS),
        ] {
            for place in places.by_ref().take(share(size, thousandths)) {
                all[place] = standing;
            }
        }
        all
    }

    fn shuffle<T>(&mut self, of: &mut [T]) {
        for at in (1..of.len()).rev() {
            let other = self.seed.below(at + 1);
            of.swap(at, other);
        }
    }

    /// The first so many of those that fit, in an order from the seed.
    fn some(&mut self, people: &[Person], count: usize, fits: impl Fn(usize, &Person) -> bool) -> Vec<usize> {
        let mut all: Vec<usize> =
            people.iter().enumerate().filter(|(n, p)| fits(*n, p)).map(|(n, _)| n).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all
    }

    /// A local part that nobody else has: people of the same name are told apart by a number.
    fn local(&mut self, wish: &str) -> String {
        let seen = self.taken.entry(wish.to_owned()).or_insert(0);
        *seen += 1;
        if *seen == 1 {
            return wish.to_owned();
        }
        let numbered = format!("{wish}{seen}");
        self.local(&numbered)
    }

    fn ids(&mut self, first: &str, last: &str) -> Ids {
        self.made += 1;
        let made = self.made;
        let sign = |n: usize| char::from(SIGNS[n % 62]);
        let okta: String = (0..13)
            .map(|_| sign(self.seed.below(62)))
            .chain([sign(made / 62 / 62 / 62), sign(made / 62 / 62), sign(made / 62), sign(made)])
            .collect();
        let hex = |seed: &mut Seed, digits: usize| -> String {
            (0..digits).map(|_| char::from(SIGNS[seed.below(16)])).collect()
        };
        let entra = format!(
            "{}-{}-4{}-{}{}-{made:012x}",
            hex(&mut self.seed, 8),
            hex(&mut self.seed, 4),
            hex(&mut self.seed, 3),
            ["8", "9", "a", "b"][self.seed.below(4)],
            hex(&mut self.seed, 3)
        );
        let google = format!("1{:06}{:06}{made:08}", self.seed.below(1_000_000), self.seed.below(1_000_000));
        let github = 1_000_000 + (made as u64) * 7_919 + self.seed.below(7_000) as u64;
        let (f, l) = (first.to_lowercase(), last.to_lowercase());
        let login = match self.seed.below(4) {
            0 => format!("{f}-{l}"),
            1 => format!("{}{l}", &f[..1]),
            2 => format!("{f}{}", 70 + self.seed.below(30)),
            _ => format!("{l}-codes"),
        };
        let login = format!(
            "{login}{}",
            if self.seed.chance(40) { String::new() } else { format!("-{}", made % 97) }
        );
        // A namespace of its own beside the addresses: logins are public and first come, first served.
        let login = self.local(&format!("@{login}")).trim_start_matches('@').to_owned();
        Ids { okta: format!("00u{okta}"), entra, google, github, login }
    }

    fn person(&mut self, n: usize, standing: Standing) -> Person {
        let (first, last) = self.seed.person();
        let department = department(self.seed.below(1000));
        let local = self.local(&format!("{}.{}", first.to_lowercase(), last.to_lowercase()));
        let ids = self.ids(first, last);
        let here = 60 + self.seed.below(2_400);
        let gone = 4 + self.seed.below(500);
        let (joined_at, left_at, last_seen_at) = match standing {
            Standing::Joiner => {
                (self.now + Duration::days(1 + i64::try_from(self.seed.below(9)).unwrap_or(0)), None, None)
            }
            Standing::Leaver => {
                let left = self.ago(gone);
                (self.ago(gone + here), Some(left), Some(left - Duration::hours(5)))
            }
            Standing::OnLeave => {
                let seen = 50 + self.seed.below(120);
                (self.ago(here + 200), None, Some(self.ago(seen)))
            }
            Standing::Employee | Standing::Contractor => {
                let hours = i64::try_from(self.seed.below(9 * 24)).unwrap_or(0);
                (self.ago(here), None, Some(self.now - Duration::hours(1 + hours)))
            }
        };
        Person {
            number: format!("A{:05}", n + 1),
            first,
            last,
            former_last: None,
            email: format!("{local}@{DOMAIN}"),
            former_email: None,
            aliases: Vec::new(),
            private_email: format!("{}{}{n}@mail.example", first.to_lowercase(), self.seed.below(90) + 10),
            department: if n == 0 { Department::Product } else { department },
            manager: None,
            standing,
            joined_at,
            left_at,
            last_seen_at,
            factor: Factor::App,
            ids,
        }
    }

    /// Some changed their names: their address followed, what they were called stays an alias.
    fn rename(&mut self, people: &mut [Person]) {
        let chosen = self.some(people, share(people.len(), RENAMED), |n, p| n > 0 && p.is_present());
        for n in chosen {
            let (first, last) = (people[n].first, self.seed.person().1);
            let local = self.local(&format!("{}.{}", first.to_lowercase(), last.to_lowercase()));
            let person = &mut people[n];
            person.former_last = Some(person.last);
            person.last = last;
            person.former_email = Some(std::mem::replace(&mut person.email, format!("{local}@{DOMAIN}")));
        }
    }

    fn alias(&mut self, people: &mut [Person]) {
        let chosen = self.some(people, share(people.len(), WITH_ALIAS), |_, p| p.is_present());
        for n in chosen {
            let local = self.local(&format!(
                "{}{}",
                people[n].first.to_lowercase(),
                &people[n].last.to_lowercase()[..1]
            ));
            people[n].aliases.push(format!("{local}@{DOMAIN}"));
        }
    }

    /// The administrators: of IT and security first, who have been here for a while.
    fn admins(&mut self, people: &mut [Person]) -> Vec<usize> {
        let mut all = self.some(people, people.len(), |n, p| n > 0 && p.standing == Standing::Employee);
        all.sort_by_key(|n| !matches!(people[*n].department, Department::It | Department::Security));
        all.truncate(ADMINS);
        all
    }

    /// Some have not been seen for long, one of the administrators among them; the other administrators were here lately.
    fn idle(&mut self, people: &mut [Person], admins: &[usize]) {
        let chosen = self
            .some(people, share(people.len(), IDLE), |n, p| n > 0 && p.is_present() && !admins.contains(&n));
        for n in chosen.into_iter().chain([admins[3]]) {
            let days = 46 + self.seed.below(260);
            let seen = self.ago(days);
            people[n].last_seen_at = Some(seen);
            people[n].joined_at = people[n].joined_at.min(seen - Duration::days(30));
        }
    }

    fn factors(&mut self, people: &mut [Person], admins: &[usize]) {
        for person in people.iter_mut() {
            person.factor = match self.seed.below(100) {
                0..25 => Factor::Passkey,
                25..90 => Factor::App,
                _ => Factor::Sms,
            };
            if person.standing == Standing::Joiner {
                person.factor = Factor::None;
            }
        }
        let chosen = self
            .some(people, share(people.len(), WITHOUT_FACTOR), |n, p| p.is_present() && !admins.contains(&n));
        for n in chosen.into_iter().chain([admins[2]]) {
            people[n].factor = Factor::None;
        }
        for n in [admins[0], admins[1]] {
            people[n].factor = Factor::Passkey;
        }
    }

    fn guests(&mut self, people: &[Person]) -> Vec<Guest> {
        const PARTNERS: [&str; 5] = [
            "northwind-design.example",
            "lumen-law.example",
            "quanta-labs.example",
            "brightbank.example",
            "studio-ek.example",
        ];
        (0..share(people.len(), GUESTS))
            .map(|n| {
                let (first, last) = self.seed.person();
                let ids = self.ids(first, last);
                let hosts = self.some(people, 1, |_, p| p.standing == Standing::Employee);
                let accepted = n % 7 != 3;
                let invited = 20 + self.seed.below(900);
                let seen = if n % 4 == 1 { 46 + self.seed.below(300) } else { self.seed.below(30) };
                Guest {
                    name: format!("{first} {last}"),
                    email: format!(
                        "{}.{}{n}@{}",
                        first.to_lowercase(),
                        last.to_lowercase(),
                        PARTNERS[n % PARTNERS.len()]
                    ),
                    host: hosts[0],
                    invited_at: self.ago(invited),
                    accepted,
                    last_seen_at: accepted.then(|| self.ago(seen.min(invited))),
                    second_factor: n % 3 != 0,
                    ids,
                }
            })
            .collect()
    }

    /// A third has nobody who answers for it, and one is answered for by somebody who left.
    fn machines(&mut self, people: &[Person]) -> Vec<Machine> {
        let owners = self.some(people, people.len(), |_, p| {
            p.standing == Standing::Employee
                && matches!(p.department, Department::Engineering | Department::It | Department::Data)
        });
        let gone = self.some(people, 1, |_, p| p.standing == Standing::Leaver);
        (0..share(people.len(), MACHINES).max(PURPOSES.len()))
            .map(|n| {
                let (name, purpose) = PURPOSES[n % PURPOSES.len()];
                let name = self.local(name);
                let ids = self.ids(&name, "bot");
                let owner = match n {
                    1 => gone.first().copied(),
                    n if n % 3 == 2 => None,
                    n => owners.get(n % owners.len().max(1)).copied(),
                };
                let age = 100 + self.seed.below(1_500);
                let seen = if n % 5 == 3 { 90 + self.seed.below(10) } else { self.seed.below(3) };
                Machine {
                    email: format!("{name}@{DOMAIN}"),
                    name,
                    purpose,
                    owner,
                    created_at: self.ago(age),
                    last_seen_at: self.ago(seen),
                    ids,
                }
            })
            .collect()
    }
}

fn department(of_thousand: usize) -> Department {
    let mut left = of_thousand;
    for (department, share) in Department::ALL {
        match left.checked_sub(share) {
            None => return department,
            Some(rest) => left = rest,
        }
    }
    Department::Engineering
}

/// Seven report to one; whoever heads a department reports to the head of the company. Managers are employees.
fn managers(people: &mut [Person]) {
    for (department, _) in Department::ALL {
        let of = |p: &Person| p.department == department;
        let above: Vec<usize> = (1..people.len())
            .filter(|n| of(&people[*n]) && people[*n].standing == Standing::Employee)
            .collect();
        for (place, n) in above.iter().enumerate() {
            people[*n].manager = Some(if place == 0 { 0 } else { above[(place - 1) / 7] });
        }
        for n in 1..people.len() {
            if of(&people[n]) && people[n].standing != Standing::Employee {
                people[n].manager =
                    Some(if above.is_empty() { 0 } else { above[n % above.len().div_ceil(7)] });
            }
        }
    }
}
