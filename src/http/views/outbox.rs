//! What could not be delivered, and what still waits.

use serde::Serialize;

use super::{Instant, Page, Section, Shell, samples};

/// One delivery.
#[derive(Clone, Serialize)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// When the act was done.
    pub at: Instant,
    /// The act, in words.
    pub action: String,
    /// Who tells, in words.
    pub consumer: String,
    /// The id of the user it was done to.
    pub subject_id: Option<String>,
    /// Times it was tried.
    pub attempts: u32,
    /// Why the latest try failed.
    pub last_error: Option<String>,
    /// When it is tried next; none once it was given up.
    pub due_at: Option<Instant>,
}

/// `/admin/outbox`: deliveries that were given up, or those that wait.
#[derive(Clone, Serialize)]
pub struct OutboxPage {
    /// The frame.
    pub shell: Shell,
    /// One page of them.
    pub rows: Vec<DeliveryRow>,
    /// Are these the ones that wait, and not those that were given up?
    pub waiting: bool,
    /// How many were given up.
    pub dead_count: u64,
    /// How many wait.
    pub waiting_count: u64,
    /// Address of the next page of the list.
    pub next_url: Option<String>,
    /// Address of the first page of the list, unless this is it.
    pub first_url: Option<String>,
}

impl Page for OutboxPage {
    const TEMPLATE: &'static str = "outbox.html";

    fn samples() -> Vec<Self> {
        let dead = DeliveryRow {
            id: samples::id(48),
            at: samples::instant(-14 * 3_600),
            action: "Changed the password".to_owned(),
            consumer: "Mail".to_owned(),
            subject_id: Some(samples::id(1)),
            attempts: 20,
            last_error: Some("the mail server refused it with 550".to_owned()),
            due_at: None,
        };
        let waits = DeliveryRow {
            id: samples::id(49),
            subject_id: None,
            attempts: 0,
            last_error: None,
            due_at: Some(samples::instant(30)),
            ..dead.clone()
        };
        let shell = samples::admin("Outbox", Section::AdminOutbox);
        let full = Self {
            shell,
            rows: vec![dead],
            waiting: false,
            dead_count: 1,
            waiting_count: 1,
            next_url: Some("/admin/outbox?cursor=abc".to_owned()),
            first_url: None,
        };
        vec![
            Self {
                rows: vec![waits],
                waiting: true,
                next_url: None,
                first_url: Some("/admin/outbox?status=waiting".to_owned()),
                ..full.clone()
            },
            Self {
                rows: Vec::new(),
                waiting: true,
                waiting_count: 0,
                next_url: None,
                ..full.clone()
            },
            Self {
                rows: Vec::new(),
                dead_count: 0,
                next_url: None,
                ..full.clone()
            },
            full,
        ]
    }
}
