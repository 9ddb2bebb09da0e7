//! The commands: exit codes, texts, shapes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::addresses::BLUE;
use crate::support::{Host, Said, run, until};

const PORTS: &str = "
Port web-0 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], macAddress: '02:00:00:00:00:05'}
Port web-1 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port team-a/web-0 {networkRef: {name: blue, namespace: default}}
Router r {interfaces: [{subnetRef: {name: web}}]}
";

fn world() -> Host {
    let host = Host::new();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host
}

#[test]
fn plan_says_what_would_change_and_changes_nothing() {
    let mut host = world();
    let plan = |host: &Host, more: &str| host.tenet(&format!("plan {}{more}", host.yaml()));
    let nothing = plan(&host, "");
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    assert!(nothing.out.contains("Nothing to change"), "{}", nothing.out);
    assert!(!host.dir.join("state").exists() && !host.dir.join("vswitch").exists(), "it writes nothing");
    host.start();
    host.plugged("web-0", "a");
    host.stop(Signal::SIGTERM);
    assert_eq!(plan(&host, "").code, Some(0));
    let edited = [BLUE, PORTS]
        .concat()
        .replace("Router r {", "Router r2 {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.254}]}\nRouter r {");
    host.declare("all.yaml", &edited);
    let text = plan(&host, "");
    assert_eq!(text.code, Some(2), "{text:?}");
    for words in ["Router default/r2", "+ namespace", "to create (+)", "0 to delete (-)"] {
        assert!(text.out.contains(words), "{words} in\n{}", text.out);
    }
    assert!(!text.out.contains('\x1b'), "no colours where nobody looks");
    let json = plan(&host, " -o json");
    assert_eq!(json.code, Some(2));
    let json: Value = serde_json::from_str(&json.out).unwrap();
    for change in json["changes"].as_array().unwrap() {
        let keys: Vec<&str> = change.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["action", "kind", "name", "owner"]);
        assert!(["create", "update", "delete"].contains(&change["action"].as_str().unwrap()));
    }
    assert!(
        json["changes"].as_array().unwrap().iter().any(|c| c["owner"] == "Router default/r2" && c["kind"] == "link")
    );
    let wrong = host.tenet("plan /nowhere");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("/nowhere"), "{}", wrong.err);
}

#[test]
fn get_speaks_as_kubectl_does() {
    let mut host = world();
    host.start();
    host.wait_ready("port", "web-0");
    let get = |line: &str| host.tenet(&format!("get {line}"));
    for word in ["port", "ports", "tport", "Port", "ports.tenet.network"] {
        let table = get(word).expect_ok();
        assert!(
            table.starts_with("NAME ") && table.contains("web-1") && table.contains("10.0.0.12"),
            "{word}:\n{table}"
        );
        assert_eq!(table.lines().count(), 3, "{table}");
    }
    let all = get("ports -A").expect_ok();
    assert!(all.starts_with("NAMESPACE ") && all.contains("team-a"), "{all}");
    assert!(get("ports -n team-a").expect_ok().contains("web-0"));
    let one: Value = serde_json::from_str(&get("tport web-0 -o json").expect_ok()).unwrap();
    assert_eq!((&one["kind"], &one["metadata"]["name"]), (&"Port".into(), &"web-0".into()));
    assert_eq!(one["status"]["macAddress"], "02:00:00:00:00:05");
    let list: Value = serde_json::from_str(&get("ports -o json").expect_ok()).unwrap();
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&"List".into(), 2));
    let yaml = get("tnet blue -o yaml").expect_ok();
    assert!(yaml.contains("kind: Network") && yaml.contains("apiVersion: tenet.network/v1alpha1"), "{yaml}");
    assert!(get("ports -o wide").ok());
    let everything = get("").expect_ok();
    for name in ["network.tenet.network/blue", "subnet.tenet.network/web", "router.tenet.network/r"] {
        assert!(everything.contains(name), "{name} in\n{everything}");
    }
    for (line, words) in
        [("port nobody", "not found"), ("pods", "the kinds are"), ("ports -n nowhere nobody", "not found")]
    {
        let said = get(line);
        assert_eq!(said.code, Some(1), "{line}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
    }
    let none = get("ports -n nowhere");
    assert!(none.ok() && none.err.contains("No resources found in nowhere namespace"), "{none:?}");
}

