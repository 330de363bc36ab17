//! The README's five minutes, run as they stand there.

use std::process::{Command, Stdio};

use crate::binary::Portcullis;
use crate::documents::{block, replaced};

#[test]
fn the_tour_of_the_readme_does_what_it_says() {
    let server = Portcullis::start();
    let script = replaced(
        &block("README.md", "tour"),
        &[
            (
                "target/release/portcullis",
                env!("CARGO_BIN_EXE_portcullis"),
            ),
            ("http://localhost:8080", &server.base),
        ],
    );
    let ran = Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", &script])
        .current_dir(server.directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("no bash: run bin/test, which installs it");
    let said = String::from_utf8_lossy(&ran.stdout);
    let whole = format!("{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{whole}");

    let place = |text: &str| {
        said.find(text)
            .unwrap_or_else(|| panic!("no {text} in {whole}"))
    };
    let steps = [
        place("HTTP/1.1 200 OK"),
        place("x-user-email: ada@example.org"),
        place("{\"sessions\":["),
        place("\n204\n"),
        place("\"code\":\"session-ended\",\"reason\":\"ended-by-admin\""),
    ];
    assert!(steps.is_sorted(), "{whole}");
    assert!(said.ends_with("\n200\n"), "{whole}");
}
