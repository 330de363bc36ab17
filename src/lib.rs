//! Portcullis signs people in, keeps each of their devices signed in separately, and ends any
//! session at once.

pub mod cli;
pub mod clock;
pub mod entropy;
pub mod http;
pub mod logging;
pub mod rules;
pub mod service;
pub mod settings;
pub mod store;
