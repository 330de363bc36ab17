//! What is promised, and what must be able to happen for the promise to say anything.

use stateright::Property;

use crate::answer::{Answer, Promised, Source, Told};
use crate::database::Stored;
use crate::node::{Act, CachedSession, Cursor, Node, Version};
use crate::world::{Portcullis, World};

pub(crate) const WITHIN_THE_BOUND: &str = "a bound after an end no node says yes";
pub(crate) const AT_ONCE: &str = "who has acknowledged an end never says yes again";
pub(crate) const ONLY_THE_ENDED: &str = "nobody is told of an end that is not";
pub(crate) const NOT_BY_AN_OUTAGE: &str = "a question without an answer ends nothing";

pub(crate) fn all() -> Vec<Property<Portcullis>> {
    vec![
        Property::always(WITHIN_THE_BOUND, |_, world| {
            !told(world, |told| {
                told.promised == Promised::WithinTheBound && told.answer == Answer::Yes
            })
        }),
        Property::always(AT_ONCE, |_, world| {
            !told(world, |told| {
                told.promised == Promised::AtOnce && told.answer == Answer::Yes
            })
        }),
        Property::always(ONLY_THE_ENDED, |_, world| {
            !told(world, |told| {
                told.answer == Answer::Ended && world.database.row() == Stored::Open
            })
        }),
        Property::always(NOT_BY_AN_OUTAGE, |_, world| {
            !told(world, |told| {
                told.source == Source::Nowhere && told.answer != Answer::Unavailable
            })
        }),
        Property::sometimes("yes, from memory", |_, world| {
            told(world, |told| {
                told.answer == Answer::Yes && matches!(told.source, Source::Memory(_))
            })
        }),
        Property::sometimes("refused by a mark", |_, world| {
            told(world, |told| {
                told.source == Source::Memory(CachedSession::Marked)
            })
        }),
        Property::sometimes("refused because the feed has made facts old", |_, world| {
            let before = CachedSession::Open(Version::Old);
            told(world, |told| {
                told.answer == Answer::Ended
                    && told.source == Source::Load(Version::Current, Some(before))
                    && world.nodes.iter().any(has_only_read)
            })
        }),
        Property::sometimes("facts are old when they arrive", |_, world| {
            told(world, |told| {
                told.answer == Answer::Yes && matches!(told.source, Source::Load(Version::Old, _))
            })
        }),
        Property::sometimes("unavailable", |_, world| {
            told(world, |told| told.answer == Answer::Unavailable)
        }),
        Property::sometimes("yes from the table, unconfirmed", |_, world| {
            told(world, |told| {
                told.answer == Answer::Yes && told.source == Source::Table
            })
        }),
    ]
}

/// Has this node learnt of the end from the list, and ended nothing itself?
fn has_only_read(node: &Node) -> bool {
    node.cursor == Some(Cursor { end: true }) && node.act == Act::None && !node.acknowledged
}

fn told(world: &World, what: impl Fn(&Told) -> bool) -> bool {
    world.told.as_ref().is_some_and(what)
}
