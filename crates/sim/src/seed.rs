//! Numbers, names and words from a seed: the same seed gives the same organisation on every machine.

/// A small deterministic generator (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// From a number.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).unwrap_or(0)
    }

    /// True in `percent` of cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A first and a last name.
    pub fn person(&mut self) -> (&'static str, &'static str) {
        (self.pick(FIRST), self.pick(LAST))
    }
}

const FIRST: &[&str] = &[
    "Ada", "Amira", "Anders", "Beatriz", "Bilal", "Chidi", "Clara", "Dario", "Divya", "Elena", "Emeka",
    "Farah", "Felix", "Grace", "Hana", "Hugo", "Imani", "Ines", "Ivan", "Jonas", "Joy", "Kaito", "Katja",
    "Lars", "Leila", "Lucia", "Mads", "Maya", "Mei", "Milan", "Nadia", "Noor", "Olga", "Omar", "Paula",
    "Priya", "Rafael", "Rosa", "Samuel", "Sanna", "Sofia", "Tariq", "Tess", "Tomas", "Uma", "Viktor", "Wen",
    "Yara", "Yusuf", "Zoe",
];
const LAST: &[&str] = &[
    "Abbott",
    "Adeyemi",
    "Almeida",
    "Bauer",
    "Berg",
    "Bianchi",
    "Castro",
    "Chen",
    "Costa",
    "Dahl",
    "Diallo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Fontaine",
    "Garcia",
    "Haddad",
    "Hansen",
    "Ito",
    "Jansen",
    "Kaur",
    "Keller",
    "Khan",
    "Kowalski",
    "Larsen",
    "Lindqvist",
    "Lopez",
    "Marino",
    "Mbeki",
    "Moreau",
    "Nakamura",
    "Novak",
    "Okafor",
    "Olsen",
    "Park",
    "Petrov",
    "Quinn",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Tanaka",
    "Torres",
    "Ueda",
    "Vasquez",
    "Weber",
    "Yilmaz",
    "Zhang",
    "Zimmer",
];
pub(crate) const THINGS: &[&str] = &[
    "billing",
    "checkout",
    "identity",
    "ledger",
    "search",
    "catalogue",
    "payments",
    "mobile",
    "web",
    "gateway",
    "reports",
    "notifier",
    "warehouse",
    "pricing",
    "inventory",
    "support",
    "docs",
    "terraform",
    "charts",
    "tooling",
];
pub(crate) const KINDS: &[&str] =
    &["api", "service", "worker", "ui", "lib", "infra", "cli", "jobs", "schema", "sdk"];
