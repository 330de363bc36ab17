//! Drawings over time: what happened in each of some spans, as shapes, as words and as a table.
//!
//! Knows the words of the console and leaves the geometry to `chart`. What a drawing says by its shapes
//! its words and its table say too.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::chart::{
    Column, Line, Mark, Run, Scale, Share, Ticks, TimeLabel, column, greatest, grouped, mark,
    steps, time_labels,
};

/// A drawing with everything that is said beside it.
#[derive(Clone, Serialize)]
pub struct TimeDrawing {
    /// Tells it from the others of its page.
    pub id: String,
    /// What is drawn.
    pub heading: String,
    /// What there is to see, in a sentence; the heading and the range are not in it.
    pub words: String,
    /// The range, e.g. "24 hours".
    pub range: String,
    /// Whether there is anything to draw.
    pub is_empty: bool,
    /// What is said besides, where figures have only begun.
    pub note: Option<String>,
    /// Lines across, with their numbers.
    pub lines: Vec<Line>,
    /// Where the zero line is.
    pub zero: Share,
    /// Times at the foot.
    pub times: Vec<TimeLabel>,
    /// Levels.
    pub runs: Vec<Run>,
    /// A column for each span, with its bars.
    pub columns: Vec<Column>,
    /// The numbers of the highest.
    pub marks: Vec<Mark>,
    /// What bars upwards and bars downwards are, if there are both.
    pub key: Option<Key>,
    /// What the spans are called, e.g. "Hour from (UTC)".
    pub spans: String,
    /// What the columns of the table are called.
    pub heads: Vec<String>,
    /// The table, the newest first.
    pub rows: Vec<TimeRow>,
}

/// What the two kinds of bars are.
#[derive(Clone, Serialize)]
pub struct Key {
    /// Those upwards.
    pub up: String,
    /// Those downwards.
    pub down: String,
}

/// A row of a drawing's table.
#[derive(Clone, Serialize)]
pub struct TimeRow {
    /// The span it is about.
    pub span: String,
    /// Its numbers; none where nobody measured.
    pub cells: Vec<Option<u64>>,
}

/// What happened in one span of time.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// Most live sessions in it; none if nobody measured.
    pub most: Option<u64>,
    /// Live sessions at its end; none if nobody measured.
    pub live: Option<u64>,
    /// Sessions started in it.
    pub started: u64,
    /// Sessions ended in it.
    pub ended: u64,
    /// Sign-ins refused in it.
    pub refused: u64,
}

/// Spans of time that follow one another.
pub struct OverTime {
    /// What they are together, e.g. "24 hours".
    pub range: String,
    /// How many hours each takes: 1, or less than a day, or days.
    pub hours: i64,
    /// From the oldest to the running one.
    pub slots: Vec<Slot>,
}

impl OverTime {
    /// How many sessions were live. `now` are live now; `peak` is the most there were, and when.
    pub fn live(&self, now: u64, peak: Option<(u64, DateTime<Utc>)>) -> TimeDrawing {
        let most = self.values(|slot| slot.most);
        let highest = peak.map_or(0, |(count, _)| count);
        let scale = Scale::new(most.iter().flatten().copied().fold(highest, u64::max), 0);
        let at_most = |(count, at): (u64, DateTime<Utc>)| {
            let at = at.format("on %-d %b at %H:%M UTC");
            format!("{} now, {} at most {at}", written(now), written(count))
        };
        let known = most.iter().flatten().count();
        let count = self.slots.len();
        let columns = self.columns(&scale, |slot| {
            let words = slot.most.map_or_else(
                || "not measured".to_owned(),
                |most| format!("{} live at most", written(most)),
            );
            ((0, 0), words)
        });
        TimeDrawing {
            words: peak.map_or_else(|| format!("{} now", written(now)), at_most),
            note: (known < 2).then(|| {
                "Figures over time begin now: the drawing fills up as time goes by.".to_owned()
            }),
            runs: steps(&most, &scale),
            marks: peak
                .and_then(|(count, at)| Some((self.slot_of(at)?, count, self.clock(at))))
                .map(|(place, most, clock)| {
                    let text = format!("{}{clock}", written(most));
                    mark((place, count), most, false, &scale, text)
                })
                .into_iter()
                .collect(),
            columns,
            heads: ["At most", "At its end"].map(str::to_owned).to_vec(),
            rows: self.rows(|slot| vec![slot.most, slot.live]),
            ..self.drawing("live", "Live sessions", known == 0, &scale)
        }
    }

