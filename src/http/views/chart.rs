//! The geometry of drawings: numbers in, places and labels out.
//!
//! Knows neither HTML nor what the numbers mean. A place is a share of the drawing's width or height,
//! from the left and from the top, so that a drawing is as wide as there is room for and its text keeps
//! its size. Shares are whole hundredths of a percent: among whole numbers there is none that is not one.

mod times;

use std::fmt;

use serde::{Serialize, Serializer};

pub(super) use times::{Ticks, TimeLabel, time_labels};

/// Most lines above the zero line.
const LINES: u128 = 5;

/// Most lines on each side of it, where both have some.
const LINES_EACH: u128 = 3;

/// Part of its place's width that a bar leaves free on each side, in hundredths.
const GAP: usize = 14;

/// The least length of a bar that stands for anything, in hundredths of a percent: one in a million
/// is not none.
const LEAST: u16 = 100;

/// A share of a width or height, in hundredths of a percent; never more than all of it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Share(u16);

impl Share {
    /// Nothing: the left edge, the top.
    pub(super) const NONE: Self = Self(0);
    /// All: the right edge, the bottom.
    pub(super) const ALL: Self = Self(10_000);

    /// `part` of `whole`, rounded to the nearest; of nothing, nothing.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        Self::wide(part.into(), whole.into())
    }

    fn wide(part: u128, whole: u128) -> Self {
        if whole == 0 {
            return Self::NONE;
        }
        let hundredths = (part.min(whole) * 10_000 + whole / 2) / whole;
        u16::try_from(hundredths).map_or(Self::ALL, Self)
    }

    /// Of the places in a row of `count`, where the one of this number begins, and this many
    /// hundredths of its width further on.
    fn place(number: usize, further: usize, count: usize) -> Self {
        Self::wide((number * 100 + further) as u128, (count * 100) as u128)
    }

    fn to(self, other: Self) -> Self {
        Self(other.0.saturating_sub(self.0))
    }

    fn minus(self, height: Self) -> Self {
        height.to(self)
    }

    fn plus(self, height: Self) -> Self {
        Self(self.0.saturating_add(height.0)).min(Self::ALL)
    }

    /// The length of a bar for `part` where one for `whole` is as long as there is room: what is not
    /// nothing is to be seen.
    pub(super) fn bar(part: u64, whole: u64) -> Self {
        Self::of(part, whole).seen(part)
    }

    fn seen(self, value: u64) -> Self {
        if value == 0 {
            return self;
        }
        self.max(Self(LEAST))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}"),
        }
    }
}

/// As a number without its sign: templates add the `%`, or count in a drawing of a hundred.
impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From a round number above the zero line to one below it, or to zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    step: u128,
    above: u128,
    below: u128,
}

impl Scale {
    /// Wide enough for the greatest value upwards and the greatest downwards, in steps of 1, 2 or 5
    /// times a power of ten.
    pub(super) fn new(up: u64, down: u64) -> Self {
        let (up, down) = (u128::from(up), u128::from(down));
        let lines = if down == 0 { LINES } else { LINES_EACH };
        let (mut power, mut step) = (1, 1);
        while up.max(down).div_ceil(step) > lines {
            step = match step / power {
                1 => 2 * power,
                2 => 5 * power,
                _ => 10 * power,
            };
            if step == 10 * power {
                power = step;
            }
        }
        let above = up.div_ceil(step);
        Self {
            step,
            // Never a drawing without a height.
            above: if down == 0 { above.max(1) } else { above },
            // With room for the number of the longest between it and the times at the foot.
            below: (down + down / 5).div_ceil(step),
        }
    }

    fn whole(&self) -> u128 {
        self.step * (self.above + self.below)
    }

    /// How high a value is.
    fn height(&self, value: u64) -> Share {
        Share::wide(value.into(), self.whole())
    }

    /// Where zero is.
    pub(super) fn zero(&self) -> Share {
        Share::wide(self.step * self.above, self.whole())
    }

    /// Where a value above zero is.
    fn at(&self, value: u64) -> Share {
        let top = self.step * self.above;
        Share::wide(top.saturating_sub(value.into()), self.whole())
    }

    /// The lines across the drawing, from the top.
    pub(super) fn lines(&self) -> Vec<Line> {
        let greatest = self.step * self.above.max(self.below);
        let line = |y: u128, value: u128| Line {
            y: Share::wide(self.step * y, self.whole()),
            label: rounded(value * self.step, greatest),
        };
        let upper = (0..=self.above).map(|y| line(y, self.above - y));
        let lower = (1..=self.below).map(|y| line(self.above + y, y));
        upper.chain(lower).collect()
    }
}

/// A line across a drawing, with its number.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// From the top.
    pub y: Share,
    /// The number it stands for, short.
    pub label: String,
}

