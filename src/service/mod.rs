//! What Portcullis does: one function for each act, shared by pages, API and command line.
//!
//! Knows rules and the store. Knows no request, no page, no argument of the command line.

mod context;

pub mod addresses;
pub mod authenticate;
pub mod change_email;
pub mod change_password;
pub mod cleanup;
pub mod doctor;
pub mod end_session;
pub mod error;
pub mod figures;
pub mod follow_changes;
pub mod impersonate;
pub mod invitation;
pub mod key_ring;
pub mod lease;
pub mod links;
pub mod mail;
pub mod master_key;
pub mod measures;
pub mod name_session;
pub mod open_session;
pub mod organizations;
pub mod outbox;
pub mod passwords;
pub mod places;
pub mod policies;
pub mod receipts;
pub mod refresh;
pub mod report;
pub mod reset;
pub mod reset_password;
pub mod seed;
pub mod session_query;
pub mod set_up;
pub mod sign_in;
pub mod sign_out;
pub mod step_up;
pub mod throttle;
pub mod tokens;
pub mod touches;
mod typed_user;
pub mod users;
pub mod verify_email;
pub mod webhook;

pub use crate::service::context::{Context, StartError};
