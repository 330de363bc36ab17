//! Where mails go, and from whom they come.

use std::net::IpAddr;

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::settings::values::fault;
use crate::settings::{Secret, SettingsError};

const URL: &str = "PORTCULLIS_SMTP_URL";
const FROM: &str = "PORTCULLIS_MAIL_FROM";

/// How the connection to the mail server is kept from being read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MailSecurity {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// TLS from STARTTLS on (RFC 3207); without it nothing is sent.
    StartTls,
    /// None: it does not leave this machine.
    Loopback,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub security: MailSecurity,
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
}

/// Reads the address of a mail server. No message quotes it, since it may hold a password.
pub(super) fn smtp(text: &str) -> Result<Smtp, SettingsError> {
    let url = Url::parse(text).map_err(|_| {
        fault(
            URL,
            "it is not a URL such as smtp://user:password@host:587; a password with signs such as # or / must have them percent-encoded",
        )
    })?;
    let wanted = match url.scheme() {
        "smtps" => MailSecurity::Tls,
        "smtp" => MailSecurity::StartTls,
        _ => return Err(fault(URL, "it must begin with smtp:// or smtps://")),
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let Some(host) = host.map(|host| host.trim_matches(['[', ']']).to_owned()) else {
        return Err(fault(URL, "it names no host"));
    };
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare {
        return Err(fault(URL, "there must be nothing behind host and port"));
    }
    let (port, security) = match wanted {
        MailSecurity::StartTls if is_loopback(&host) => (587, MailSecurity::Loopback),
        MailSecurity::Tls => (465, wanted),
        MailSecurity::StartTls | MailSecurity::Loopback => (587, wanted),
    };
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| fault(URL, "user and password must be UTF-8"))
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        ("", Some(_)) => return Err(fault(URL, "there is a password without a user")),
        (_, None) => return Err(fault(URL, "there is a user without a password")),
        (user, Some(password)) => Some((decoded(user)?, Secret::new(decoded(password)?))),
    };
    Ok(Smtp {
        host,
        port: url.port().unwrap_or(port),
        security,
        credentials,
    })
}

/// Reads from whom mails come. Mails that only become files may come from nobody in particular.
pub(super) fn mail_from(text: &str, is_sent: bool) -> Result<Mailbox, SettingsError> {
    let text = match text {
        "" if is_sent => {
            let problem = format!("it must be set, since {URL} is");
            return Err(fault(FROM, &problem));
        }
        "" => "Portcullis <portcullis@localhost>",
        text => text,
    };
    text.parse().map_err(|_| {
        let problem =
            format!("`{text}` is neither an e-mail address nor a name with one: Name <address>");
        fault(FROM, &problem)
    })
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(_)) | Err(_) => host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::{MailSecurity, mail_from, smtp};
    use crate::settings::SettingsError;

    #[test]
    fn only_what_stays_on_this_machine_may_go_without_tls() -> Result<(), SettingsError> {
        for (url, port, security) in [
            ("smtp://mail.example.org", 587, MailSecurity::StartTls),
            ("smtp://mail.example.org:25", 25, MailSecurity::StartTls),
            ("smtp://192.0.2.1", 587, MailSecurity::StartTls),
            ("smtp://localhost.example.org", 587, MailSecurity::StartTls),
            ("smtp://0.0.0.0:25", 25, MailSecurity::StartTls),
            ("smtp://localhost:1025", 1025, MailSecurity::Loopback),
            ("smtp://127.0.0.1", 587, MailSecurity::Loopback),
            ("smtp://[::1]:25", 25, MailSecurity::Loopback),
            ("smtps://mail.example.org", 465, MailSecurity::Tls),
            ("smtps://localhost:465/", 465, MailSecurity::Tls),
        ] {
            let read = smtp(url)?;
            assert_eq!((read.port, read.security), (port, security), "{url}");
        }
        let read = smtp("smtp://a%40b:p%2Fw%23@mail.example.org")?;
        let read = read
            .credentials
            .map(|(user, password)| (user, password.reveal().to_owned()));
        assert_eq!(read, Some(("a@b".to_owned(), "p/w#".to_owned())));
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_never_quoted() {
        for url in [
            "mail.example.org",
            "http://secret@mail.example.org",
            "smtp://user:secret@",
            "smtp://user:secret@mail.example.org/path",
            "smtp://user:secret@mail.example.org?tls=none",
            "smtp://user@mail.example.org",
            "smtp://:secret@mail.example.org",
            "smtp://user:sec#ret@mail.example.org",
            "smtp://user:secret@mail.example.org:99999",
        ] {
            let problem = smtp(url).err().map(|error| error.to_string());
            assert!(
                problem
                    .as_ref()
                    .is_some_and(|text| !text.contains("secret")),
                "{url}: {problem:?}"
            );
        }
    }

    #[test]
    fn mails_that_are_sent_come_from_somebody() {
        assert!(mail_from("", false).is_ok());
        assert!(mail_from("", true).is_err());
        assert!(mail_from("gate@example.org", true).is_ok());
        assert!(mail_from("The Gate <gate@example.org>", true).is_ok());
        assert!(mail_from("gate", true).is_err());
        assert!(mail_from("gate@example.org\r\nBcc: thief@example.org", true).is_err());
    }
}
