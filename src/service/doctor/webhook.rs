//! Is anybody told of events by HTTP?

use crate::service::doctor::Check;
use crate::settings::Settings;

const NAME: &str = "webhook";

/// Whether it is set up; asks nobody, since whatever is posted counts as an event.
pub fn check_webhook(settings: &Settings) -> Check {
    match &settings.webhook {
        None => Check::ok(NAME, "none is set; no event is kept for one"),
        Some(webhook) => {
            let finding = format!("events are posted to {}, signed", webhook.host());
            Check::ok(NAME, finding)
        }
    }
}