    /// How many sessions were started, upwards, and ended, downwards.
    pub fn flow(&self) -> TimeDrawing {
        let started = self.values(|slot| Some(slot.started));
        let ended = self.values(|slot| Some(slot.ended));
        let (up, down) = (greatest(&started), greatest(&ended));
        let of = |highest: Option<(usize, u64)>| highest.map_or(0, |(_, value)| value);
        let scale = Scale::new(of(up), of(down));
        let count = self.slots.len();
        let marked = |highest: Option<(usize, u64)>, below: bool| {
            let (place, value) = highest?;
            Some(mark((place, count), value, below, &scale, written(value)))
        };
        let (all_started, all_ended) = (sum(&started), sum(&ended));
        let most = |what: &str, highest: Option<(usize, u64)>| {
            let words = |(place, value): (usize, u64)| {
                let span = self.slots.get(place).map(|slot| self.span(slot.from));
                let span = span.unwrap_or_default();
                format!("; most {what}: {} on {span}", written(value))
            };
            highest.map(words).unwrap_or_default()
        };
        TimeDrawing {
            words: format!(
                "{all_started} started, {all_ended} ended{}{}",
                most("started", up),
                most("ended", down)
            ),
            columns: self.columns(&scale, |slot| {
                let (started, ended) = (written(slot.started), written(slot.ended));
                let words = format!("{started} started, {ended} ended");
                ((slot.started, slot.ended), words)
            }),
            marks: [marked(up, false), marked(down, true)]
                .into_iter()
                .flatten()
                .collect(),
            key: Some(Key {
                up: format!("Started: {all_started}"),
                down: format!("Ended: {all_ended}"),
            }),
            heads: ["Started", "Ended"].map(str::to_owned).to_vec(),
            rows: self.rows(|slot| vec![Some(slot.started), Some(slot.ended)]),
            ..self.drawing(
                "flow",
                "Sessions started and ended",
                up.is_none() && down.is_none(),
                &scale,
            )
        }
    }

    /// How many sign-ins were refused.
    pub fn refused(&self) -> TimeDrawing {
        let refused = self.values(|slot| Some(slot.refused));
        let highest = greatest(&refused);
        let scale = Scale::new(highest.map_or(0, |(_, value)| value), 0);
        let all = sum(&refused);
        let count = self.slots.len();
        let most = highest.and_then(|(place, value)| {
            let span = self.span(self.slots.get(place)?.from);
            Some(format!("; most: {} on {span}", written(value)))
        });
        TimeDrawing {
            words: format!("{all} in all{}", most.unwrap_or_default()),
            columns: self.columns(&scale, |slot| {
                let words = format!("{} refused", written(slot.refused));
                ((slot.refused, 0), words)
            }),
            marks: highest
                .map(|(place, most)| mark((place, count), most, false, &scale, written(most)))
                .into_iter()
                .collect(),
            heads: vec!["Refused".to_owned()],
            rows: self.rows(|slot| vec![Some(slot.refused)]),
            ..self.drawing("refused", "Refused sign-ins", highest.is_none(), &scale)
        }
    }

    /// What all drawings have, without what is drawn.
    fn drawing(&self, id: &str, heading: &str, is_empty: bool, scale: &Scale) -> TimeDrawing {
        let first = self.slots.first().map(|slot| slot.from);
        let (ticks, spans) = match self.hours {
            1 => (Ticks::Hours, "Hour from (UTC)".to_owned()),
            24 => (Ticks::Weeks, "Day (UTC)".to_owned()),
            hours => (Ticks::Days, format!("{hours} hours from (UTC)")),
        };
        let span = TimeDelta::hours(self.hours);
        TimeDrawing {
            id: id.to_owned(),
            heading: heading.to_owned(),
            words: String::new(),
            range: self.range.clone(),
            is_empty,
            note: None,
            lines: scale.lines(),
            zero: scale.zero(),
            times: first.map_or_else(Vec::new, |first| {
                time_labels(first, span, self.slots.len(), ticks)
            }),
            runs: Vec::new(),
            columns: Vec::new(),
            marks: Vec::new(),
            key: None,
            spans,
            heads: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn values(&self, value: impl Fn(&Slot) -> Option<u64>) -> Vec<Option<u64>> {
        self.slots.iter().map(value).collect()
    }

    fn rows(&self, cells: impl Fn(&Slot) -> Vec<Option<u64>>) -> Vec<TimeRow> {
        let newest_first = self.slots.iter().rev();
        newest_first
            .map(|slot| TimeRow {
                span: self.span(slot.from),
                cells: cells(slot),
            })
            .collect()
    }

    fn columns(&self, scale: &Scale, drawn: impl Fn(&Slot) -> ((u64, u64), String)) -> Vec<Column> {
        let count = self.slots.len();
        let slots = self.slots.iter().enumerate();
        slots
            .map(|(number, slot)| {
                let (values, words) = drawn(slot);
                let words = format!("{}: {words}", self.span(slot.from));
                column((number, count), values, scale, words)
            })
            .collect()
    }

    /// The number of the slot in which an instant lies; the first for earlier ones.
    fn slot_of(&self, at: DateTime<Utc>) -> Option<usize> {
        let begun = self.slots.iter().rposition(|slot| slot.from <= at);
        begun.or_else(|| (!self.slots.is_empty()).then_some(0))
    }

    /// A slot by its beginning, in words.
    fn span(&self, from: DateTime<Utc>) -> String {
        let format = if self.hours < 24 {
            "%-d %b, %H:%M"
        } else {
            "%a %-d %b"
        };
        from.format(format).to_string()
    }

    /// An instant behind a number on a drawing: as short as the range allows.
    fn clock(&self, at: DateTime<Utc>) -> String {
        let format = if self.hours == 1 {
            " at %H:%M"
        } else {
            " on %-d %b, %H:%M"
        };
        at.format(format).to_string()
    }
}

fn sum(values: &[Option<u64>]) -> String {
    let known = values.iter().flatten().copied();
    grouped(known.map(u128::from).sum())
}

fn written(number: u64) -> String {
    grouped(number.into())
}
