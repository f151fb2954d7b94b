//! Signing in at a vendor: the pages on the way there and back.

use http::StatusCode;

use crate::outline::outline;
use crate::support::{Site, get, post};

fn done(site: &Site) -> Vec<String> {
    site.samples.done.lock().expect("no test panics while it holds the list").clone()
}

#[tokio::test]
async fn the_way_there_and_back() {
    let site = Site::samples();
    let form = site.get("/applications/add/github?auth=person").await;
    assert!(form.text.contains("https://parapet.example/connect/github"), "what to register at the vendor");
    let leaving = site.post("/applications/add/github", "auth=person&secret.client_id=1").await;
    insta::assert_snapshot!("leaving", outline(&leaving.text));
    let link = "href=\"https://github.example/login/oauth/authorize?client_id=1&#38;state=s-new\" rel=\"noreferrer\"";
    assert!(leaving.text.contains(link), "{}", leaving.text);
    let back = site.get("/connect/github?state=s-new&code=good").await;
    assert_eq!(back.status, StatusCode::OK);
    insta::assert_snapshot!("back", outline(&back.text));
    assert_eq!(done(&site), Vec::<String>::new(), "coming back is a GET");
    let verified = site.post("/connect/github", "state=s-new&code=good").await;
    assert_eq!(verified.status, StatusCode::OK);
    assert!(verified.text.contains("Nothing has been saved yet."));
    assert!(verified.text.contains("action=\"/applications/add/github/save\""));
    assert_eq!(done(&site), ["redeem the code of s-new for github"]);
    let known = site.post("/connect/github", "state=s-known&code=good").await;
    assert!(known.text.contains("action=\"/applications/i-globex/reauthenticate/save\""), "{}", known.text);
}

#[tokio::test]
async fn what_is_sent_by_post_is_shown_before_the_credential_is_entered() {
    let site = Site::samples();
    let form = site.get("/applications/add/github?deployment=server").await;
    let says = "This application sends POST requests to: <code>https://github.example/search</code>.";
    assert!(form.text.contains(says), "{}", form.text);
    let form = site.get("/applications/add/github").await;
    assert!(!form.text.contains("POST requests"), "nothing is said where nothing is sent");
    // And again before it is saved.
    let verified = site.post("/applications/i-globex/reauthenticate", "auth=app&secret.app_id=1").await;
    let says = "<dt>Sends POST requests to</dt><dd><code>https://github.example/search</code></dd>";
    assert!(verified.text.contains(says), "{}", verified.text);
}

#[tokio::test]
async fn what_a_vendor_refuses_is_shown_and_nothing_else_is_done() {
    let site = Site::samples();
    let hostile = "%3Cimg%20src%3Dx%3E";
    for (query, says) in [
        (
            "state=s-new&error=access_denied&error_description=The+user+said+no",
            "access_denied: The user said no.",
        ),
        ("state=s-new&error=access_denied&code=good", "access_denied."),
        ("state=s-new", "without a code"),
        (&format!("state=s-new&error={hostile}&error_description={hostile}"), "img src=x"),
    ] {
        let page = site.get(&format!("/connect/github?{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(page.text.contains(says), "{query}: {}", page.text);
        assert!(!page.text.contains("<img") && !page.text.contains("value=\"good\""), "{query}");
        assert!(page.text.contains("Begin again"), "{query}");
    }
    let refused = site.post("/connect/github", "state=s-known&code=bad").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("does not accept the code"));
    assert!(refused.text.contains("href=\"/applications/i-globex/reauthenticate\""));
    assert_eq!(done(&site), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_else_can_end_a_sign_in() {
    let site = Site::samples();
    for path in ["/connect/github?state=s-guessed&code=good", "/connect/github?code=good"] {
        assert_eq!(site.get(path).await.status, StatusCode::CONFLICT, "{path}");
    }
    assert_eq!(site.post("/connect/github", "state=s-guessed&code=good").await.status, StatusCode::CONFLICT);
    let unsigned = site.ask(get("/connect/github?state=s-new&code=good", None)).await;
    assert_eq!(unsigned.status, StatusCode::SEE_OTHER, "to the sign-in page");
    let foreign = site.ask(post("/connect/github", Some("admin"), "state=s-new&code=good")).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "without the session's token");
    assert_eq!(done(&site), Vec::<String>::new());
}
