//! Can mails be sent?

use crate::service::doctor::Check;
use crate::service::mail::Mailer;
use crate::settings::{MailSecurity, Settings};

const NAME: &str = "mail";

/// Connects to the mail server, and signs in to it; sends nothing.
pub async fn check_mail(settings: &Settings) -> Check {
    let Some(server) = &settings.smtp else {
        let finding = "no mail server is set; mails are files in the data directory";
        if settings.https {
            let advice = "set PORTCULLIS_SMTP_URL, or people get no mails";
            return Check::warning(NAME, finding, advice);
        }
        return Check::ok(NAME, finding);
    };
    let security = match server.security {
        MailSecurity::Tls => "TLS",
        MailSecurity::StartTls => "STARTTLS",
        MailSecurity::Loopback => "no TLS, since it is this machine",
    };
    let place = format!("{} port {}, {security}", server.host, server.port);
    let mailer = match Mailer::new(settings) {
        Ok(mailer) => mailer,
        Err(error) => return Check::problem(NAME, error.to_string(), "correct it"),
    };
    let advice = "see whether it runs, and whether PORTCULLIS_SMTP_URL names it, its port and its user rightly; mails wait meanwhile";
    match mailer.test().await {
        Ok(true) => Check::ok(NAME, format!("{place}, takes our connection")),
        Ok(false) => Check::problem(NAME, format!("{place}, does not take ours"), advice),
        Err(error) => Check::problem(NAME, format!("{place}: {error}"), advice),
    }
}
