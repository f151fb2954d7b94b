//! What `new-app` and `new-check` write loads and passes as written.

use std::path::Path;

use catalog::{Catalog, examples, mutate, scaffold};

fn write(folder: &Path, files: &[scaffold::NewFile]) {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().expect("inside of the folder")).expect("made");
        std::fs::write(path, &file.text).expect("written");
    }
}

#[test]
fn a_new_application_and_new_checks_pass_as_written() {
    let builtin = Catalog::builtin().catalog;
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), &scaffold::app(&builtin, "acme-chat").expect("the id is free"));
    let folders = [folder.path().to_owned()];
    let with_app = Catalog::load(&folders);
    let mine = |loaded: &catalog::Loaded| {
        loaded
            .errors
            .iter()
            .filter(|e| e.file.starts_with(folder.path()))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(mine(&with_app), [""; 0]);
    for (id, over) in [
        ("acme-chat/one", "settings"),
        ("acme-chat/two", "members"),
        ("acme-chat/three", "account"),
        ("shared/four", "account"),
        ("shared/five", "plugin"),
    ] {
        write(folder.path(), &[scaffold::check(&with_app.catalog, id, over).expect(id)]);
    }
    let loaded = Catalog::load(&folders);
    assert_eq!(mine(&loaded), [""; 0]);
    let app = loaded.catalog.app(&"acme-chat".into()).expect("it is loaded");
    let own: Vec<&str> = app
        .checks
        .iter()
        .map(|c| c.id.as_str())
        .filter(|id| !builtin.shared.iter().any(|c| c.id.as_str() == *id))
        .collect();
    assert_eq!(
        own,
        [
            "acme-chat/members-cannot-invite",
            "acme-chat/one",
            "acme-chat/three",
            "acme-chat/two",
            "shared/four"
        ]
    );
    for check in &app.checks {
        assert_eq!(examples::failures(check), []);
        assert!(mutate::one(check).is_tight(), "{}", mutate::one(check));
    }
}

#[test]
fn a_check_can_be_made_for_every_dataset() {
    let catalog = Catalog::builtin().catalog;
    for app in catalog.apps.values() {
        for dataset in &app.datasets {
            let id = format!("{}/a-new-check", app.id);
            scaffold::check(&catalog, &id, &dataset.spec.name).expect(&dataset.spec.name);
        }
    }
}

#[test]
fn what_cannot_be_made_is_explained() {
    let catalog = Catalog::builtin().catalog;
    let taken = catalog.apps.keys().next().expect("an application").to_string();
    for id in ["Acme", "shared", "", taken.as_str()] {
        assert!(scaffold::app(&catalog, id).is_err(), "{id}");
    }
    let check = |id: &str, over: &str| scaffold::check(&catalog, id, over).err();
    assert!(check("no-slash", "account").is_some());
    assert!(check("nobody/x", "account").is_some_and(|e| e.contains(&taken)));
    assert!(check("shared/x", "settings").is_some());
    assert!(check("shared/account-dormant", "account").is_some_and(|e| e.contains("exists already")));
    assert!(check(&format!("{taken}/x"), "nothing").is_some_and(|e| e.contains("there are")));
}
