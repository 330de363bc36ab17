//! Who runs on which core, so that what is measured has something of the machine to itself.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::scene::{Node, Scene};
use crate::support::postgres::Cluster;

/// Two parts of the machine.
#[derive(Clone, Copy)]
pub(crate) struct Pins {
    /// For the node that is measured, and its clients.
    pub(crate) measured: CpuSet,
    /// For all the rest.
    pub(crate) rest: CpuSet,
}

impl Pins {
    /// One core and another; none where there are no two.
    pub(crate) fn apart() -> Option<Self> {
        let all = sched_getaffinity(None).unwrap();
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let one = |core| {
            let mut set = CpuSet::new();
            set.set(core);
            set
        };
        Some(Self {
            measured: one(cores.next()?),
            rest: one(cores.next()?),
        })
    }

    /// As the system likes.
    pub(crate) fn none() -> Self {
        let all = sched_getaffinity(None).unwrap();
        Self {
            measured: all,
            rest: all,
        }
    }

    /// Puts this node on its part and all others, the database too, on the other; and this thread,
    /// with those that it will start, beside the node.
    pub(crate) fn put(&self, measured: &Node, scenes: [&Scene; 2], server: &Cluster) {
        for node in scenes.into_iter().flat_map(|scene| &scene.nodes) {
            let cores = if std::ptr::eq(node, measured) {
                &self.measured
            } else {
                &self.rest
            };
            node.pin(cores);
        }
        for id in server.processes() {
            pin_process(id, &self.rest);
        }
        sched_setaffinity(None, &self.measured).unwrap();
    }
}

/// All threads of a process; what they start runs where they do.
pub(crate) fn pin_process(id: i32, cores: &CpuSet) {
    for task in std::fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let name = task.unwrap().file_name();
        let task = name.to_str().unwrap().parse().unwrap();
        // One that has ended meanwhile runs nowhere.
        let _ = sched_setaffinity(Pid::from_raw(task), cores);
    }
}
