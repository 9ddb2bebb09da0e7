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
        .after_help(
            "Install: put this program into the PATH by the name kubectl-tenet; by the name kubectl_complete-tenet it \
             completes what is typed.",
        )
}

/// What may come where the last of `words` is being typed, as kubectl passes it on to the shell: a candidate a line, with
/// what it is behind a tab, and at the end what else to offer. (cobra's `ShellCompDirective`: 0 files, 4 nothing.)
#[must_use]
pub fn complete(words: &[String]) -> String {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let root = command(true);
    let at = before.iter().fold(&root, |at, word| at.find_subcommand(word).unwrap_or(at));
    let expected = before.last().and_then(|word| option(at, word));
    let mut found: Vec<(String, String)> = Vec::new();
    match expected {
        Some(argument) => found.extend(argument.get_possible_values().iter().map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            (value.get_name().to_owned(), help)
        })),
        None if last.starts_with('-') => found.extend(at.get_arguments().filter_map(|argument| {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", argument.get_long()?), help))
        })),
        None => found.extend(at.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| {
            (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
        })),
    }
    found.retain(|(name, _)| name.starts_with(last));
    let files = expected.is_some_and(|argument| argument.get_possible_values().is_empty());
    let lines = found.iter().map(|(name, help)| format!("{name}\t{}\n", help.lines().next().unwrap_or_default()));
    lines.chain([if files { ":0\n".into() } else { ":4\n".into() }]).collect()
}

/// The option that takes its value from the word behind `word`.
fn option<'a>(command: &'a Command, word: &str) -> Option<&'a clap::Arg> {
    let named = |argument: &&clap::Arg| {
        let long = word.strip_prefix("--").is_some_and(|name| argument.get_long() == Some(name));
        let short =
            word.strip_prefix('-').is_some_and(|name| argument.get_short().is_some_and(|c| name == c.to_string()));
        (long || short) && argument.get_action().takes_values()
    };
    command.get_arguments().find(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_completed_as_kubectl_passes_it_on() {
        let complete = |line: &str| complete(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let all = complete("");
        assert!(all.contains("topology\t") && all.ends_with(":4\n") && !all.contains("controller\t"), "{all}");
        assert!(complete("topo").starts_with("topology\t") && !complete("topo").contains("trace"));
        let flags = complete("topology --n");
        assert!(flags.starts_with("--namespace\t") && !flags.contains("--kubeconfig"), "{flags}");
        assert!(complete("bundle --file ").ends_with(":0\n"), "a file is completed by the shell");
        assert!(complete("nonsense --what -").ends_with(":4\n"));
    }

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
