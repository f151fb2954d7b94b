//! The laws of the company's documentation.

use std::collections::{BTreeMap, BTreeSet};

use model::time::{Duration, Timestamp};

use super::*;

const NOW: Timestamp = Timestamp(1_767_225_600_000);
const SIZES: [usize; 4] = [40, 137, SIZE, 3_000];

fn companies() -> impl Iterator<Item = Company> {
    SIZES.into_iter().flat_map(|size| (1..4).map(move |seed| Company::new(seed, size, NOW)))
}

fn standings(company: &Company) -> BTreeMap<Standing, usize> {
    company.people.iter().fold(BTreeMap::new(), |mut all, p| {
        *all.entry(p.standing).or_default() += 1;
        all
    })
}

#[test]
fn one_seed_is_one_company_and_numbers_do_not_hang_on_it() {
    assert_eq!(Company::new(5, SIZE, NOW), Company::new(5, SIZE, NOW));
    for size in SIZES {
        let (one, other) = (Company::new(5, size, NOW), Company::new(6, size, NOW));
        assert_ne!(one.people, other.people);
        assert_eq!(standings(&one), standings(&other));
        assert_eq!((one.guests.len(), one.machines.len()), (other.guests.len(), other.machines.len()));
    }
    let whole = Company::demo(NOW);
    let standings = standings(&whole);
    let expected = [
        (Standing::Employee, 416),
        (Standing::Contractor, 40),
        (Standing::Joiner, 6),
        (Standing::OnLeave, 8),
        (Standing::Leaver, 30),
    ];
    assert_eq!(standings, BTreeMap::from(expected));
    let count = |fits: &dyn Fn(&Person) -> bool| whole.people.iter().filter(|p| fits(p)).count();
    assert_eq!(count(&|p| p.former_email.is_some()), 8);
    assert_eq!(count(&|p| !p.aliases.is_empty()), 60);
    assert_eq!(count(&|p| p.is_idle(NOW)), 21);
    assert_eq!(count(&|p| p.is_present() && p.factor == Factor::None), 16);
    assert_eq!((whole.guests.len(), whole.machines.len()), (30, 15));
}

#[test]
fn nobody_shares_an_id_or_an_address() {
    for company in companies() {
        let mut seen = BTreeSet::new();
        let mut new = |what: String| assert!(seen.insert(what.to_lowercase()), "{what} is there twice");
        for p in &company.people {
            new(p.number.clone());
            new(p.email.clone());
            new(p.private_email.clone());
            p.former_email.iter().chain(&p.aliases).for_each(|a| new(a.clone()));
        }
        company.guests.iter().for_each(|g| new(g.email.clone()));
        company.machines.iter().for_each(|m| new(m.email.clone()));
        let ids = company.people.iter().map(|p| &p.ids);
        let ids =
            ids.chain(company.guests.iter().map(|g| &g.ids)).chain(company.machines.iter().map(|m| &m.ids));
        for Ids { okta, entra, google, github, login } in ids {
            // Case tells Okta's ids apart.
            let sign = okta.bytes().map(|b| format!("{b:02x}")).collect::<String>();
            assert!(okta.len() == 20 && okta.starts_with("00u"), "{okta}");
            assert!(entra.len() == 36 && google.len() == 21, "{entra} {google}");
            [sign, entra.clone(), google.clone(), github.to_string(), format!("login {login}")]
                .into_iter()
                .for_each(&mut new);
        }
        for app in App::ALL {
            let accounts = company.accounts(app);
            let ids: BTreeSet<&String> = accounts.iter().map(|a| &a.id).collect();
            assert_eq!(ids.len(), accounts.len(), "{app:?}");
            let names: BTreeSet<String> = accounts.iter().map(|a| a.username.to_lowercase()).collect();
            assert_eq!(names.len(), accounts.len(), "{app:?}");
        }
    }
}

#[test]
fn everybody_has_a_manager_up_to_the_head() {
    for company in companies() {
        for n in 1..company.people.len() {
            let (mut at, mut steps) = (n, 0);
            while at != 0 {
                let manager = company.people[at].manager.expect("only the head has none");
                assert_eq!(company.people[manager].standing, Standing::Employee, "{n}");
                (at, steps) = (manager, steps + 1);
                assert!(steps < 10, "{n} never reaches the head");
            }
        }
        assert_eq!(company.people[0].manager, None);
    }
}

