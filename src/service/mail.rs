//! Telling people by mail: to a mail server, or as files where none is set.
//!
//! Knows how a mail leaves. What it says is decided in `compose`, how it reads in `letter`.

mod compose;
pub mod files;
mod letter;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{self, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

use crate::rules::outbox::{Consumer, Delivery};
use crate::service::Context;
use crate::service::mail::compose::compose;
use crate::service::mail::letter::{Letter, Letters};
use crate::service::outbox::{Deliverer, Delivering, NotDelivered};
use crate::settings::{MailSecurity, Settings, Smtp};

/// Longest wait for each answer of the mail server.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest that one mail may take, well within the lease of its delivery.
const LONGEST: Duration = Duration::from_secs(45);

/// Why mails cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The templates in this binary are broken.
    #[error("the templates of mails could not be read")]
    Templates(#[source] tera::Error),
    /// TLS cannot be set up for this host.
    #[error("PORTCULLIS_SMTP_URL: TLS with this host cannot be set up")]
    Tls(#[source] smtp::Error),
}

/// Sends mails. Made once.
pub struct Mailer {
    letters: Letters,
    from: Mailbox,
    way: Way,
    /// What identifiers of mails end with.
    host: String,
}

enum Way {
    Server(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

impl Mailer {
    /// Gets ready to send as the settings say; connects to nobody yet.
    pub fn new(settings: &Settings) -> Result<Self, MailError> {
        let way = match &settings.smtp {
            Some(server) => Way::Server(transport(server).map_err(MailError::Tls)?),
            None => Way::Files(files::directory(settings)),
        };
        let host = Url::parse(&settings.public_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| "localhost".to_owned());
        Ok(Self {
            letters: Letters::load().map_err(MailError::Templates)?,
            from: settings.mail_from.clone(),
            way,
            host,
        })
    }

    /// Does the mail server take our connection and credentials? Without one, true. The error is
    /// for the operator.
    pub async fn test(&self) -> Result<bool, String> {
        match &self.way {
            Way::Files(_) => Ok(true),
            Way::Server(server) => {
                let answer = tokio::time::timeout(LONGEST, server.test_connection()).await;
                match answer {
                    Ok(Ok(good)) => Ok(good),
                    Ok(Err(error)) => Err(why(&error).0),
                    Err(_) => Err("the mail server does not answer".to_owned()),
                }
            }
        }
    }

    async fn send(
        &self,
        delivery: &Delivery,
        to: &str,
        letter: &Letter,
    ) -> Result<(), NotDelivered> {
        let to = to.parse::<Address>().map_err(|_| {
            NotDelivered::Never("the address cannot be written to by mail".to_owned())
        })?;
        let id = delivery.id;
        let date = SystemTime::from(delivery.at);
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            // The same each time it is tried, so that a second copy is known as one.
            .message_id(Some(format!("<{id}@{}>", self.host)))
            .date(date)
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let (text, html) = self
            .letters
            .render(letter)
            .map_err(|_| NotDelivered::Never("the template could not be filled in".to_owned()))?;
        let message = message
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|_| NotDelivered::Never("the mail could not be put together".to_owned()))?;
        match &self.way {
            Way::Server(server) => {
                match tokio::time::timeout(LONGEST, server.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(match why(&error) {
                        (words, true) => NotDelivered::Never(words),
                        (words, false) => NotDelivered::Later(words),
                    }),
                    Err(_) => Err(NotDelivered::Later(
                        "the mail server does not answer".to_owned(),
                    )),
                }
            }
            Way::Files(directory) => {
                let path = files::write(directory, id, &message.formatted()).map_err(|_| {
                    NotDelivered::Later("the file of the mail could not be written".to_owned())
                })?;
                let action = &delivery.action;
                tracing::info!(path = %path.display(), action, "no mail server is set; the mail is a file");
                Ok(())
            }
        }
    }
}

impl Deliverer for Mailer {
    fn consumer(&self) -> Consumer {
        Consumer::Mail
    }

    fn deliver<'d>(&'d self, context: &'d Context, delivery: &'d Delivery) -> Delivering<'d> {
        Box::pin(async move {
            let mail = compose(context, delivery).await.map_err(|error| {
                tracing::warn!(%error, "a mail could not be composed");
                NotDelivered::Later("what to write could not be found out".to_owned())
            })?;
            match mail {
                Some((to, letter)) => self.send(delivery, &to, &letter).await,
                None => Ok(()),
            }
        })
    }
}

fn transport(server: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, smtp::Error> {
    let tls = match server.security {
        MailSecurity::Tls => Tls::Wrapper(TlsParameters::new(server.host.clone())?),
        MailSecurity::StartTls => Tls::Required(TlsParameters::new(server.host.clone())?),
        MailSecurity::Loopback => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(server.port)
        .tls(tls)
        .timeout(Some(PATIENCE))
        .pool_config(PoolConfig::new().max_size(4));
    if let Some((user, password)) = &server.credentials {
        let password = password.reveal().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

/// In words that quote nothing the server said; and whether trying again is of no use.
fn why(error: &smtp::Error) -> (String, bool) {
    if let Some(code) = error.status() {
        let code = u16::from(code);
        // Who we are can be corrected, and then the same mail is taken.
        let about_us = matches!(code, 530 | 534 | 535 | 538);
        let words = if about_us {
            format!("the mail server does not take our user and password ({code})")
        } else {
            format!("the mail server refused it with {code}")
        };
        return (words, error.is_permanent() && !about_us);
    }
    let words = if error.is_tls() || is_untrusted(error) {
        "no TLS with the mail server, or not with the one that was meant"
    } else if error.is_client() {
        "the mail server lacks what is needed, such as STARTTLS or a way to sign in"
    } else {
        "the mail server does not answer"
    };
    (words.to_owned(), false)
}

/// A certificate that does not fit comes as data that makes no sense, deep inside.
fn is_untrusted(error: &smtp::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::InvalidData;
        }
        cause = inner.source();
    }
    false
}
