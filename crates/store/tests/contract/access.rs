use model::time::Duration;
use store::operators::{self, Operator};
use store::owners::{self, Owner};
use store::sessions::{self, Session};
use store::{Cut, StoreError, What, audit as log, instances, settings, setup};

use crate::support::*;

fn operator(id: &str, name: &str) -> Operator {
    Operator {
        id: id.into(),
        name: name.to_owned(),
        role: "admin".to_owned(),
        password_hash: "$argon2id$x".to_owned(),
        active: true,
        created_at: T0,
        last_sign_in_at: None,
        email: None,
    }
}

fn session(token: u8, operator: &str) -> Session {
    Session {
        token_hash: vec![token; 32],
        operator: operator.into(),
        csrf: "form secret".to_owned(),
        created_at: min(1),
        last_seen_at: min(1),
        expires_at: min(100),
    }
}

fn owner(id: &str, email: &str) -> Owner {
    Owner {
        id: id.into(),
        name: "Grace".to_owned(),
        email: email.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        active: true,
        digest_minute: 480,
        quiet: false,
        created_at: T0,
        instances: 0,
    }
}

on_both! {
    async fn set_up_works_once_and_in_time(f: Fixture) {
        let (right, wrong) = ([1u8; 32], [2u8; 32]);
        assert!(setup::offer(&f.db, &wrong, min(0), min(30)).await.unwrap());
        assert!(setup::offer(&f.db, &right, min(0), min(30)).await.unwrap());
        let ada = operator("1", "Ada");
        let complete = async |token: &[u8], at| {
            setup::complete(&f.db, token, &ada, at, audit("setup")).await.unwrap()
        };
        assert_eq!(complete(&wrong, min(1)).await, setup::Outcome::WrongToken, "replaced by the later one");
        assert_eq!(complete(&right, min(30)).await, setup::Outcome::WrongToken, "expired");
        assert_eq!(operators::count(&f.db).await.unwrap(), 0);
        assert_eq!(complete(&right, min(29)).await, setup::Outcome::Done);
        assert_eq!(complete(&right, min(29)).await, setup::Outcome::AlreadySetUp);
        assert!(!setup::offer(&f.db, &right, min(40), min(60)).await.unwrap());
        assert_eq!(operators::by_name(&f.db, "ADA").await.unwrap().unwrap().id, "1".into());
    }

    async fn sessions_end_with_time_and_operator(f: Fixture) {
        operators::create(&f.db, &operator("1", "Ada"), T0, audit("operator.add")).await.unwrap();
        for token in 1..=3 {
            sessions::begin(&f.db, &session(token, "1"), audit("sign_in")).await.unwrap();
        }
        let (found, who) = sessions::find(&f.db, &[1; 32], min(99)).await.unwrap().unwrap();
        assert_eq!((found, who.last_sign_in_at), (session(1, "1"), Some(min(1))));
        assert!(sessions::find(&f.db, &[1; 32], min(100)).await.unwrap().is_none(), "expired");
        assert!(sessions::find(&f.db, &[9; 32], min(2)).await.unwrap().is_none());
        sessions::touch(&f.db, &[1; 32], min(50)).await.unwrap();
        assert_eq!(sessions::find(&f.db, &[1; 32], min(51)).await.unwrap().unwrap().0.last_seen_at, min(50));
        sessions::end(&f.db, &[1; 32], min(51), audit("sign_out")).await.unwrap();
        assert!(sessions::find(&f.db, &[1; 32], min(52)).await.unwrap().is_none());
        let id = "1".into();
        operators::set_password(&f.db, &id, "new", Some(&[2; 32]), min(53), audit("password")).await.unwrap();
        assert!(sessions::find(&f.db, &[2; 32], min(54)).await.unwrap().is_some(), "their own one");
        assert!(sessions::find(&f.db, &[3; 32], min(54)).await.unwrap().is_none());
        let mut off = operator("1", "Ada");
        off.active = false;
        operators::update(&f.db, &off, min(55), audit("operator.change")).await.unwrap();
        assert!(sessions::find(&f.db, &[2; 32], min(56)).await.unwrap().is_none());
        let again = sessions::begin(&f.db, &session(4, "1"), audit("sign_in")).await;
        assert!(matches!(again, Err(StoreError::NotFound { .. })), "an inactive operator cannot sign in");
        let twice = operators::create(&f.db, &operator("2", "aDa"), T0, audit("operator.add")).await;
        assert!(matches!(twice, Err(StoreError::Exists { .. })));
    }

    async fn expired_sessions_are_purged(f: Fixture) {
        operators::create(&f.db, &operator("1", "Ada"), T0, audit("operator.add")).await.unwrap();
        sessions::begin(&f.db, &session(1, "1"), audit("sign_in")).await.unwrap();
        assert_eq!(sessions::purge_expired(&f.db, min(99)).await.unwrap(), 0);
        assert_eq!(sessions::purge_expired(&f.db, min(100)).await.unwrap(), 1);
    }

    async fn owners_come_and_go(f: Fixture) {
        owners::create(&f.db, &owner("1", "grace@example.com"), T0, audit("owner.add")).await.unwrap();
        let twice = owners::create(&f.db, &owner("2", "GRACE@example.com"), T0, audit("owner.add")).await;
        assert!(matches!(twice, Err(StoreError::Exists { .. })));
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        instances::assign_owner(&f.db, &id, Some(&"1".into()), min(1), audit("assign")).await.unwrap();
        assert_eq!(owners::get(&f.db, &"1".into()).await.unwrap().instances, 1);
        let nobody = instances::assign_owner(&f.db, &id, Some(&"7".into()), min(1), audit("assign")).await;
        assert!(matches!(nobody, Err(StoreError::NotFound { .. })));
        owners::remove(&f.db, &"1".into(), min(2), audit("owner.remove")).await.unwrap();
        assert_eq!(instances::get(&f.db, &id).await.unwrap().instance.owner, None);
        assert!(owners::all(&f.db).await.unwrap().is_empty());
    }

    async fn the_audit_log_tells_what_was_done_and_only_that(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let mut entry = audit("scan.now");
        entry.instance = Some(id.clone());
        store::scans::want(&f.db, &id, CONFIG, min(1), Some(entry)).await.unwrap();
        // A change that is refused leaves no entry.
        let refused = instances::create(&f.db, new_instance("b", "a", &[CONFIG]), min(2), audit("onboard")).await;
        assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
        let all = log::list(&f.db, &log::Filter::default(), Cut::first(10)).await.unwrap();
        let actions: Vec<&str> = all.rows.iter().map(|r| r.entry.action.as_str()).collect();
        assert_eq!(actions, ["scan.now", "instance.onboard"]);
        assert_eq!(all.rows[0].at, min(1));
        let of_it = log::Filter { instance: Some(id.clone()), ..log::Filter::default() };
        assert_eq!(log::list(&f.db, &of_it, Cut::first(10)).await.unwrap().total, 1);
        instances::remove(&f.db, &id, min(3), audit("instance.remove")).await.unwrap();
        assert_eq!(log::list(&f.db, &of_it, Cut::first(10)).await.unwrap().total, 1, "it outlives the instance");
        assert_eq!(log::actions(&f.db).await.unwrap().len(), 3);
    }

    async fn settings_are_typed(f: Fixture) {
        assert_eq!(settings::get::<u32>(&f.db, "down_after").await.unwrap(), None);
        settings::put(&f.db, "down_after", &5u32, T0, None).await.unwrap();
        settings::put(&f.db, "down_after", &4u32, T0, Some(audit("setting"))).await.unwrap();
        assert_eq!(settings::get::<u32>(&f.db, "down_after").await.unwrap(), Some(4));
        assert!(settings::get::<Vec<String>>(&f.db, "down_after").await.is_err());
    }

    async fn changes_are_told_after_the_commit(f: Fixture) {
        let mut changes = f.db.changes();
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let told = changes.recv().await.unwrap();
        assert_eq!((told.instance, told.what), (Some(id.clone()), What::Instance));
        assert!(instances::create(&f.db, new_instance("b", "a", &[]), T0, audit("x")).await.is_err());
        claim(&f.db, &id, CONFIG, min(1)).await.unwrap();
        assert_eq!(changes.recv().await.unwrap().what, What::Scan(CONFIG), "the refused one told nothing");
        assert!(changes.try_recv().is_err());
    }

    async fn what_is_old_is_pruned_and_what_counts_stays(f: Fixture) {
        let id = onboard(&f.db, "a", &[CONFIG]).await;
        let failing = [fails("example/one", "alice", model::finding::Severity::Low)];
        run_with(&f.db, &id, CONFIG, min(1), |c| c.results = &failing).await;
        run_with(&f.db, &id, CONFIG, min(2), |_| {}).await;
        let later = T0 + Duration::days(400);
        let before = store::retention::Before { runs: later, drift: later, resolved: later, gone: later };
        let deleted = store::retention::prune(&f.db, before, later).await.unwrap();
        assert_eq!((deleted.runs, deleted.findings), (2, 0), "one run and its day");
        let runs = store::runs::log(&f.db, &store::runs::Filter::default(), Cut::first(9)).await.unwrap();
        assert_eq!((runs.total, runs.rows[0].finished_at), (1, min(2)));
    }
}

