#![allow(clippy::unwrap_used, clippy::panic)]
use proptest::prelude::*;

use super::*;

const HEAD: &str = "apiVersion: tenet.network/v1alpha1\n";

fn one(text: &str) -> Document {
    let documents = read(text, &[]);
    assert_eq!(documents.len(), 1, "{text}");
    documents.into_iter().next().unwrap()
}

#[test]
fn nonsense_is_named_and_said_how_to_mend() {
    let cases = [
        ("a: [", "document 1, line 1 is not YAML"),
        ("a: b: c", "document 1, line 1 is not YAML"),
        ("a: 1\na: 2", "document 1, line 2 is not YAML"),
        ("spec:\n\t- a", "is not YAML"),
        ("just words", "document 1 is no Kubernetes object"),
        ("[1, 2]", "document 1 is no Kubernetes object"),
        ("kind: Network", "apiVersion or kind is missing"),
        ("apiVersion: v1\nkind: List", "a List needs items"),
        ("apiVersion: tenet.network/v2\nkind: Network\nmetadata: {name: a}\nspec: {}", "write tenet.network/v1alpha1"),
        ("@kind: Netwrok\nmetadata: {name: a}\nspec: {}", "there is no such kind; the kinds are Network, Subnet"),
        ("@kind: Network\nspec: {}", "metadata is missing"),
        ("@kind: Network\nmetadata: [a]\nspec: {}", "metadata must be an object"),
        ("@kind: Network\nmetadata: {}\nspec: {}", "metadata.name ``"),
        ("@kind: Network\nmetadata: {name: Blue}\nspec: {}", "metadata.name `Blue`"),
        ("@kind: Network\nmetadata: {name: a b}\nspec: {}", "metadata.name `a b`"),
        (
            "@kind: Network\nmetadata: {name: 7}\nspec: {}",
            "metadata.name: 7 does not fit: invalid type: integer `7`, expected a string",
        ),
        (
            "@kind: Network\nmetadata: {name: a, labels: {x: true}}\nspec: {}",
            "metadata.labels.x: true does not fit: invalid type: boolean `true`, expected a string",
        ),
        ("@kind: Network\nmetadata: {name: a, namespace: -x}\nspec: {}", "metadata.namespace `-x`"),
        ("@kind: Network\nmetadata: {name: a, label: {}}\nspec: {}", "metadata.label is an unknown field"),
        ("@kind: Network\nmetadata: {name: a}", "document 1, Network a: spec is missing"),
        ("@kind: Network\nmetadata: {name: a}\nspec: 3", "spec must be an object, not 3"),
        ("@kind: Network\nmetadata: {name: a}\nspec: {}\nsepc: {}", "sepc is an unknown field"),
        ("@kind: Network\nmetadata: {name: a}\nspec: {MTU: 9}", "spec.MTU is an unknown field; mtu is meant?"),
        (
            "@kind: Network\nmetadata: {name: a}\nspec: {mtu: big}",
            "spec.mtu must be an integer, not the string \"big\"",
        ),
        ("@kind: Network\nmetadata: {name: a}\nspec: {mtu: -1}", "spec.mtu: -1 must be a number from 68 to 65535"),
        (
            "@kind: Network\nmetadata: {name: a}\nspec: {mtu: 5000000000}",
            "document 1, Network a: spec.mtu: 5000000000 must be a number from 68 to 65535",
        ),
        (
            "@kind: Network\nmetadata: {name: a}\nspec: {mtu: \"x\\ny\"}",
            "spec.mtu must be an integer, not the string \"x\\ny\"",
        ),
        (
            "@kind: Subnet\nmetadata: {name: a}\nspec: {networkRef: {name: b}, cidr: 10.0.0.0}",
            "document 1, Subnet a: spec.cidr: \"10.0.0.0\" must be a range in CIDR notation such as 10.0.0.0/24",
        ),
        (
            "@kind: Subnet\nmetadata: {name: a}\nspec: {networkRef: {name: b}, cidr: 10.0.0.0/24, gatewayIP: none}",
            "spec.gatewayIP: \"none\" is neither an IP address nor None",
        ),
        (
            "@kind: Subnet\nmetadata: {name: a}\nspec: {networkRef: {name: b}, cidr: 10.0.0.0/24, dnsNameservers: [8.8.8.8, dns]}",
            "spec.dnsNameservers[1]: \"dns\" must be an IP address such as 10.0.0.5",
        ),
        (
            "@kind: FloatingIP\nmetadata: {name: a}\nspec: {networkRef: {name: b}, portForwardings: [{protocol: TCP, port: 80, targetPort: 99999, portRef: {name: c}}]}",
            "spec.portForwardings[0].targetPort: 99999 must be a number from 1 to 65535",
        ),
        (
            "@kind: Port\nmetadata: {name: a}\nspec: {networkRef: {name: b}, macAddress: 02-00-00-00-00-05}",
            "spec.macAddress: `02-00-00-00-00-05` is not a MAC address like 02:00",
        ),
        (
            "@kind: Router\nmetadata: {name: a}\nspec: {routes: [{destination: 10.0.0.0/33, nextHop: 10.0.0.2}]}",
            "spec.routes[0].destination: \"10.0.0.0/33\" must be a range in CIDR notation such as",
        ),
        ("@kind: Network\nmetadata: {name: a}\nspec: {external: \"true\"}", "spec.external must be a boolean"),
        (
            "@kind: Network\nmetadata: {name: a}\nspec: {provider: {physicalNetwork: p, type: flat}}",
            "spec.provider.type must be one of Flat, VLAN, not flat",
        ),
        ("@kind: Port\nmetadata: {name: a}\nspec: {}", "spec.networkRef is missing"),
        (
            "@kind: Port\nmetadata: {name: a}\nspec: {networkRef: {name: b}, macAddress: 1}",
            "spec.macAddress must be a string, not 1: put it in quotes",
        ),
        (
            "@kind: Port\nmetadata: {name: a}\nspec: {networkRef: {name: b}, addresses: [{subnetRef: {name: s}}, {ip: 10.0.0.300}]}",
            "document 1, Port a: spec.addresses[1].ip: \"10.0.0.300\" must be an IP address such as 10.0.0.5",
        ),
        (
            "@kind: Port\nmetadata: {name: a}\nspec: {networkRef: {name: b}, addresses: [{}, {adress: x}]}",
            "spec.addresses[1].adress is an unknown field",
        ),
    ];
    for (text, wanted) in cases {
        let document = one(&text.replacen('@', HEAD, 1));
        assert!(document.objects.is_empty(), "{text}");
        let error = document.errors.first().unwrap_or_else(|| panic!("no error for {text}"));
        assert!(error.contains(wanted), "{text}\n  says {error}\n  not {wanted}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn an_alias_bomb_is_refused_in_little_time() {
    let line = |n: usize| format!("a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 9].join(", "));
    let first = "a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned();
    let text = std::iter::once(first).chain((1..12).map(line)).collect::<Vec<_>>().join("\n");
    let start = std::time::Instant::now();
    assert_eq!(one(&text).errors.len(), 1);
    let deep = format!("a: {}", "[".repeat(100_000));
    assert_eq!(one(&deep).errors.len(), 1);
    assert!(start.elapsed().as_secs() < 20);
}

#[test]
fn what_is_not_ours_is_skipped_and_named() {
    let document = one("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {x: 1}");
    assert_eq!(document.foreign, ["Deployment web (apps/v1)"]);
    assert!(document.errors.is_empty() && document.objects.is_empty());
}

#[test]
fn defaults_are_kubernetes_own() {
    let text = format!(
        "# a comment\n%YAML 1.2\n---\n{HEAD}kind: Network\nmetadata: {{name: a, uid: x, creationTimestamp: null}}\nspec: {{mtu: null}}\nstatus: {{mtu: 9}}\n\
         ---\n# nothing\n---\n{HEAD}kind: PhysicalNetwork\nmetadata: {{name: p, namespace: x}}\nspec: {{attachments: [{{interface: eth1}}]}}\n---\n"
    );
    let documents = read(&text, &[]);
    assert!(documents.iter().all(|d| d.errors.is_empty()), "{documents:?}");
    let objects: Vec<_> = documents.iter().flat_map(|d| &d.objects).collect();
    let ids: Vec<_> = objects.iter().map(|o| o.id().to_string()).collect();
    assert_eq!(ids, ["Network default/a", "PhysicalNetwork p"]);
    assert_eq!(objects.first().unwrap().meta().uid, None);
    assert!(objects.first().unwrap().conditions().is_empty());
}

#[test]
fn a_list_holds_objects_and_its_faults_have_a_place() {
    let text = "apiVersion: v1\nkind: List\nitems:\n\
        - {apiVersion: tenet.network/v1alpha1, kind: Network, metadata: {name: a}, spec: {}}\n\
        - {apiVersion: tenet.network/v1alpha1, kind: Network, metadata: {name: b}, spec: {x: 1}}\n";
    let document = one(text);
    assert_eq!(document.objects.len(), 1);
    assert_eq!(document.errors.first().unwrap().split(": ").next(), Some("document 1, items[1], Network b"));
}

#[test]
fn only_documents_whose_text_changed_are_read_again() {
    let doc = |name: &str, mtu: u32| format!("{HEAD}kind: Network\nmetadata: {{name: {name}}}\nspec: {{mtu: {mtu}}}\n");
    let before = read(&[doc("a", 1400), doc("b", 1400)].join("---\n"), &[]);
    let after = read(&[doc("new", 1400), doc("a", 1400), doc("b", 1300)].join("---\n"), &before);
    let object = |d: &[Document], n: usize| d.get(n).unwrap().objects.first().unwrap().clone();
    assert!(object(&after, 1).is(&object(&before, 0)), "the same text is the same object");
    assert!(!object(&after, 2).same_spec(&object(&before, 1)));
}

#[test]
fn the_line_of_an_error_is_the_files() {
    let text = "# one\n---\nkind: x\n---\n\na: [\n";
    let documents = read(text, &[]);
    let error = documents.last().unwrap().errors.first().unwrap();
    assert!(error.starts_with("document 2, line "), "{error}");
    let line: u64 = error.split("line ").nth(1).and_then(|t| t.split(' ').next()).unwrap().parse().unwrap();
    assert!((6..=7).contains(&line), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(---|\\n|kind: |spec: |[ -~]|\\PC|[\\[\\]{}&*!|>]|\t){0,60}") {
        let _ = read(&text, &[]);
    }

    #[test]
    fn no_value_of_a_field_makes_it_panic(value in "[ -~]{0,20}", field in "(mtu|external|provider|cidr|macAddress)") {
        for kind in ["Network", "Subnet", "Port"] {
            let _ = read(&format!("{HEAD}kind: {kind}\nmetadata: {{name: a}}\nspec:\n  {field}: {value}\n"), &[]);
        }
    }
}
