//! What changes of the filters.

use std::collections::BTreeMap;
use std::io;

use crate::dataplane::kernel::Kernel;
use crate::dataplane::kernel::apply::{Failures, Step};
use crate::dataplane::kernel::filter::{attach, tables::Tables};
use crate::dataplane::kernel::{features, links};
use crate::dataplane::plan::{Action, Change};
use crate::dataplane::state::{IfName, Item, Netns, Spec};

/// Writes groups, members and policies.
pub fn apply(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let fail = |failures: &mut Failures, error: &io::Error| {
        let again = || io::Error::new(error.kind(), error.to_string());
        failures.extend(steps.iter().map(|(position, _)| (*position, again())));
    };
    let tables = match kernel.filters.ready() {
        Ok((tables, _)) => tables,
        Err(error) => return fail(failures, &error),
    };
    let mut forbids = false;
    for (position, change) in steps {
        match write(tables, change) {
            Ok(()) => {
                forbids |= change.action() != Action::Create;
                match &change.to {
                    Some(spec) => kernel.observed.found(change.item.clone(), spec.clone(), change.owner.clone()),
                    None => drop(kernel.observed.0.remove(&change.item)),
                }
            }
            Err(error) => drop(failures.insert(*position, error)),
        }
    }
    // What is new forbids nothing that was allowed.
    if forbids && let Err(error) = tables.bump() {
        fail(failures, &error);
    }
}

fn write(tables: &mut Tables, change: &Change) -> io::Result<()> {
    match (&change.item, &change.to) {
        (Item::Group(group), Some(Spec::Group(rules))) => tables.set_group(*group, Some(rules)),
        (Item::Group(group), _) => tables.set_group(*group, None),
        (Item::Member(member), to) => tables.set_member(member, to.is_some()),
        (Item::Policy(port), Some(Spec::Policy(policy))) => tables.set_port(*port, Some(policy)),
        (Item::Policy(port), _) => tables.set_port(*port, None),
        _ => Ok(()),
    }
}

/// Puts filters on links that were made or have others, before they are set up. A link that gets none stays down.
pub fn guard(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let mut requests: BTreeMap<&Netns, (Vec<_>, Vec<links::For>)> = BTreeMap::new();
    let mut guarded: Vec<(IfName, u32)> = Vec::new();
    for (position, change) in steps {
        if failures.contains_key(position) {
            continue;
        }
        let (Item::Link(netns, name), Some(Spec::Link(link))) = (&change.item, &change.to) else { continue };
        let Some(filter) = &link.filter else { continue };
        let made = kernel.space(netns).and_then(|space| space.index(name)).and_then(|index| {
            let (tables, programs) = kernel.filters.ready()?;
            filter.wire.iter().try_for_each(|wire| tables.set_wire(index, wire))?;
            guarded.push((name.clone(), index));
            Ok(attach::attach(index, programs, &filter.program))
        });
        match made {
            Ok(made) => {
                let (all, positions) = requests.entry(netns).or_default();
                positions.extend(made.iter().map(|_| (*position, change.action())));
                all.extend(made);
            }
            Err(error) => drop(failures.insert(*position, error)),
        }
    }
    for (netns, (requests, positions)) in requests {
        links::send(kernel, netns, requests, &positions, failures);
    }
    if kernel.has(features::TCX)
        && !guarded.is_empty()
        && let Ok((tables, _)) = kernel.filters.ready()
    {
        tables.short.wait(guarded);
    }
    if steps.iter().all(|(position, _)| !failures.contains_key(position)) {
        kernel.filters.replaced();
    }
}
