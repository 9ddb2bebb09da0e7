#![allow(clippy::unwrap_used, clippy::panic)]
use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
}

#[test]
fn the_commands_of_the_contract_are_understood() {
    Cli::command().debug_assert();
    for line in [
        "tenet crds",
        "tenet local d",
        "tenet local a b --state s --socket k --once --node n",
        "tenet --log-format json local d --log-level debug",
        "tenet plan d -o json",
        "tenet plug a/b --netns x --ifname eth1 --timeout 30s --force -o json",
        "tenet plug b --pid 1",
        "tenet plug b --tap t",
        "tenet unplug a/b --socket k",
        "tenet get",
        "tenet get ports web-0 -n ns -o yaml",
        "tenet get -A -o wide",
        "tenet clean --yes",
        "tenet confirm --socket k",
        "tenet topology -A -o svg",
        "tenet trace a/b 10.0.0.1:80 --protocol udp --kubeconfig k --context c",
        "tenet diagnose -n a -o json",
        "tenet bundle -A --file - --lines 10",
        "tenet completions zsh",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "tenet",
        "tenet local",
        "tenet plug a/b",
        "tenet plug a/b --netns x --pid 1",
        "tenet plug a/b --tap t --ifname eth1",
        "tenet plug a/b --netns x --timeout soon",
        "tenet plug a/b --netns x --timeout 99d",
        "tenet get -A -n x",
        "tenet get -o xml",
        "tenet local d --confirm",
        "tenet vpc",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn defaults_are_the_contracts() {
    let Ok(Command::Local(local)) = parse("tenet local d") else { panic!() };
    assert_eq!(local.instance.state.state, PathBuf::from("/var/lib/tenet"));
    assert_eq!(local.instance.socket.socket, PathBuf::from("/run/tenet/tenet.sock"));
    let Ok(Command::Plug(plug)) = parse("tenet plug b --netns x") else { panic!() };
    assert_eq!((plug.ifname.as_str(), plug.timeout.as_secs()), ("eth0", 30));
    let Ok(Command::Plug(plug)) = parse("tenet plug b --netns x --timeout 1.5m") else { panic!() };
    assert_eq!(plug.timeout.as_secs(), 90);
}

#[test]
fn every_command_has_an_example() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example"), "{}", command.get_name());
    }
}
