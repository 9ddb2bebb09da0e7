//! The command line: arguments in, text and an exit code out.

mod age;
mod args;
mod bundle;
mod client;
mod cni;
mod diagnose;
mod get;
mod json_path;
mod log;
mod plan;
mod plugin;
mod seen;
mod table;
mod topology;
mod trace;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;

use crate::cluster::client::Access;
use crate::cni::chain::Link;
use crate::cni::install::{self, Chained, Keeper};
use crate::config::Called;
use crate::local::{self, Options};
use crate::{api, config, controller, node};
use args::{Cli, Command};

/// What a command ends with: an exit code, or what is wrong.
type Ended = Result<u8, Box<dyn Error>>;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(variables) = config::cni() {
        return cni::run(&variables);
    }
    let plugin = match config::called() {
        Called::Itself => false,
        Called::Plugin => true,
        Called::Completion(words) => {
            let _ = io::stdout().write_all(plugin::complete(&words).as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    let cli = match plugin::parse(plugin) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // 2 is "there are changes", so wrong arguments are 1 like every other error.
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(cli, plugin) {
        Ok(code) => ExitCode::from(code),
        // Whoever read our output has enough of it.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn run(cli: Cli, plugin: bool) -> Ended {
    let usual = if matches!(cli.command, Command::Local(_) | Command::Controller(_) | Command::Agent(_)) {
        "info"
    } else {
        "error"
    };
    log::start(cli.log_format, cli.log_level.as_deref(), usual)?;
    match cli.command {
        Command::Crds => crds(),
        Command::Local(args) => {
            let options = options(args.instance);
            if !args.once {
                local::run(&options)?;
                return Ok(0);
            }
            let lines = local::once(&options, args.confirm)?;
            let mut out = io::stdout().lock();
            if lines.is_empty() {
                writeln!(out, "all is Ready")?;
                return Ok(0);
            }
            writeln!(out, "not all is Ready:")?;
            lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
            Ok(1)
        }
        Command::Controller(args) => {
            let identity = args.identity.unwrap_or_else(|| format!("{}-{}", config::hostname(), std::process::id()));
            let access = Access { kubeconfig: args.access.kubeconfig };
            let (namespace, metrics) = (args.lease_namespace, args.metrics);
            controller::run(&controller::Options { access, identity, namespace, metrics })?;
            Ok(0)
        }
        Command::Agent(args) => {
            let options = node::Options {
                access: Access { kubeconfig: args.access.kubeconfig },
                node: args.node.unwrap_or_else(config::hostname),
                tunnel: args.tunnel_address,
                state: args.state.state,
                socket: args.socket.socket,
                metrics: args.metrics,
                filtering: args.filtering.into(),
                chain: args.cni_conf_dir.map(|conf_dir| Keeper { conf_dir, link: Link::default() }),
            };
            if args.dry_run {
                node::plans(&options, plan::show)?;
            } else {
                node::run(&options)?;
            }
            Ok(0)
        }
        Command::Plan(args) => plan::run(args),
        Command::Plug(args) => client::plug(args),
        Command::Unplug(args) => client::unplug(&args),
        Command::Cni(args::Cni { command }) => installed(command),
        Command::Confirm(args) => client::confirm(&args.socket),
        Command::Get(args) => get::run(&args),
        Command::Topology(args) => topology::run(&args, plugin),
        Command::Trace(args) => trace::run(&args, plugin),
        Command::Diagnose(args) => diagnose::run(&args, plugin),
        Command::Bundle(args) => bundle::run(&args, plugin),
        Command::Clean(args) => clean(args),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tenet", &mut text);
            io::stdout().write_all(&text)?;
            Ok(0)
        }
    }
}

fn options(instance: args::Instance) -> Options {
    Options {
        folders: instance.folders,
        state: instance.state.state,
        socket: instance.socket.socket,
        node: instance.node.unwrap_or_else(config::hostname),
        filtering: instance.filtering.into(),
    }
}

fn installed(command: args::CniCommand) -> Ended {
    match command {
        args::CniCommand::Install(args) => {
            install::plugin(&args.bin_dir).map_err(|error| format!("{}: {error}", args.bin_dir.display()))?;
            let chained = install::chain(&args.conf_dir, &Link::default())
                .map_err(|error| format!("{}: {error}", args.conf_dir.display()))?;
            let mut out = io::stdout().lock();
            match chained {
                Chained::Same => writeln!(out, "the link is in the chain")?,
                Chained::Written(file) => writeln!(out, "the link is in the chain, behind {file}")?,
                Chained::Nothing(why) => writeln!(out, "no network configuration to link to yet: {why}")?,
            }
        }
        args::CniCommand::Uninstall { folders, stay } => {
            install::uninstall(&folders.bin_dir, &folders.conf_dir)?;
            if stay {
                loop {
                    std::thread::park();
                }
            }
        }
    }
    Ok(0)
}

fn crds() -> Ended {
    io::stdout().write_all(api::crds_yaml()?.as_bytes())?;
    Ok(0)
}

fn clean(args: args::Clean) -> Ended {
    if !args.yes {
        if !io::stdin().is_terminal() {
            return Err("nothing is taken away without being asked for; say --yes".into());
        }
        write!(io::stderr(), "Take away everything of Tenet's on this host, and the addresses given so far? [y/N] ")?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Err("nothing was taken away".into());
        }
    }
    let filtering = args::Filtering::default();
    let here = args::Instance { folders: Vec::new(), state: args.state, socket: args.socket, node: None, filtering };
    let gone = local::clean(&options(here))?;
    let mut out = io::stdout().lock();
    for change in &gone.0 {
        writeln!(out, "{} {} taken away", change.item.kind(), change.item)?;
    }
    writeln!(out, "{}", if gone.0.is_empty() { "there was nothing of Tenet's" } else { "all is gone" })?;
    Ok(0)
}

/// Reads a time: a number with `ms`, `s`, `m` or `h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * scale;
    if seconds.is_nan() || seconds > 86_400.0 {
        return Err("write a time of at most a day as 30s, 500ms or 2m".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}
