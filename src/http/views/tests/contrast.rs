//! Contrast of what is written and drawn with what lies behind it (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;

use super::super::STYLESHEET;
use super::Outcome;

/// Text and what it stands on: 4.5 to 1.
const TEXT: &[(&str, &str)] = &[
    ("ink", "card"),
    ("ink", "ground"),
    ("ink", "accent-wash"),
    ("soft", "card"),
    ("soft", "ground"),
    ("accent", "card"),
    ("accent-ink", "accent"),
];

/// Shapes that say something, and what lies beside them: 3 to 1.
const SHAPES: &[(&str, &str)] = &[
    ("accent", "card"),
    ("accent", "accent-wash"),
    ("warn", "card"),
    ("soft", "card"),
    ("edge", "card"),
];

/// The colours of each `:root` block, light and dark.
fn palettes() -> Vec<BTreeMap<&'static str, &'static str>> {
    let blocks = STYLESHEET.split(":root {").skip(1);
    let palettes = blocks.map(|block| {
        let inside = block.split('}').next().unwrap_or_default();
        let lines = inside.lines().filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
            Some((name, value.strip_suffix(';')?))
        });
        lines.collect::<BTreeMap<_, _>>()
    });
    palettes.filter(|palette| palette.len() > 5).collect()
}

/// Relative luminance (WCAG 2.2).
fn luminance(colour: &str) -> Option<f64> {
    let part = |from: usize| {
        let value = u8::from_str_radix(colour.get(from..from + 2)?, 16).ok()?;
        let value = f64::from(value) / 255.0;
        Some(if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        })
    };
    Some(0.2126 * part(0)? + 0.7152 * part(2)? + 0.0722 * part(4)?)
}

fn contrast(one: &str, other: &str) -> Option<f64> {
    let (one, other) = (luminance(one)?, luminance(other)?);
    Some((one.max(other) + 0.05) / (one.min(other) + 0.05))
}

#[test]
fn contrast_is_what_the_standard_says() {
    let rounded = |one, other| contrast(one, other).map(|ratio| (ratio * 100.0).round());
    assert_eq!(rounded("000000", "ffffff"), Some(2_100.0));
    assert_eq!(rounded("777777", "ffffff"), Some(448.0));
    assert_eq!(rounded("ffffff", "ffffff"), Some(100.0));
}

#[test]
fn what_is_written_and_drawn_stands_out_light_and_dark() -> Outcome {
    let palettes = palettes();
    assert_eq!(palettes.len(), 2, "light and dark");
    for palette in palettes {
        let named = |name: &str| palette.get(name).copied().ok_or(format!("no --{name}"));
        for (pairs, least) in [(TEXT, 4.5), (SHAPES, 3.0)] {
            for (front, back) in pairs {
                let ratio = contrast(named(front)?, named(back)?).ok_or("a colour")?;
                assert!(ratio >= least, "{front} on {back}: {ratio:.2}");
            }
        }
    }
    Ok(())
}
