use std::collections::BTreeMap;

use model::time::Duration;
use secrecy::ExposeSecret as _;
use store::instances::renewal::{self, Renewing};
use store::instances::{self, NewCredential};
use store::{Context, StoreError};

use crate::support::*;

async fn token(f: &Fixture, id: &str, origins: &BTreeMap<String, String>) -> Result<String, StoreError> {
    let secrets = instances::credential(&f.db, &id.into(), origins).await?;
    Ok(secrets["token"].expose_secret().to_owned())
}

fn renewing(version: i64) -> Renewing {
    let (instance, app) = ("a".into(), "example".into());
    Renewing { instance, app, origins: origins(), field: "token", version }
}

async fn exec(f: &Fixture, text: &'static str) {
    if let Some(path) = f.address.strip_prefix("sqlite:") {
        let pool = sqlx::SqlitePool::connect(path).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
    } else {
        let pool = sqlx::PgPool::connect(&f.address).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
    }
}

on_both! {
    async fn a_credential_opens_only_for_the_origins_it_was_sealed_for(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        assert_eq!(token(&f, "a", &origins()).await.unwrap(), "hunter2-secret");
        let mut other = origins();
        other.insert("api".to_owned(), "https://api.example.net".to_owned());
        assert!(matches!(token(&f, "a", &other).await, Err(StoreError::SealBroken)), "another address");
        let mut more = origins();
        more.insert("logs".to_owned(), "https://logs.example.com".to_owned());
        let e = token(&f, "a", &more).await.expect_err("one more receiver");
        assert!(e.to_string().contains("reauthenticate"), "{e}");
        let renamed = BTreeMap::from([("web".to_owned(), "https://api.example.com".to_owned())]);
        assert!(matches!(token(&f, "a", &renamed).await, Err(StoreError::SealBroken)), "another host's name");
    }

    async fn a_moved_or_relabelled_row_does_not_open(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        onboard(&f.db, "b", &[CONFIG]).await;
        exec(&f, "DELETE FROM secrets WHERE instance_id = 'b'; UPDATE secrets SET instance_id = 'b'").await;
        assert!(matches!(token(&f, "b", &origins()).await, Err(StoreError::SealBroken)), "another instance");
        exec(&f, "UPDATE secrets SET instance_id = 'a', field = 'key'").await;
        let found = instances::credential(&f.db, &"a".into(), &origins()).await;
        assert!(matches!(found, Err(StoreError::SealBroken)), "another field");
        exec(&f, "UPDATE secrets SET field = 'token'; UPDATE instances SET app = 'other'").await;
        assert!(matches!(token(&f, "a", &origins()).await, Err(StoreError::SealBroken)), "another application");
        exec(&f, "UPDATE instances SET app = 'example' WHERE id = 'a'; UPDATE secrets SET version = 2").await;
        assert!(matches!(token(&f, "a", &origins()).await, Err(StoreError::SealBroken)), "another version");
        exec(&f, "UPDATE secrets SET version = 1").await;
        assert_eq!(token(&f, "a", &origins()).await.unwrap(), "hunter2-secret", "as it was");
    }

    async fn a_replaced_credential_leaves_nothing_of_the_old_one(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        let hash_key = instances::hash_key(&f.db, &"a".into()).await.unwrap();
        let new = NewCredential {
            auth: "basic".to_owned(),
            settings: BTreeMap::new(),
            origins: origins(),
            identity: identity("acme"),
            secrets: [("password", "second"), ("user", "svc")]
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned().into()))
                .collect(),
            stop: std::collections::BTreeSet::new(),
            enable: std::collections::BTreeSet::new(),
            gaps: BTreeMap::new(),
            by: "ada".to_owned(),
        };
        instances::reauthenticate(&f.db, &"a".into(), new, min(1), audit("reauthenticate")).await.unwrap();
        let found = instances::credential(&f.db, &"a".into(), &origins()).await.unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.expose_secret())).collect();
        assert_eq!(found, [("password", "second"), ("user", "svc")]);
        assert_eq!(*instances::hash_key(&f.db, &"a".into()).await.unwrap(), *hash_key, "hashes stay comparable");
        onboard(&f.db, "b", &[CONFIG]).await;
        assert_ne!(*instances::hash_key(&f.db, &"b".into()).await.unwrap(), *hash_key);
    }

    async fn a_renewed_field_is_kept_for_its_credential_alone(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        let of = renewing(1);
        let opened = |of: Renewing| {
            let db = f.db.clone();
            async move { renewal::renewed(&db, &of).await.map(|v| v.map(|v| v.expose_secret().to_owned())) }
        };
        assert_eq!(opened(of.clone()).await.unwrap().as_deref(), Some("hunter2-secret"));
        assert!(renewal::keep_renewed(&f.db, &of, &"second".to_owned().into()).await.unwrap());
        assert_eq!(opened(of.clone()).await.unwrap().as_deref(), Some("second"));
        assert_eq!(token(&f, "a", &origins()).await.unwrap(), "second", "opened with the rest");
        // Other origins: neither read nor, what is worse, written so that it opens there.
        let elsewhere = Renewing {
            origins: BTreeMap::from([("api".to_owned(), "https://api.example.net".to_owned())]),
            ..of.clone()
        };
        assert!(matches!(opened(elsewhere).await, Err(StoreError::SealBroken)));
        // A credential that was replaced is another one.
        let new = NewCredential {
            auth: "token".to_owned(),
            settings: BTreeMap::new(),
            origins: origins(),
            identity: identity("acme"),
            secrets: BTreeMap::from([("token".to_owned(), "replaced".to_owned().into())]),
            stop: std::collections::BTreeSet::new(),
            enable: std::collections::BTreeSet::new(),
            gaps: BTreeMap::new(),
            by: "ada".to_owned(),
        };
        instances::reauthenticate(&f.db, &"a".into(), new, min(1), audit("reauthenticate")).await.unwrap();
        assert_eq!(opened(of.clone()).await.unwrap(), None);
        assert!(!renewal::keep_renewed(&f.db, &of, &"late".to_owned().into()).await.unwrap());
        assert_eq!(token(&f, "a", &origins()).await.unwrap(), "replaced");
        assert_eq!(opened(renewing(2)).await.unwrap().as_deref(), Some("replaced"));
    }

    async fn one_at_a_time_may_renew(f: Fixture) {
        onboard(&f.db, "a", &[CONFIG]).await;
        onboard(&f.db, "b", &[CONFIG]).await;
        let (a, b) = ("a".into(), "b".into());
        let ttl = Duration::minutes(10);
        let take = |id, who, at| renewal::take_turn(&f.db, id, who, min(at), ttl);
        assert!(take(&a, "one", 0).await.unwrap());
        assert!(!take(&a, "two", 1).await.unwrap(), "somebody has it");
        assert!(!take(&a, "one", 1).await.unwrap(), "a turn is not prolonged");
        assert!(take(&b, "two", 1).await.unwrap(), "another instance is another matter");
        renewal::end_turn(&f.db, &a, "two").await.unwrap();
        assert!(!take(&a, "two", 2).await.unwrap(), "nobody ends somebody else's turn");
        renewal::end_turn(&f.db, &a, "one").await.unwrap();
        assert!(take(&a, "two", 2).await.unwrap());
        assert!(take(&a, "three", 12).await.unwrap(), "whoever died is waited for no longer");
        renewal::end_turn(&f.db, &a, "two").await.unwrap();
        assert!(!take(&a, "four", 13).await.unwrap(), "its turn had gone to somebody else");
        instances::remove(&f.db, &a, min(14), audit("remove")).await.unwrap();
        assert!(take(&a, "five", 14).await.is_err(), "there is nothing to renew");
        assert!(take(&b, "three", 9 * 1440).await.unwrap(), "by a clock that runs days ahead");
        assert!(take(&b, "four", 15).await.unwrap(), "and is set right");
    }

    async fn a_draft_opens_only_where_it_belongs(f: Fixture) {
        let sealed = f.db.seal(&["draft", "ada"], b"hunter2").unwrap();
        assert_eq!(f.db.unseal(&["draft", "ada"], &sealed).unwrap().expose_secret(), b"hunter2");
        assert!(f.db.unseal(&["draft", "bob"], &sealed).is_err());
        assert!(f.db.unseal(&["draftada"], &sealed).is_err(), "parts do not run together");
        assert!(f.db.unseal(&["draft", "ada"], &sealed[..20]).is_err());
    }
}

#[test]
fn every_changed_byte_of_a_sealed_value_is_noticed() {
    let (key, context) = (key(3), Context::of(&["x"]));
    let sealed = key.seal(&context, b"hunter2", Counting::new().as_ref()).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key.open(&context, &changed).is_err(), "byte {at}");
        assert!(key.open(&context, &sealed[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(key.open(&context, &sealed).unwrap().expose_secret(), b"hunter2");
    let again = key.seal(&context, b"hunter2", Counting::new().as_ref()).unwrap();
    assert_eq!(again.len(), sealed.len());
}

#[tokio::test]
async fn a_planted_secret_is_nowhere_in_the_files() {
    let f = lite().await;
    onboard(&f.db, "a", &[CONFIG]).await;
    let shown = format!("{:?}", new_instance("a", "a", &[CONFIG]));
    assert!(!shown.contains("hunter2-secret"), "Debug prints no secret");
    let folder = std::path::Path::new(f.address.trim_start_matches("sqlite:")).parent().unwrap().to_owned();
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        looked += bytes.len();
        assert!(!bytes.windows(14).any(|w| w == b"hunter2-secret"));
    }
    assert!(looked > 10_000, "the write-ahead log was there to be searched");
}
