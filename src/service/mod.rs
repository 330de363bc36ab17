//! What Portcullis does: one function for each act, shared by pages, API and command line.
//!
//! Knows rules and the store. Knows no request, no page, no argument of the command line.

mod context;

pub mod authenticate;
pub mod change_password;
pub mod cleanup;
pub mod doctor;
pub mod end_session;
pub mod error;
pub mod follow_changes;
pub mod invitation;
pub mod key_ring;
pub mod lease;
pub mod master_key;
pub mod measures;
pub mod passwords;
pub mod refresh;
pub mod reset;
pub mod seed;
pub mod set_up;
pub mod sign_in;
pub mod step_up;
pub mod throttle;
pub mod tokens;
pub mod touches;
pub mod users;

pub use crate::service::context::{Context, StartError};