#[test]
fn who_left_is_deactivated_or_left_over() {
    for company in companies() {
        for app in App::ALL {
            let left_over = company.leftovers(app);
            for account in company.accounts(app) {
                let Whose::Person(n) = account.whose else { continue };
                let person = &company.people[n];
                assert_eq!(person.left_at.is_some(), person.standing == Standing::Leaver);
                if person.standing == Standing::Leaver {
                    assert_eq!(account.state == State::Active, left_over.contains(&n), "{app:?} {n}");
                    assert!(account.last_seen_at < person.left_at);
                }
            }
        }
        assert_eq!(company.leftovers(App::Okta), Vec::<usize>::new());
        let leavers = company.people.iter().filter(|p| p.standing == Standing::Leaver).count();
        let known = company.accounts(App::Okta).iter().filter(|a| a.state == State::Suspended).count();
        assert!(known >= leavers);
    }
    let company = Company::demo(NOW);
    let left_over = App::ALL.map(|app| company.leftovers(app).len());
    assert!(left_over[3] >= 5 && left_over[1] >= 1 && left_over[2] >= 1, "{left_over:?}");
}

#[test]
fn who_has_not_begun_has_an_invitation_at_most_and_guests_are_unknown_to_the_identity_provider() {
    for company in companies() {
        for app in App::ALL {
            for account in company.accounts(app) {
                match account.whose {
                    Whose::Person(n) if company.people[n].standing == Standing::Joiner => {
                        assert_eq!(account.state, State::Invited, "{app:?}");
                        assert!(company.people[n].joined_at > NOW && account.last_seen_at.is_none());
                    }
                    Whose::Guest(_) | Whose::Stray(_) => assert_ne!(app, App::Okta),
                    _ => {}
                }
                assert!(account.created_at < NOW, "{app:?} {}", account.username);
                assert!(account.last_seen_at.is_none_or(|at| at <= NOW), "{app:?} {}", account.username);
            }
        }
    }
}

#[test]
fn ids_are_the_same_wherever_they_are_written() {
    for company in companies() {
        let known: BTreeMap<usize, Account> = company
            .accounts(App::Okta)
            .into_iter()
            .filter_map(|a| if let Whose::Person(n) = a.whose { Some((n, a)) } else { None })
            .collect();
        for app in App::ALL {
            let mut linked = 0;
            for account in company.accounts(app) {
                let Some(link) = &account.link else { continue };
                let Whose::Person(n) = account.whose else { panic!("{app:?}: {account:?}") };
                let person = &company.people[n];
                linked += 1;
                assert!(link.external_id.as_ref().is_none_or(|id| *id == known[&n].id), "{app:?} {n}");
                let addresses = [Some(&person.email), person.former_email.as_ref()];
                assert!(
                    link.name_id == known[&n].id || addresses.contains(&Some(&link.name_id)),
                    "{app:?} {n}"
                );
                assert!(addresses.contains(&Some(&link.email)), "{app:?} {n}");
            }
            let expected = !matches!(app, App::Okta | App::GitHubOpenSource);
            assert_eq!(linked > 0, expected, "{app:?}");
        }
    }
}

#[test]
fn the_demos_company_has_every_kind_of_trouble() {
    let company = Company::demo(NOW);
    let [first, second, bare, dormant] = [0, 1, 2, 3].map(|n| &company.people[company.admins[n]]);
    assert_eq!([first.factor, second.factor, bare.factor], [Factor::Passkey, Factor::Passkey, Factor::None]);
    assert!(dormant.is_idle(NOW) && !first.is_idle(NOW) && !bare.is_idle(NOW));
    for app in [App::Okta, App::Microsoft365, App::Google, App::GitHub] {
        let all = company.accounts(app).into_iter().filter(|a| a.right == Right::All).count();
        assert_eq!(all, 4, "{app:?}");
    }
    let owners: Vec<Option<Standing>> =
        company.machines.iter().map(|m| company.answers_for(m).map(|p| p.standing)).collect();
    assert_eq!(owners.iter().filter(|o| o.is_none()).count(), 5);
    assert_eq!(owners.iter().filter(|o| **o == Some(Standing::Leaver)).count(), 1);
    // E-mail alone does not tell who is who: some accounts carry an address that the identity provider does not have.
    let known: BTreeSet<String> = company.accounts(App::Okta).into_iter().filter_map(|a| a.email).collect();
    for app in [App::Google, App::GitHub, App::GitHubOpenSource, App::Directory] {
        let of_people = |a: &Account| matches!(a.whose, Whose::Person(_));
        let foreign = company.accounts(app).into_iter().filter(of_people).filter_map(|a| a.email);
        assert!(foreign.filter(|address| !known.contains(address)).count() > 0, "{app:?}");
    }
    for app in [App::Microsoft365, App::Google] {
        let grants = company.grants(app);
        let few = grants.iter().filter(|g| !g.users.is_empty() && g.users.len() <= 5 && !g.plugin.verified);
        assert!(few.count() >= 3, "{app:?}");
        assert!(
            grants.iter().any(|g| g.last_used_at.is_none_or(|at| at < NOW - Duration::days(180))),
            "{app:?}"
        );
        for n in grants.iter().flat_map(|g| &g.users) {
            assert!(company.has_account(app, *n), "{app:?}");
        }
    }
}
