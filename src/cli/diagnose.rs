//! `tenet diagnose`: what is not well, and why.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use k8s_openapi::jiff::Timestamp;

use super::Ended;
use super::args::{Diagnose, Show};
use super::seen::{World, read, wait};
use crate::cluster::evidence;
use crate::model::diagnosis::{Around, Diagnosis, diagnose};

/// The exit code when something is not well.
const NOT_WELL: u8 = 2;

/// `tenet diagnose`
pub fn run(args: &Diagnose, plugin: bool) -> Ended {
    let diagnosis = wait(async {
        let mut world = read(&args.source, plugin).await?;
        let namespace = (!args.all_namespaces).then(|| world.namespace.clone());
        let mut gaps = Vec::new();
        let found = judge(&mut world, namespace.as_deref(), &mut gaps).await;
        for gap in gaps {
            let _ = writeln!(io::stderr(), "note: not read: {gap}");
        }
        Ok(found)
    })?;
    let text = match args.output {
        Show::Json => serde_json::to_string_pretty(&diagnosis)? + "\n",
        Show::Text => text(&diagnosis),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if diagnosis.is_well() { 0 } else { NOT_WELL })
}

/// Reads what is around the objects, and judges. `gaps` gets what may not be read.
pub async fn judge(world: &mut World, namespace: Option<&str>, gaps: &mut Vec<String>) -> Diagnosis {
    let around = match &world.client {
        None => Around::default(),
        Some(client) => {
            world.seen.snapshot.pods = evidence::asking(client, namespace, gaps).await;
            evidence::around(client, Timestamp::now(), gaps).await
        }
    };
    diagnose(&world.seen.snapshot, &around, namespace)
}

/// For people.
pub fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    if diagnosis.is_well() {
        text.push_str("all is well\n");
    }
    for finding in &diagnosis.findings {
        let _ = writeln!(text, "{}  {}", finding.what, finding.reason);
        let _ = writeln!(text, "    {}", finding.message);
        if !finding.because.is_empty() {
            let _ = writeln!(text, "    not Ready because of it: {}", finding.because.join(", "));
        }
    }
    for note in &diagnosis.notes {
        let _ = writeln!(text, "note: {note}");
    }
    super::topology::words::lines(&text)
}
