//! What the dependencies may be, held to `deny.toml` also where `cargo deny` is not installed.

use std::process::Command;

use serde_json::Value;

use crate::top;

/// The texts in a list of `deny.toml`.
fn listed(deny: &str, name: &str) -> Vec<String> {
    let (_, rest) = deny.split_once(&format!("\n{name} = [")).unwrap();
    let (list, _) = rest.split_once("]").unwrap();
    let texts: Vec<String> = list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!texts.is_empty(), "{name}");
    texts
}

fn read(name: &str) -> String {
    std::fs::read_to_string(top().join(name)).unwrap()
}

/// Everything that is compiled into the program, its tests or its build here.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: Vec<&Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| &n["id"])
        .collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| used.contains(&&package["id"]))
        .cloned()
        .collect()
}

/// Is a licence expression (SPDX, or its old form with slashes) satisfied by these licences?
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let allowed = any(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression} is not understood");
    allowed
}

fn any(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut good = all(rest, allowed);
    while let Some((&"OR", after)) = rest.split_first() {
        *rest = after;
        good |= all(rest, allowed);
    }
    good
}

fn all(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut good = one(rest, allowed);
    while let Some((&"AND", after)) = rest.split_first() {
        *rest = after;
        good &= one(rest, allowed);
    }
    good
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    let (first, after) = rest.split_first().unwrap();
    *rest = after;
    if *first == "(" {
        let good = any(rest, allowed);
        *rest = rest.strip_prefix(&[")"]).unwrap();
        return good;
    }
    let mut licence = (*first).to_owned();
    if let [with @ "WITH", exception, after @ ..] = *rest {
        licence = format!("{first} {with} {exception}");
        *rest = after;
    }
    allowed.contains(&licence)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, good) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 AND GPL-3.0 OR MIT", true),
        ("MIT AND (GPL-3.0 OR MIT)", true),
        ("(GPL-3.0 OR MIT) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), good, "{expression}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let allowed = listed(&read("deny.toml"), "allow");
    let packages = packages();
    assert!(packages.len() > 100);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(
            is_allowed(licence, &allowed),
            "{}: {licence}",
            package["name"]
        );
    }
}

#[test]
fn nothing_banned_is_among_the_dependencies_and_all_come_from_the_one_registry() {
    let deny = read("deny.toml");
    let lock = read("Cargo.lock");
    for banned in listed(&deny, "deny") {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned}");
    }
    let registry = &listed(&deny, "allow-registry")[0];
    let sources: Vec<&str> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .collect();
    assert!(sources.len() > 100);
    for source in sources {
        assert_eq!(source, format!("source = \"registry+{registry}\""));
    }
}