/// A round number as an axis says it, in the unit that its greatest one asks for.
fn rounded(value: u128, greatest: u128) -> String {
    let (unit, sign) = match greatest {
        0..10_000 => (1, ""),
        10_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "bn"),
    };
    if value == 0 {
        return "0".to_owned();
    }
    let whole = grouped(value / unit);
    match value % unit * 10 / unit {
        0 => format!("{whole}{sign}"),
        tenth => format!("{whole}.{tenth}{sign}"),
    }
}

/// 1234567 as "1,234,567".
pub(super) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Values next to one another without a gap, as points of a drawing of a hundred by a hundred.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Along the values.
    pub line: String,
    /// The same, closed along the zero line.
    pub area: String,
}

/// A step for each value; none where it is not known.
pub(super) fn steps(values: &[Option<u64>], scale: &Scale) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut first = 0;
    for known in values.chunk_by(|one, other| one.is_some() == other.is_some()) {
        let mut points = Vec::with_capacity(2 * known.len());
        for (number, value) in known.iter().enumerate() {
            let Some(value) = value else { continue };
            let y = scale.at(*value);
            for edge in [number, number + 1] {
                let x = Share::place(first + edge, 0, values.len());
                points.push(format!("{x},{y}"));
            }
        }
        if !points.is_empty() {
            let edge = |number| Share::place(number, 0, values.len());
            let (left, right) = (edge(first), edge(first + known.len()));
            let (line, zero) = (points.join(" "), scale.zero());
            let area = format!("{line} {right},{zero} {left},{zero}");
            runs.push(Run { line, area });
        }
        first += known.len();
    }
    runs
}

/// The part of a drawing's width that one span of time takes, with its bars.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Where it begins.
    pub x: Share,
    /// How wide it is.
    pub width: Share,
    /// What it says to a pointer.
    pub words: String,
    /// Upwards, unless zero or not known.
    pub up: Option<Bar>,
    /// Downwards, unless zero or not known.
    pub down: Option<Bar>,
}

/// A bar that stands or hangs on the zero line.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// Its left edge.
    pub x: Share,
    /// Its upper edge.
    pub y: Share,
    /// How wide it is.
    pub width: Share,
    /// How high it is.
    pub height: Share,
}

/// The column of this number among so many, with a bar for each value.
pub(super) fn column(
    (number, count): (usize, usize),
    (up, down): (u64, u64),
    scale: &Scale,
    words: String,
) -> Column {
    let edge = |further| Share::place(number, further, count);
    let bar = |value: u64, hangs: bool| {
        let (x, height) = (edge(GAP), scale.height(value).seen(value));
        (value > 0).then(|| Bar {
            x,
            y: if hangs {
                scale.zero()
            } else {
                scale.zero().minus(height)
            },
            width: x.to(edge(100 - GAP)),
            height,
        })
    };
    Column {
        x: edge(0),
        width: edge(0).to(edge(100)),
        words,
        up: bar(up, false),
        down: bar(down, true),
    }
}

/// Which end of a text is at its place, so that none reaches beyond the drawing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

impl Anchor {
    /// For a text of up to this share of the width on each side.
    fn at(x: Share, half: u16) -> Self {
        if x.0 < half {
            Self::Start
        } else if x.0 > Share::ALL.0 - half {
            Self::End
        } else {
            Self::Middle
        }
    }
}

/// A number written at its value.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    /// From the left.
    pub x: Share,
    /// From the top.
    pub y: Share,
    /// What is written.
    pub text: String,
    /// How it lies to its place.
    pub anchor: Anchor,
    /// Whether it is written below its place.
    pub below: bool,
}

/// Half of the room that a letter of a mark needs, as a share of the width on a phone.
const HALF_LETTER: u16 = 160;

/// A mark in the middle of this place among so many, at a value upwards or downwards.
pub(super) fn mark(
    (number, count): (usize, usize),
    value: u64,
    below: bool,
    scale: &Scale,
    text: String,
) -> Mark {
    let x = Share::place(number, 50, count);
    let letters = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let half = letters.saturating_mul(HALF_LETTER).min(Share::ALL.0 / 2);
    Mark {
        x,
        y: if below {
            scale.zero().plus(scale.height(value))
        } else {
            scale.at(value)
        },
        text,
        anchor: Anchor::at(x, half),
        below,
    }
}

/// The number of the greatest known value, the earliest of equals; none if all are zero.
pub(super) fn greatest(values: &[Option<u64>]) -> Option<(usize, u64)> {
    let known = values.iter().enumerate();
    let known = known.filter_map(|(number, value)| Some((number, (*value)?)));
    known
        .filter(|(_, value)| *value > 0)
        .rev()
        .max_by_key(|(_, value)| *value)
}

#[cfg(test)]
mod tests;
