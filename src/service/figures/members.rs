//! Figures by organisation, role and method.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::rules::figures::{Dimension, Hour, Kind, Level, Member, REST, Row};
use crate::service::error::Error;
use crate::service::figures::{BELIEVED, Ledger, since};
use crate::store::COUNTED;
use crate::store::figures::Snapshot;
use crate::store::figures::count::Tallies;

/// Members that are shown one by one.
const SHOWN: usize = 20;

pub(super) struct Members {
    pub(super) by_organization: Vec<Member>,
    pub(super) by_role: Vec<Member>,
    pub(super) by_method: Vec<Member>,
}

pub(super) async fn read(
    snapshot: &Snapshot,
    ledger: &Ledger,
    first: Hour,
    live: Level,
) -> Result<Members, Error> {
    let mut tallies = snapshot.of_members(first, ledger.last_laid()).await?;
    if !ledger.since().is_empty() {
        let from = ledger.through.max(first.start());
        merge(&mut tallies, snapshot.count(since(from, ledger.now)).await?);
    }
    let few = live.count <= COUNTED;
    let measured = if few {
        snapshot.live_by_member(ledger.now).await?
    } else {
        snapshot
            .live_of_members(Hour::of(ledger.now - BELIEVED), Hour::of(ledger.now))
            .await?
    };
    merge(&mut tallies, measured);
    let mut by_organization = of(Dimension::Organization, &tallies);
    let ids = by_organization
        .iter()
        .filter_map(|member| Uuid::try_parse(&member.member).ok());
    let names = snapshot
        .organization_names(&ids.collect::<Vec<_>>())
        .await?;
    for member in &mut by_organization {
        if let Ok(id) = Uuid::try_parse(&member.member) {
            let name = names.get(&id).cloned();
            member.label = name.unwrap_or_else(|| "gone organisation".to_owned());
        }
    }
    Ok(Members {
        by_organization,
        by_role: of(Dimension::Role, &tallies),
        by_method: of(Dimension::Method, &tallies),
    })
}

fn merge(tallies: &mut Tallies, more: Tallies) {
    for (row, tally) in more {
        tallies.entry(row).or_default().add(tally);
    }
}

/// Those of most live sessions, and the others together.
fn of(dimension: Dimension, tallies: &Tallies) -> Vec<Member> {
    let mut members: BTreeMap<&str, Member> = BTreeMap::new();
    let of_dimension = tallies.iter().filter(|(row, _)| row.dimension == dimension);
    for (Row { kind, member, .. }, tally) in of_dimension {
        let entry = members
            .entry(member)
            .or_insert_with(|| nothing(dimension, member));
        match kind {
            Kind::Live => entry.live += tally.count,
            Kind::Created => entry.created += tally.count,
            Kind::Ended => entry.ended += tally.count,
            Kind::SignInFailed
            | Kind::LivePeak
            | Kind::SignedInUsers
            | Kind::Users
            | Kind::DisabledUsers
            | Kind::Checks
            | Kind::Loads => {}
        }
    }
    let mut rest = members
        .remove(REST)
        .unwrap_or_else(|| nothing(dimension, REST));
    let mut members: Vec<Member> = members.into_values().collect();
    members.sort_by(|one, other| {
        let size = |member: &Member| (member.live, member.created, member.ended);
        let by_size = size(other).cmp(&size(one));
        by_size.then_with(|| one.member.cmp(&other.member))
    });
    for member in members.split_off(members.len().min(SHOWN)) {
        rest.live += member.live;
        rest.created += member.created;
        rest.ended += member.ended;
    }
    if rest.live + rest.created + rest.ended > 0 {
        members.push(rest);
    }
    members
}

fn nothing(dimension: Dimension, member: &str) -> Member {
    let label = match member {
        REST => "others",
        "" if dimension == Dimension::Method => "unknown",
        "" => "none",
        code => code,
    };
    Member {
        member: member.to_owned(),
        label: label.to_owned(),
        live: 0,
        created: 0,
        ended: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, of};
    use crate::rules::figures::{Dimension, Kind, REST, Row, Tally};
    use crate::store::figures::count::Tallies;

    #[test]
    fn the_most_live_sessions_are_never_among_the_others() {
        let mut tallies = Tallies::new();
        let mut add = |kind, member: &str, count| {
            let row = Row {
                kind,
                dimension: Dimension::Organization,
                member: member.to_owned(),
            };
            tallies.insert(row, Tally::of(count));
        };
        for number in 0..30 {
            let member = format!("busy {number:02}");
            add(Kind::Live, &member, 1);
            add(Kind::Created, &member, 900 + number);
            add(Kind::Ended, &member, 900);
        }
        add(Kind::Live, "quiet", 600);
        let members = of(Dimension::Organization, &tallies);
        let names: Vec<&str> = members.iter().map(|one| one.member.as_str()).collect();
        assert_eq!(names.len(), SHOWN + 1);
        assert_eq!(
            names.get(..3),
            Some(["quiet", "busy 29", "busy 28"].as_slice())
        );
        assert_eq!(names.last(), Some(&REST));
    }
}
