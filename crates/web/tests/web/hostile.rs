//! Everything that a SaaS, an admin or an address can put on a page stays text there.

use http::StatusCode;

use crate::outline::outline;
use crate::samples::{HOSTILE, HOSTILE_ID};
use crate::support::Site;

/// Pages about an application whose every text tries to be more than text.
fn pages() -> Vec<String> {
    let of = |part: &str| format!("/applications/{HOSTILE_ID}{part}");
    vec![
        "/applications?search=hostile".to_owned(),
        "/applications?search=hostile&layout=list".to_owned(),
        of(""),
        of("/findings"),
        of("/accounts"),
        of("/plugins"),
        of("/drift"),
        of("/history"),
        of("/settings"),
        of("/reauthenticate"),
        format!("/findings/f-{HOSTILE_ID}-0"),
        of("/accounts/hostile"),
        of("/plugins/hostile"),
    ]
}

#[tokio::test]
async fn hostile_text_stays_text_on_every_page() {
    let site = Site::samples();
    for path in pages() {
        let page = site.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains(HOSTILE), "{path} repeats hostile text unescaped");
        assert!(!page.text.contains("<img src=x"), "{path} has an element from hostile text");
        assert!(page.text.contains("img src=x"), "{path} shows no hostile text, so nothing was tried");
        assert!(!page.text.contains('\u{202e}'), "{path} lets a name turn the direction of reading");
        // Unescaped quotes would tear attributes apart: the outline would find elements that overlap or do not end.
        outline(&page.text);
    }
}

#[tokio::test]
async fn an_address_cannot_put_elements_on_a_page() {
    let site = Site::samples();
    let hostile = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    for path in ["/applications", "/findings", "/accounts", "/plugins", "/checks", "/audit"] {
        for parameter in ["search", "owner", "app", "after", "sort", "done", "unknown"] {
            let page = site.get(&format!("{path}?{parameter}={hostile}")).await;
            assert!(!page.text.contains("<img"), "{path} by {parameter}");
            outline(&page.text);
        }
    }
    let page = site.get(&format!("/findings?severity={hostile}")).await;
    assert!(!page.text.contains("<img"));
    let page = site.ask(crate::support::get(&format!("/sign-in?next=/{hostile}"), None)).await;
    assert!(!page.text.contains("<img"));
}
