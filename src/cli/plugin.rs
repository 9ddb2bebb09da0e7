//! The same program as kubectl's plugin: by the name `kubectl-tenet` it is `kubectl tenet`, and shows what reads an API server.

use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::args::Cli;

/// What a plugin shows; all else works, too.
const SHOWN: [&str; 5] = ["topology", "trace", "diagnose", "bundle", "crds"];

/// Reads the arguments.
///
/// # Errors
/// Help that was asked for, or what is wrong with them.
pub fn parse(plugin: bool) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command(plugin).try_get_matches()?)
}

/// The command, as it calls itself.
pub fn command(plugin: bool) -> Command {
    let command = Cli::command();
    if !plugin {
        return command;
    }
    command
        .bin_name("kubectl tenet")
        .mut_subcommands(|command| {
            let hidden = !SHOWN.contains(&command.get_name());
            let help = command.get_after_help().map(|help| help.to_string().replace("  tenet ", "  kubectl tenet "));
            match help {
                Some(help) => command.after_help(help),
                None => command,
            }
            .hide(hidden)
        })
        .after_help("Install: put this program into the PATH by the name kubectl-tenet.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_calls_itself_as_people_call_it() {
        let wrong = command(true).try_get_matches_from(["kubectl-tenet", "topology", "--nonsense"]);
        let text = wrong.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(text.contains("Usage: kubectl tenet topology"), "{text}");
        let help = command(true).try_get_matches_from(["kubectl-tenet", "topology", "--help"]);
        let text = help.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(text.contains("  kubectl tenet topology -n team-a"), "{text}");
        let all = command(true).render_help().to_string();
        assert!(all.contains("topology") && !all.contains("controller"), "{all}");
    }
}