#[test]
fn plugging_is_idempotent_and_names_who_holds_a_port() {
    let mut host = world();
    host.start();
    let (a, b) = (host.guest("a"), host.guest("b"));
    let plug = |line: &str| host.tenet(&format!("plug {line} --timeout 3s"));
    let text = plug("web-0 --netns a").expect_ok();
    for words in ["eth0", "02:00:00:00:00:05", "1450", "10.0.0.11/24", "gateway 10.0.0.1"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    let index = a.run("cat /sys/class/net/eth0/ifindex").out + &a.run("ip -o link show eth0").out;
    plug("default/web-0 --netns /run/netns/a").expect_ok();
    let again = plug("web-0 --netns a -o json").expect_ok();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["device"], &again["mtu"]), (&"eth0".into(), &1450.into()));
    let now = a.run("cat /sys/class/net/eth0/ifindex").out + &a.run("ip -o link show eth0").out;
    assert_eq!(index, now, "nothing is plugged twice");
    let other = plug("web-0 --netns b");
    assert_eq!(other.code, Some(1));
    assert!(other.err.contains("/run/netns/a") && other.err.contains("--force"), "{}", other.err);
    plug("web-0 --netns b --force --ifname net7").expect_ok();
    until("it is taken over", || b.run("ip link show net7").ok() && !a.run("ip link show eth0").ok());
    let taken = plug("web-1 --netns b --ifname net7");
    assert!(taken.code == Some(1) && taken.err.contains("web-0"), "{taken:?}");
    let (sleeper, mut child) = sleeper();
    plug(&format!("web-1 --pid {sleeper}")).expect_ok();
    child.kill().unwrap();
    child.wait().unwrap();
    until("its namespace went with it", || host.object("port", "web-1")["status"]["binding"].is_null());
    assert!(host.tenet("unplug web-0").expect_ok().contains("unplugged"));
    assert!(!b.run("ip link show net7").ok());
    assert!(host.tenet("unplug web-0").expect_ok().contains("nothing was plugged"));
    for (line, words) in [
        ("nobody --netns a", "does not exist"),
        ("web-0 --netns nowhere", "no network namespace at /run/netns/nowhere"),
        ("web-0 --netns a --ifname sixteen-letters-", "sixteen-letters-"),
        ("team-a/web-0 --netns a", "RefNotPermitted"),
        ("web-0 --netns a --tap t", "cannot be used with"),
        ("web-0 --tap nosuchtap", "nosuchtap"),
    ] {
        let said = host.tenet(&format!("plug {line} --timeout 300ms"));
        assert!(said.code == Some(1) && said.err.contains(words), "{line}: {said:?}");
    }
    assert!(!a.run("ip link show eth0").ok(), "what failed leaves nothing behind");
}

/// A process in a network namespace of its own.
fn sleeper() -> (u32, std::process::Child) {
    let child = Command::new("unshare").args(["-n", "sleep", "60"]).stdin(Stdio::null()).spawn().unwrap();
    let (id, own) = (child.id(), std::fs::read_link("/proc/thread-self/ns/net").unwrap());
    until("it has left", || std::fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|there| there != own));
    (id, child)
}

#[test]
fn a_plug_waits_for_its_port() {
    let mut host = world();
    host.start();
    let guest = host.guest("late");
    let mut plug = Command::new(env!("CARGO_BIN_EXE_tenet"))
        .args(["plug", "late", "--netns", "late", "--timeout", "20s", "--socket"])
        .arg(host.socket())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(plug.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("waiting: Port default/late does not exist"), "{said}");
    host.declare("late.yaml", "Port late {networkRef: {name: blue}}");
    assert!(plug.wait().unwrap().success());
    assert!(guest.run("ip link show eth0").ok());
}

