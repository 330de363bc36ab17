//! The pages: parse a form, call one act, draw a page or go to the next.

pub mod account;
pub mod admin;
pub mod admin_end_where;
pub mod admin_outbox;
pub mod admin_policies;
pub mod admin_sessions;
pub mod admin_users;
pub mod assets;
pub mod change_email;
pub mod impersonate;
pub mod invitation;
pub mod not_me;
pub mod overview;
pub mod reset_password;
pub mod set_up;
pub mod shell;
pub mod sign_in;
pub mod step_up;
pub mod verify_email;
