//! The overview's drawings: what they say to whoever does not see them, and that nothing they show is
//! in the shapes alone.

use portcullis::http::views::{AdminOverviewPage, Page, Renderer};
use serde_json::{Value, json};

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::pages::fits;
use crate::samples::show;
use crate::support::{PASSWORD, Server};

/// Opens every table, and tells of each drawing its title, the numbers written on it and all numbers of
/// its table.
const DRAWINGS: &str = "
    document.querySelectorAll('details').forEach(details => details.open = true);
    const texts = (of, what) => [...of.querySelectorAll(what)].map(e => e.textContent.trim());
    return [...document.querySelectorAll('svg.plot')].map(plot => {
        const card = plot.closest('section');
        return {
            title: plot.querySelector('title').textContent,
            marks: texts(plot, '.mark-text'),
            columns: texts(plot, '.column title'),
            spans: texts(card, 'tbody th'),
            cells: texts(card, 'tbody td').map(text => text.replace(/^–/, '')),
            visible: card.querySelector('tbody td').getBoundingClientRect().height > 0,
        };
    });";

/// Text of a drawing that lies on other text or beyond the card, at any size.
const COLLISIONS: &str = "
    const boxes = [...document.querySelectorAll('svg.plot text')].map(e => [e, e.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0);
    const found = [];
    for (const [one, a] of boxes) {
        const card = one.closest('section').getBoundingClientRect();
        if (a.left < card.left || a.right > card.right) found.push('beyond: ' + one.textContent);
        for (const [other, b] of boxes) {
            if (one === other || one.closest('svg.plot') !== other.closest('svg.plot')) continue;
            const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const under = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (over > 1 && under > 3) found.push(one.textContent + ' on ' + other.textContent);
        }
    }
    return found;";

fn texts(value: &Value) -> Vec<&str> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

/// The number that a text begins with.
fn number(text: &str) -> &str {
    text.split(' ').next().unwrap()
}

#[tokio::test]
async fn drawings_say_what_they_show_to_whoever_does_not_see_them() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    for _ in 0..2 {
        server.sign_in(&ada).await;
    }
    server.try_sign_in(&ada.email, "wrong").await;
    let driver = Driver::start();
    let options = Options {
        without_scripts: true,
        ..Options::default()
    };
    let browser = Chromium::open(&driver, options).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in(&admin.email, PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    browser.go(&format!("{}/admin", server.base)).await;

    let tree = browser
        .session
        .devtools("Accessibility.getFullAXTree", json!({}))
        .await;
    let nodes = tree["nodes"].as_array().unwrap();
    let named = |role: &str| -> Vec<&str> {
        let of_role = nodes
            .iter()
            .filter(|node| node["ignored"] == false && node["role"]["value"] == role);
        of_role
            .filter_map(|node| node["name"]["value"].as_str())
            .collect()
    };
    let images = named("image");
    for begin in [
        "Live sessions over the last 24 hours: 3 now, 3 at most on ",
        "Sessions started and ended over the last 24 hours: 3 started, 0 ended; most started: ",
        "Refused sign-ins over the last 24 hours: 1 in all; most: 1 on ",
    ] {
        let found = images.iter().filter(|name| name.starts_with(begin)).count();
        assert_eq!(found, 1, "{begin}: {images:?}");
    }
    // Bars in tables are said by the numbers beside them.
    assert_eq!(images.len(), 3, "{images:?}");
    assert!(
        named("rowheader").contains(&"editor"),
        "{:?}",
        named("rowheader")
    );

    // The tables open without a script.
    let cells = "//section[h2 or div/h2='Live sessions']//details//td";
    assert!(!browser.is_displayed(cells).await);
    browser
        .press("//section[div/h2='Live sessions']//summary")
        .await;
    assert!(browser.is_displayed(cells).await);
    // A range is another page.
    browser.click("//a[.='7 days']").await;
    browser.arrives_at(&format!("{}/admin", server.base)).await;
    assert!(browser.url().await.ends_with("/admin?range=week"));
    assert!(browser.console().await.is_empty());
}

#[tokio::test]
async fn what_is_written_on_drawings_is_in_their_tables_and_fits() {
    let server = Server::start().await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    let renderer = Renderer::load().unwrap();
    let mut marks = 0;
    for (sample, page) in AdminOverviewPage::samples().iter().enumerate() {
        show(&browser, &renderer.render(page).unwrap()).await;
        let drawings = browser.script(DRAWINGS).await;
        let drawings = drawings.as_array().unwrap();
        assert!(drawings.len() >= 2, "{sample}: {drawings:?}");
        for drawing in drawings {
            let title = drawing["title"].as_str().unwrap();
            assert_eq!(drawing["visible"], true, "{title}");
            let cells = texts(&drawing["cells"]);
            for mark in texts(&drawing["marks"]) {
                assert!(cells.contains(&number(mark)), "{title}: {mark}: {cells:?}");
                assert!(title.contains(number(mark)), "{title}: {mark}");
                marks += 1;
            }
            // Each column says to a pointer what its row says, in the other order.
            let columns = texts(&drawing["columns"]);
            let spans = texts(&drawing["spans"]);
            assert_eq!(columns.len(), spans.len(), "{title}");
            let width = cells.len() / spans.len();
            for (row, column) in columns.iter().rev().enumerate() {
                assert!(column.starts_with(spans[row]), "{title}: {column}");
                let shown = cells[row * width];
                assert!(column.contains(shown), "{title}: {column}: {shown}");
            }
        }
        // A tablet too, where drawings stand beside one another in little room.
        for width in [360, 390, 700, 960, 1280] {
            fits(&browser, &format!("sample {sample}"), width).await;
            let found = browser.script(COLLISIONS).await;
            assert_eq!(found, json!([]), "sample {sample} at {width}");
        }
    }
    assert!(marks > 10, "only {marks} numbers were seen");
}
