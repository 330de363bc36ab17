//! Pure rules: data and an instant in, a verdict out.
//!
//! Knows what Portcullis promises. Knows no clock, no database, no HTTP, no configuration source;
//! nothing here waits or fails for an outside reason.

pub mod access_token;
pub mod amr;
pub mod audit;
pub mod client_address;
pub mod email;
pub mod end_reason;
pub mod familiar;
pub mod figures;
pub mod id;
pub mod impersonation;
pub mod moment;
pub mod next_path;
pub mod outbox;
pub mod password;
pub mod person;
pub mod policy;
pub mod receipt;
pub mod record;
pub mod refresh;
pub mod retention;
pub mod role;
pub mod same_origin;
pub mod session;
pub mod session_name;
pub mod session_query;
pub mod slug;
pub mod span;
pub mod strict_json;
pub mod text_part;
pub mod throttle;
pub mod user_agent;
pub mod webhook;