async fn tamper(f: &Fixture, text: &'static str) -> Result<(), sqlx::Error> {
    if f.address.starts_with("sqlite") {
        let path = f.address.trim_start_matches("sqlite:");
        let pool = sqlx::SqlitePool::connect(path).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.map(drop)
    } else {
        let pool = sqlx::PgPool::connect(&f.address).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.map(drop)
    }
}

on_both! {
    async fn the_audit_log_cannot_be_changed(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        for text in ["UPDATE audit SET by_name = 'nobody'", "DELETE FROM audit"] {
            let refused = tamper(&f, text).await.expect_err(text).to_string();
            assert!(refused.contains("never changed"), "{refused}");
        }
        let all = log::list(&f.db, &log::Filter::default(), Cut::first(10)).await.unwrap();
        assert_eq!(all.rows[0].entry.by, "ada");
    }
}

#[tokio::test]
async fn nodes_on_one_postgresql_hear_each_other() {
    let Some(address) = pg_address().await else { return };
    // Nodes differ by their randomness.
    let node = async |seed: u64| {
        store::Db::open(&address, &key(1), Counting::from(seed), T0, options()).await.expect("opens")
    };
    let (one, two) = (node(1).await, node(1 << 40).await);
    let (mut near, mut far) = (one.changes(), two.changes());
    let id = onboard(&one, "a", &[CONFIG]).await;
    let heard = far.recv().await.unwrap();
    assert_eq!((heard.instance.as_ref(), heard.what), (Some(&id), What::Instance));
    assert_eq!(near.recv().await.unwrap(), heard);
    store::scans::want(&two, &id, CONFIG, min(1), None).await.unwrap();
    let heard = near.recv().await.unwrap();
    assert_eq!((heard.instance, heard.what), (Some(id), What::Scan(CONFIG)), "and not its own word again");
    one.close().await;
    two.ping().await.expect("the other goes on");
}
