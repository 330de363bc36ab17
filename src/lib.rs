//! Portcullis signs people in, keeps each of their devices signed in separately, and ends any
//! session at once.
//!
//! The map of the house, in the direction in which it may be read (`ARCHITECTURE.md` says why):
//!
//! - [`rules`]: pure verdicts, [`clock`] and [`entropy`]: now and chance, [`settings`]: what the
//!   operator sets.
//! - [`store`]: the tables and the one cache in front of them.
//! - [`service`]: one function for each act.
//! - [`http`] and [`cli`]: two ways to ask for an act. [`logging`]: where the lines go.

pub mod cli;
pub mod clock;
pub mod entropy;
pub mod http;
pub mod logging;
pub mod rules;
pub mod service;
pub mod settings;
pub mod store;
