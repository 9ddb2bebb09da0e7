//! `tenet bundle`: everything for a bug report, secrets left out.

mod archive;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::fs::File;
use std::io::{self, Write};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::Ended;
use super::args::Bundle;
use super::seen::{World, read, wait};
use super::topology::words::Names;
use super::{diagnose, topology};
use crate::cluster::evidence;
use crate::model::Kind;
use crate::model::object::Object;
use archive::Archive;

/// What kubectl keeps there may be as old as a secret that was taken out since.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A file of the bundle.
type Paper = (String, String);

/// `tenet bundle`
pub fn run(args: &Bundle, plugin: bool) -> Ended {
    let now = Timestamp::now();
    let name = format!("tenet-bundle-{}", now.strftime("%Y%m%d-%H%M%S"));
    let papers = wait(collect(args, plugin, now))?;
    let time = u64::try_from(now.as_second())?;
    let path = args.file.clone().unwrap_or_else(|| format!("{name}.tar.gz").into());
    if path.as_os_str() == "-" {
        pack(io::stdout().lock(), &name, time, &papers)?.flush()?;
        return Ok(0);
    }
    let file =
        File::create_new(&path).map_err(|error| format!("{}: {error}; name another with --file", path.display()))?;
    pack(file, &name, time, &papers)?.sync_all()?;
    writeln!(io::stdout(), "{}", path.display())?;
    Ok(0)
}

fn pack<W: Write>(out: W, folder: &str, time: u64, papers: &[Paper]) -> io::Result<W> {
    let mut archive = Archive::begin(out, folder, time);
    for (path, text) in papers {
        archive.add(path, text.as_bytes())?;
    }
    archive.end()
}

/// Says what is under way.
fn progress(what: &str) {
    let _ = writeln!(io::stderr(), "reading {what}");
}

async fn collect(args: &Bundle, plugin: bool, now: Timestamp) -> Result<Vec<Paper>, String> {
    progress("objects");
    let mut world = read(&args.source, plugin).await?;
    let namespace = (!args.all_namespaces).then(|| world.namespace.clone());
    let mut gaps = world.seen.gaps(&world.namespace);
    let diagnosis = diagnose::judge(&mut world, namespace.as_deref(), &mut gaps).await;
    let mut papers = objects(&world, namespace.as_deref());
    papers.push(("diagnose.txt".into(), diagnose::text(&diagnosis)));
    let chart = world.topology.chart();
    let chart = if let Some(namespace) = &namespace { chart.of_namespace(namespace) } else { chart };
    papers.push(("topology.txt".into(), topology::text::draw(&chart, 120, Names { home: namespace.as_deref() })));
    papers.push(("topology.svg".into(), topology::svg::draw(&chart, Names { home: namespace.as_deref() })));
    let mut about = vec![format!("tenet {} at {now}", env!("CARGO_PKG_VERSION"))];
    about.push(format!("namespace: {}", namespace.as_deref().unwrap_or("all")));
    if let Some(client) = &world.client {
        about.push(format!("Kubernetes: {}", evidence::server(client).await));
        papers.extend(around(client, args.lines, namespace.as_deref(), &mut gaps).await);
    } else {
        about.push("local mode".into());
    }
    gaps.sort();
    gaps.dedup();
    for gap in &gaps {
        about.push(format!("not read: {gap}"));
        let _ = writeln!(io::stderr(), "note: not read: {gap}");
    }
    papers.insert(0, ("about.txt".into(), about.join("\n") + "\n"));
    Ok(papers)
}

/// What only a cluster has.
async fn around(client: &kube::Client, lines: u32, namespace: Option<&str>, gaps: &mut Vec<String>) -> Vec<Paper> {
    progress("events, nodes, allocations");
    let mut papers = vec![
        ("events.yaml".into(), yaml(evidence::events(client, namespace, gaps).await)),
        ("nodes.yaml".into(), yaml(evidence::nodes(client, gaps).await)),
    ];
    if namespace.is_none() {
        papers.push(("objects/allocations.yaml".into(), yaml(evidence::allocations(client, gaps).await)));
    }
    let pods = evidence::own_pods(client, gaps).await;
    papers.push(("pods.yaml".into(), yaml(pods.iter().map(evidence::picked).collect())));
    for pod in pods {
        let name = pod.metadata.name.unwrap_or_default();
        let statuses = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
        for container in pod.spec.map(|spec| spec.containers).unwrap_or_default() {
            progress(&format!("the log of {name}"));
            let restarted = statuses.iter().any(|status| status.name == container.name && status.restart_count > 0);
            for before in [false, true].into_iter().filter(|before| !before || restarted) {
                let path = format!("logs/{name}-{}{}.log", container.name, if before { "-before" } else { "" });
                match evidence::log(client, &name, &container.name, lines.into(), before).await {
                    Ok(log) => papers.push((path, log)),
                    Err(why) => gaps.push(format!("{path}: {why}")),
                }
            }
        }
    }
    papers
}

/// All objects, kind by kind.
fn objects(world: &World, namespace: Option<&str>) -> Vec<Paper> {
    let wanted = |object: &Object| {
        !object.kind().namespaced() || namespace.is_none_or(|namespace| *object.id().key.namespace == *namespace)
    };
    // What stands in for what may not be read is nobody's object.
    let is_real = |object: &Object| object.meta().uid.is_some();
    let of = |kind: Kind| {
        let objects = Object::all(&world.seen.snapshot, kind).into_iter().filter(|o| wanted(o) && is_real(o));
        let papers: Vec<Value> = objects.filter_map(|object| object.json().ok()).collect();
        (format!("objects/{}.yaml", kind.to_string().to_lowercase()), yaml(papers))
    };
    Kind::ALL.into_iter().map(of).collect()
}

/// Values as YAML documents, without what does not belong there.
fn yaml(values: Vec<Value>) -> String {
    let mut text = String::new();
    for mut value in values {
        strip(&mut value);
        text.push_str("---\n");
        text += &serde_saphyr::to_string(&value).unwrap_or_else(|error| format!("# {error}\n"));
    }
    text
}

/// Takes out what is long and tells nothing, and what may be secret.
fn strip(value: &mut Value) {
    let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    meta.remove("managedFields");
    if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
}