#[test]
fn once_says_what_is_not_ready() {
    let host = world();
    let once = || host.tenet(&format!("local {} --once", host.yaml()));
    let said = once();
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("Port team-a/web-0: RefNotPermitted"), "{}", said.out);
    host.declare("all.yaml", &[BLUE, PORTS].concat().replace("Port team-a/web-0", "ReferenceGrant x"));
    let wrong = once();
    assert!(wrong.code == Some(1) && wrong.out.contains("ReferenceGrant x"), "{wrong:?}");
    host.declare(
        "all.yaml",
        &[BLUE, PORTS].concat().replace("Port team-a/web-0", "Port web-9").replace(", namespace: default", ""),
    );
    let said = once();
    assert!(said.ok() && said.out.contains("all is Ready"), "{said:?}");
}

#[test]
fn without_rights_everything_says_what_to_do_and_changes_nothing() {
    let host = world();
    run(&format!("chmod -R a+rX {}", host.dir.display())).expect_ok();
    let (tenet, dir) = (host.dir.join("tenet"), host.dir.display());
    std::fs::copy(env!("CARGO_BIN_EXE_tenet"), &tenet).unwrap();
    let nobody = |line: &str| run(&format!("setpriv --reuid nobody --clear-groups {} {line}", tenet.display()));
    let places = format!("--state {dir}/state --socket {dir}/sock/tenet.sock");
    for line in [
        format!("local {} {places}", host.yaml()),
        format!("clean --yes {places}"),
        format!("plan {} {places}", host.yaml()),
    ] {
        let said = nobody(&line);
        assert_eq!(said.code, Some(1), "{line}: {said:?}");
        assert!(said.err.contains("root"), "{line}: {}", said.err);
        assert_eq!(said.err.trim().lines().count(), 1, "{line}: {}", said.err);
    }
    let said = nobody(&format!("plug web-0 --netns a --socket {dir}/tenet.sock"));
    assert!(said.code == Some(1), "{said:?}");
    assert!(!host.dir.join("state").exists() && !host.dir.join("vswitch").exists());
}

#[test]
fn every_command_has_help_with_an_example() {
    let tenet = |line: &str| -> Said { run(&format!("{} {line}", env!("CARGO_BIN_EXE_tenet"))) };
    let all = tenet("--help").expect_ok();
    for command in ["crds", "local", "plan", "plug", "unplug", "get", "clean", "confirm", "completions"] {
        assert!(all.contains(&format!("  {command}")), "{command} in\n{all}");
        let help = tenet(&format!("{command} --help")).expect_ok();
        assert!(help.contains("Example") && help.contains(&format!("tenet {command}")), "{command}:\n{help}");
    }
    assert!(tenet("--version").expect_ok().starts_with("tenet "));
    assert!(tenet("completions bash").expect_ok().contains("tenet"));
    assert_eq!(tenet("crds").expect_ok().matches("kind: CustomResourceDefinition").count(), 10);
    for wrong in ["", "nonsense", "plan", "get --nonsense", "plug x"] {
        assert_eq!(tenet(wrong).code, Some(1), "`{wrong}` is an error, and 2 would mean changes");
    }
}

#[test]
fn clean_asks_and_takes_all_of_it() {
    let mut host = world();
    host.start();
    let a = host.plugged("web-0", "a");
    let refused = host.tenet("clean --yes");
    assert!(refused.code == Some(1) && refused.err.contains("stop it first"), "{refused:?}");
    a.wait_pings("10.0.0.1");
    host.stop(Signal::SIGTERM);
    let asked = host.tenet("clean");
    assert!(asked.code == Some(1) && asked.err.contains("--yes"), "{asked:?}");
    let said = host.tenet("clean --yes").expect_ok();
    assert!(said.contains("taken away") && said.contains("all is gone"), "{said}");
    assert!(host.tenet("clean --yes").expect_ok().contains("there was nothing"));
    assert!(!a.run("ip link show eth0").ok());
    assert!(!host.dir.join("filters").exists(), "what the filters went by is gone, too");
}
