//! What is read besides arguments: who is meant, secrets on standard input, consent.
//!
//! No secret is ever an argument: those can be seen by everybody on the machine and stay in the
//! shell's history.

use std::io::{IsTerminal, Read};
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::rules::email::Email;
use crate::rules::id::UserId;
use crate::rules::record::UserRecord;
use crate::service::Context;
use crate::settings::Secret;

/// Longest standard input that is read, in bytes: more than any password or token has.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// A user, as typed: an e-mail address or an identifier.
#[derive(Clone, Debug)]
pub(super) enum UserName {
    /// By identifier.
    Id(UserId),
    /// By e-mail address.
    Address(Email),
}

impl FromStr for UserName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        Email::new(text)
            .map(Self::Address)
            .map_err(|_| "neither an e-mail address nor a user's id".to_owned())
    }
}

impl UserName {
    /// The user who is meant.
    pub(super) async fn find(&self, context: &Context) -> Result<UserRecord, Failure> {
        let now = context.now();
        let (found, said) = match self {
            Self::Id(id) => (context.store.find_user(*id, now).await?, id.to_string()),
            Self::Address(email) => {
                let found = context.store.find_user_by_email(email, now).await?;
                (found, email.as_str().to_owned())
            }
        };
        found.ok_or_else(|| Failure::said(format!("there is no user {said}")))
    }
}

/// A password: all of standard input but for one newline at its end.
pub(super) fn password() -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        return Err(Failure::said(
            "a password is read from a pipe or file, not from a terminal that shows it; \
             try: systemd-ask-password | portcullis … --password-stdin",
        ));
    }
    let text = all_of_stdin("the password")?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(password.to_owned()))
}

/// A token: all of standard input but for blanks around it and what HTTP puts before it.
pub(super) fn token() -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        output::remark("Paste the token, press Enter, then Ctrl-D.")?;
    }
    let text = all_of_stdin("the token")?;
    let mut token = text.trim();
    for prefix in ["Authorization:", "authorization:", "Bearer ", "bearer "] {
        token = token.strip_prefix(prefix).unwrap_or(token).trim_start();
    }
    if token.is_empty() {
        return Err(Failure::said("there is no token on standard input"));
    }
    Ok(Secret::new(token.to_owned()))
}

/// Has whoever typed this consented? Asked, where somebody is there to answer.
pub(super) fn consent(given: bool, question: &str) -> Result<(), Failure> {
    if given {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::said(format!(
            "{question} Nothing was done: say --yes"
        )));
    }
    output::ask(format!("{question} Type yes to go on:"))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::said("nothing was done"))
}

fn all_of_stdin(what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let unreadable =
        |error| Failure::said(format!("cannot read {what} from standard input: {error}"));
    let mut stdin = std::io::stdin().lock().take(MAX_INPUT_BYTES + 1);
    stdin.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(Failure::said(format!(
            "{what} on standard input is longer than {MAX_INPUT_BYTES} bytes"
        )));
    }
    std::str::from_utf8(&bytes)
        .map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| Failure::said(format!("{what} on standard input is not UTF-8 text")))
}
