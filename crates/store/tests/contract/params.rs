use model::id::CheckId;
use serde_json::json;
use store::params::{self, Params, SetParam};
use store::{StoreError, instances};

use crate::support::*;

fn set(value: serde_json::Value, by: &str) -> SetParam {
    SetParam { value, by: by.to_owned(), at: min(1) }
}

on_both! {
    async fn parameters_are_kept_by_instance_and_go_with_it(f: Fixture) {
        let (a, b) = (onboard(&f.db, "a", &[CONFIG]).await, onboard(&f.db, "b", &[CONFIG]).await);
        let (owners, doors) = (CheckId::from("x/owners"), CheckId::from("x/doors"));
        let put = async |of, check: &CheckId, name, value| {
            params::set(&f.db, of, (check, name), value, min(1), audit("parameter changed")).await
        };
        assert_eq!(params::of(&f.db, &a).await.unwrap(), Params::new());
        put(&a, &owners, "max", Some(set(json!(5), "ada"))).await.unwrap();
        put(&a, &owners, "min", Some(set(json!(1), "ada"))).await.unwrap();
        put(&a, &doors, "open", Some(set(json!(["hatch"]), "ada"))).await.unwrap();
        put(&a, &owners, "max", Some(set(json!(6), "grace"))).await.unwrap();
        let kept = params::of(&f.db, &a).await.unwrap();
        assert_eq!(kept[&owners]["max"], set(json!(6), "grace"));
        assert_eq!((kept[&owners].len(), kept[&doors]["open"].value.clone()), (2, json!(["hatch"])));
        assert_eq!(params::of(&f.db, &b).await.unwrap(), Params::new(), "only where it was set");

        put(&a, &owners, "max", None).await.unwrap();
        put(&a, &doors, "open", None).await.unwrap();
        put(&a, &doors, "never set", None).await.unwrap();
        let kept = params::of(&f.db, &a).await.unwrap();
        assert_eq!(kept.keys().collect::<Vec<_>>(), [&owners]);

        instances::remove(&f.db, &a, min(2), audit("removed")).await.unwrap();
        assert_eq!(params::of(&f.db, &a).await.unwrap(), Params::new());
        let gone = put(&a, &owners, "max", Some(set(json!(5), "ada"))).await;
        assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    }
}
