//! One database and the nodes that know it, and everything that can happen next.

use stateright::{Model, Property};

use crate::answer::Told;
use crate::database::{Database, Left, Transaction, Writer};
use crate::node::{Act, CHECKS, Node};
use crate::rules::Rule;
use crate::{act, check, feed, properties};

/// Most nodes of a world.
pub(crate) const NODES: usize = 2;

/// How much of a world is looked at, and by which rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portcullis {
    pub(crate) nodes: usize,
    /// How many checks, wherever, are under way at once.
    pub(crate) checks: usize,
    /// In ticks.
    pub(crate) bound: Left,
    /// Is there another transaction that writes to the change list?
    pub(crate) other_writer: bool,
    /// Do nodes crash, callers hang up, caches forget, readers lose their place, and does anybody
    /// but the nodes end sessions?
    pub(crate) mishaps: bool,
    /// The rule that is not kept.
    pub(crate) off: Option<Rule>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) nodes: [Node; NODES],
    /// In the last step.
    pub(crate) told: Option<Told>,
}

/// What happens, at which node, and to which of its checks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// Who was told something goes away.
    IsHeard,
    Tick,
    /// Somebody's transaction ends the session without any node.
    PsqlEnds,
    /// The transaction that ends the session commits, whoever's it is.
    Commits,
    RollsBack,
    OtherWrites,
    OtherCommits,
    /// The node's transaction ends the session, or finds it ended.
    EndBegins(usize),
    EndGoesOn(usize),
    /// The node does not learn whether its transaction has committed, or will.
    EndIsUnsure(usize),
    RoundBegins(usize),
    RoundGoesOn(usize),
    /// The answer never comes, or so late that nobody waits for it.
    RoundIsLost(usize),
    /// The reader starts afresh, after losing its connection or being away for too long.
    PlaceIsLost(usize),
    CheckBegins(usize),
    CheckGoesOn(usize, usize),
    /// The table does not answer it in time.
    CheckFails(usize, usize),
    /// Who asked hangs up.
    CheckIsDropped(usize, usize),
    /// Against the rules, it takes what another's load brings.
    CheckJoins(usize, usize),
    HotForgets(usize),
    MokaForgets(usize),
    Crashes(usize),
}

impl Model for Portcullis {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            database: Database::new(),
            nodes: [Node::new(); NODES],
            told: None,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.told.is_some() {
            actions.push(Action::IsHeard);
            return;
        }
        actions.extend([Action::Tick, Action::Commits]);
        if self.mishaps {
            actions.extend([Action::PsqlEnds, Action::RollsBack]);
        }
        if self.other_writer {
            actions.extend([Action::OtherWrites, Action::OtherCommits]);
        }
        for node in 0..self.nodes {
            actions.extend([
                Action::EndBegins(node),
                Action::EndGoesOn(node),
                Action::RoundBegins(node),
                Action::RoundGoesOn(node),
                Action::RoundIsLost(node),
                Action::CheckBegins(node),
            ]);
            for place in 0..CHECKS {
                actions.push(Action::CheckGoesOn(node, place));
                actions.push(Action::CheckFails(node, place));
                if self.mishaps {
                    actions.push(Action::CheckIsDropped(node, place));
                }
                if self.off == Some(Rule::NobodyJoins) {
                    actions.push(Action::CheckJoins(node, place));
                }
            }
            if self.mishaps {
                actions.extend([
                    Action::EndIsUnsure(node),
                    Action::PlaceIsLost(node),
                    Action::HotForgets(node),
                    Action::MokaForgets(node),
                    Action::Crashes(node),
                ]);
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = World {
            told: None,
            ..*before
        };
        self.happen(&mut world, action)?;
        world.put_in_order();
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Portcullis {
    /// None where it cannot happen now.
    fn happen(&self, world: &mut World, action: Action) -> Option<()> {
        let World {
            database,
            nodes,
            told,
        } = world;
        let off = self.off;
        match action {
            Action::IsHeard => Some(()),
            Action::Tick => {
                database.tick();
                nodes.iter_mut().for_each(Node::tick);
                Some(())
            }
            Action::PsqlEnds => database.end(Writer::Psql),
            Action::Commits => {
                if let Writer::Node(node) = database.commit_end(self.bound)? {
                    nodes[node].act = Act::Committed;
                }
                Some(())
            }
            Action::RollsBack => {
                if let Writer::Node(node) = database.take_back_end()? {
                    nodes[node].act = Act::None;
                }
                Some(())
            }
            Action::OtherWrites => database.write_other(),
            Action::OtherCommits => database.commit_other(),
            Action::EndBegins(node) => act::begin(&mut nodes[node], node, database, off),
            Action::EndGoesOn(node) => act::go_on(&mut nodes[node], off),
            Action::EndIsUnsure(node) => act::give_up(&mut nodes[node], node, database),
            Action::RoundBegins(node) => {
                let idle = nodes.iter().all(Node::reads_nothing);
                idle.then(|| feed::begin(&mut nodes[node], self.bound))
            }
            Action::RoundGoesOn(node) => feed::go_on(&mut nodes[node], database, self.bound, off),
            Action::RoundIsLost(node) => feed::lose(&mut nodes[node]),
            Action::PlaceIsLost(node) => {
                let node = &mut nodes[node];
                node.reads_nothing().then(|| node.cursor = None)
            }
            Action::CheckBegins(node) => {
                let under_way: usize = nodes.iter().map(Node::checks_under_way).sum();
                (under_way < self.checks).then(|| check::begin(&mut nodes[node], database))
            }
            Action::CheckGoesOn(node, place) => {
                *told = check::go_on(&mut nodes[node], place, database, off)?;
                Some(())
            }
            Action::CheckFails(node, place) => {
                *told = Some(check::fail(&mut nodes[node], place, off)?);
                Some(())
            }
            Action::CheckIsDropped(node, place) => check::drop(&mut nodes[node], place),
            Action::CheckJoins(node, place) => {
                *told = Some(check::join(&mut nodes[node], place)?);
                Some(())
            }
            Action::HotForgets(node) => {
                nodes[node].hot = None;
                Some(())
            }
            Action::MokaForgets(node) => {
                nodes[node].moka = None;
                Some(())
            }
            Action::Crashes(node) => {
                nodes[node].crash();
                // The database notices, and takes back what was not committed.
                if database.end == Transaction::Open(Writer::Node(node)) {
                    database.take_back_end();
                }
                Some(())
            }
        }
    }
}

impl World {
    /// Which of the nodes and which of its checks is which makes no difference, so worlds that
    /// differ in nothing else are one.
    fn put_in_order(&mut self) {
        for node in &mut self.nodes {
            node.checks.sort_unstable();
        }
        // A node that nobody uses is the least, and stays where it is.
        if self.nodes[0] < self.nodes[1] {
            self.nodes.swap(0, 1);
            if let Transaction::Open(Writer::Node(node)) = &mut self.database.end {
                *node = 1 - *node;
            }
        }
    }
}
