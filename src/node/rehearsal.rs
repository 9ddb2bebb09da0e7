//! What an agent would do, without doing it: it reads what an agent reads, says nothing to the API server, and takes no lock,
//! so it may run beside the agent of the node.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::api::{Api, Told};
use super::run::Options;
use super::watches::Watches;
use crate::agent::Agent;
use crate::cluster::mirror::Mirror;
use crate::dataplane::plan::Plan;
use crate::model::view::Node;
use crate::model::{Linker, NodeView, Role};

/// News that come together make one plan.
const MOMENT: Duration = Duration::from_millis(50);

/// Shows each plan that is not the one before, until the process is ended or `show` fails.
///
/// # Errors
/// What keeps it from knowing the node or the API server; what `show` says.
pub fn plans(options: &Options, mut show: impl FnMut(&Plan) -> io::Result<()>) -> io::Result<()> {
    let run_dir = options.socket.parent().unwrap_or(Path::new("/")).to_owned();
    let mut agent = Agent::open(&options.agent(run_dir)).map_err(io::Error::other)?;
    let api = Api::start(&options.access, &options.node, None, None)?;
    let (mut mirror, mut orders) = (Mirror::default(), Vec::new());
    let mut watches = Watches::begin(&options.node, &mut mirror, &mut orders);
    let (mut linker, mut view, mut labels) = (Linker::new(Role::Node), NodeView::default(), BTreeMap::new());
    let (awaited, mut shown) = (BTreeSet::new(), None);
    loop {
        orders.drain(..).for_each(|order| api.order(order));
        match poll(&mut [PollFd::new(api.bell(), PollFlags::POLLIN)], PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => std::thread::sleep(MOMENT),
            Err(error) => return Err(error.into()),
        }
        for told in api.told() {
            match told {
                Told::News(source, news) => drop(mirror.hear(source, news)),
                Told::Machine(machine) => labels = machine.map(|machine| machine.labels).unwrap_or_default(),
                _ => {}
            }
        }
        if mirror.is_whole() {
            let (topology, _) = linker.link(mirror.snapshot());
            view = topology.view(Node { labels: Some(&labels), ..Node::from(&options.node) });
            watches.follow(&view, &awaited, &mut mirror, &mut orders);
        }
        if mirror.is_whole() {
            let plan = agent.plan(&view).map_err(io::Error::other)?;
            if shown.as_ref() != Some(&plan) {
                show(&plan)?;
                shown = Some(plan);
            }
        }
    }
}
