//! Every sample of every page, which between them take both arms of each condition.

use portcullis::http::views::{
    AccountPage, AdminOverviewPage, AdminSessionsPage, AdminUserPage, AdminUsersPage, AuditPage,
    ChooseSessionPage, DeleteUserPage, EndEveryonePage, ErrorPage, InvitationDeadPage,
    InvitationMadePage, InvitationPage, NewUserPage, Page, PoliciesPage, PolicyPage, Renderer,
    SecurityPage, SessionsPage, SetUpPage, SignInPage, StepUpPage, VerifyEmailPage,
};
use serde_json::json;

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::pages::{WIDTHS, fits};
use crate::support::Server;

/// Each sample as HTML, with the name of its template.
fn drawn() -> Vec<(String, String)> {
    let renderer = Renderer::load().unwrap();
    let mut all = Vec::new();
    macro_rules! draw {
        ($($page:ty)*) => {$(
            for (number, page) in <$page>::samples().iter().enumerate() {
                let name = format!("{} {number}", <$page>::TEMPLATE);
                all.push((name, renderer.render(page).unwrap()));
            }
        )*};
    }
    draw! {
        AccountPage SecurityPage AdminOverviewPage AdminSessionsPage EndEveryonePage AdminUserPage
        AdminUsersPage DeleteUserPage InvitationMadePage NewUserPage AuditPage ErrorPage
        PoliciesPage PolicyPage ChooseSessionPage SessionsPage InvitationDeadPage InvitationPage SetUpPage SignInPage StepUpPage
        VerifyEmailPage
    }
    all
}

#[tokio::test]
async fn every_sample_fits_every_screen() {
    let server = Server::start().await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    for (name, html) in drawn() {
        show(&browser, &html).await;
        for width in WIDTHS {
            fits(&browser, &name, width).await;
        }
    }
}

/// Puts a page into the one that is shown, whose content policy it keeps.
pub async fn show(browser: &Chromium, html: &str) {
    let tree = browser
        .session
        .devtools("Page.getFrameTree", json!({}))
        .await;
    let frame = &tree["frameTree"]["frame"]["id"];
    let document = json!({ "frameId": frame, "html": html });
    browser
        .session
        .devtools("Page.setDocumentContent", document)
        .await;
    // Its stylesheet counts from here on.
    let styled = "const [link] = document.styleSheets; return link ? link.cssRules.length : 0";
    let until = std::time::Instant::now() + crate::process::DEADLINE;
    while browser.script(styled).await == 0 {
        assert!(
            std::time::Instant::now() < until,
            "no stylesheet in {html:.200}"
        );
    }
}
