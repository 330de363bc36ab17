//! `portcullis serve`.

use crate::cli::failure::Failure;
use crate::cli::open::{self, Tables};
use crate::http::server;
use crate::logging;
use crate::settings::Settings;

/// Serves until it is stopped.
pub(super) fn run() -> Result<(), Failure> {
    let settings = Settings::from_env()?;
    let _log = logging::start(&settings)?;
    actix_web::rt::System::new().block_on(async {
        let store = open::store(&settings, Tables::Ready).await?;
        Ok(server::run(settings, store).await?)
    })
}
