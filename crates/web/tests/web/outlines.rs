//! Every page as an accessibility outline: what a screen reader meets, in order. Markup may change freely; what people
//! can read, reach and press may not change unnoticed.

use http::StatusCode;

use crate::outline::outline;
use crate::samples::Samples;
use crate::support::{Site, get};

async fn snapshot(name: &str, path: &str) {
    let page = Site::samples().get(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}");
    let outline = outline(&page.text);
    assert_eq!(outline.matches("  h1: ").count(), 1, "{path} has one main heading");
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, outline);
    });
}

macro_rules! pages {
    ($($name:ident: $path:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            snapshot(stringify!($name), $path).await;
        }
    )*};
}

pages! {
    applications: "/applications";
    applications_as_list: "/applications?layout=list";
    applications_filtered_to_nothing: "/applications?search=nothing";
    applications_of_a_fresh_server: "/applications?search=new";
    summary: "/applications/i-acme";
    summary_before_the_first_result: "/applications/i-directory";
    drift: "/applications/i-acme/drift";
    history: "/applications/i-acme/history?kind=accounts";
    settings_of_an_unhealthy_application: "/applications/i-acme/settings";
    settings_of_a_down_application: "/applications/i-globex/settings";
    settings_with_a_scan_that_is_not_enabled: "/applications/i-initech/settings";
    settings_while_the_first_scan_runs: "/applications/i-directory/settings";
    settings_of_a_paused_application: "/applications/i-umbrella/settings";
    add_application: "/applications/add";
    add_github: "/applications/add/github";
    reauthenticate: "/applications/i-globex/reauthenticate?auth=token";
    findings: "/findings?severity=high";
    findings_of_one_application: "/applications/i-acme/findings";
    finding: "/findings/f-i-acme-0";
    accounts: "/accounts";
    account: "/applications/i-acme/accounts/j.petersen";
    plugins: "/plugins";
    plugin: "/applications/i-acme/plugins/app%2F77";
    checks: "/checks";
    check: "/checks/github/github/org-requires-2fa";
    plugins_across_applications: "/plugins/across";
    plugins_by_user: "/plugins/users";
    people: "/people";
    people_without_an_identity_provider: "/people?search=nobody";
    person: "/people/i-directory%2Famira.haddad";
    exceptions: "/exceptions";
    identity_providers: "/identity-providers";
    owners: "/owners";
    notifications: "/settings/notifications";
    digest: "/settings/notifications/digest";
    audit: "/audit";
}

#[tokio::test]
async fn sign_in() {
    let page = Site::samples().ask(get("/sign-in", None)).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("sign_in", outline(&page.text));
    });
}

#[tokio::test]
async fn set_up() {
    let mut samples = Samples::new();
    samples.fresh = true;
    let page = Site::new(samples, web::WebConfig::default()).ask(get("/set-up", None)).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("set_up", outline(&page.text));
    });
}

#[tokio::test]
async fn verification() {
    let page = Site::samples()
        .post("/applications/i-globex/reauthenticate", "auth=app&secret.app_id=1&secret.private_key=k")
        .await;
    assert_eq!(page.status, StatusCode::OK);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("verification", outline(&page.text));
    });
}
