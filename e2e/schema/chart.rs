//! `manifests/chart` is made of the same parts as `install.yaml`, and what Helm makes of it with the values that it has by itself
//! is the same.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::{Value, json};

use crate::manifests::{folder, install, part, parts};

/// What values take the place of: the part, what stands there, what the template says instead.
const PLACES: [(&str, &str, &str); 15] = [
    ("", "image: tenet:0.1.0\n", "image: {{ .Values.image.name }}:{{ .Values.image.tag }}\n"),
    ("", "imagePullPolicy: IfNotPresent\n", "imagePullPolicy: {{ .Values.image.pullPolicy }}\n"),
    ("controller.yaml", "  replicas: 2\n", "  replicas: {{ .Values.controller.replicas }}\n"),
    (
        "controller.yaml",
        "      nodeSelector: {kubernetes.io/os: linux}\n",
        "      nodeSelector: {{- toYaml .Values.controller.nodeSelector | nindent 8 }}\n",
    ),
    (
        "controller.yaml",
        "      - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}\n",
        "        {{- toYaml .Values.controller.tolerations | nindent 8 }}\n",
    ),
    (
        "controller.yaml",
        "        resources:\n          requests: {cpu: 50m, memory: 96Mi}\n          limits: {memory: 1Gi}\n",
        "        resources: {{- toYaml .Values.controller.resources | nindent 10 }}\n",
    ),
    (
        "agent.yaml",
        "      nodeSelector: {kubernetes.io/os: linux}\n",
        "      nodeSelector: {{- toYaml .Values.agent.nodeSelector | nindent 8 }}\n",
    ),
    ("agent.yaml", "      - {operator: Exists}\n", "        {{- toYaml .Values.agent.tolerations | nindent 8 }}\n"),
    (
        "agent.yaml",
        "        resources:\n          requests: {cpu: 50m, memory: 96Mi}\n          limits: {memory: 512Mi}\n",
        "        resources: {{- toYaml .Values.agent.resources | nindent 10 }}\n",
    ),
    ("agent.yaml", "maxUnavailable: 10%", "maxUnavailable: {{ .Values.agent.maxUnavailable }}"),
    ("agent.yaml", "{path: /opt/cni/bin,", "{path: {{ .Values.cni.binDir }},"),
    ("agent.yaml", "{path: /etc/cni/net.d,", "{path: {{ .Values.cni.confDir }},"),
    ("agent.yaml", "--tunnel-address=$(HOST_IP)", "--tunnel-address={{ .Values.agent.tunnelAddress }}"),
    (
        "agent.yaml",
        "--metrics=127.0.0.1:9471",
        "--metrics={{ if .Values.agent.metricsAtNodeAddress }}$(HOST_IP){{ else }}127.0.0.1{{ end }}:9471",
    ),
    (
        "agent.yaml",
        "host: 127.0.0.1,",
        "host: {{ if .Values.agent.metricsAtNodeAddress }}\"\"{{ else }}127.0.0.1{{ end }},",
    ),
];

/// Objects of our kinds go with their CRD, so Helm leaves these when the chart goes.
const KEEP: (&str, &str) = ("helm.sh/resource-policy", "keep");

const HEAD: &str = "{{- /* Made by `make manifests`. */ -}}\n";

fn chart() -> PathBuf {
    folder().join("chart")
}

/// The templates by file name.
fn templates() -> Vec<(String, String)> {
    let mut used = [false; PLACES.len()];
    let mut made = Vec::new();
    for name in parts() {
        let mut text = part(&name);
        assert!(!text.contains("{{"), "{name}: Helm would read what it has in braces");
        if name == "../../crds" {
            let (from, to) = ("\nmetadata:\n", format!("\nmetadata:\n  annotations: {{{}: {}}}\n", KEEP.0, KEEP.1));
            text = text.replace(from, &to);
        }
        for ((of, from, to), used) in PLACES.iter().zip(&mut used) {
            if (of.is_empty() || *of == name) && text.contains(from) {
                *used = true;
                text = text.replace(from, to);
            }
        }
        let name = if name == "../../crds" { "crds.yaml".into() } else { name };
        made.push((name, format!("{HEAD}{text}")));
    }
    for ((of, from, _), used) in PLACES.iter().zip(used) {
        assert!(used, "{of} has no `{}` any more: say in e2e/schema/chart.rs where the value goes", from.trim());
    }
    made
}

fn values() -> Value {
    serde_saphyr::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

/// The objects of a text, each with what it is found by.
fn objects(text: &str) -> Vec<(String, Value)> {
    let read = |document: &str| serde_saphyr::from_str::<Value>(document).unwrap();
    let named = |object: Value| {
        let of = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        (format!("{} {}/{}", object["kind"], of("namespace"), of("name")), object)
    };
    let mut all: Vec<(String, Value)> = text.split("\n---\n").map(read).map(named).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// What Helm makes of the chart with some values, without what keeps CRDs.
fn rendered(values: &Value) -> Vec<(String, Value)> {
    let cached = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/node");
    let helm = env::var_os("TENET_NODE_BIN").map_or_else(cached, PathBuf::from).join("helm");
    let mut command = Command::new(helm);
    command.args(["template", "tenet", "-n", "kube-system", "--kube-version", "1.34.0", "-f", "-"]).arg(chart());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut helm = command.spawn().expect("Helm is missing: `make kube` builds it");
    helm.stdin.take().unwrap().write_all(values.to_string().as_bytes()).unwrap();
    let output = helm.wait_with_output().unwrap();
    assert!(output.status.success(), "helm template fails with {values}");
    let mut all = objects(&String::from_utf8(output.stdout).unwrap());
    for (_, object) in &mut all {
        let crd = object["kind"] == "CustomResourceDefinition";
        let metadata = object["metadata"].as_object_mut().unwrap();
        let kept = metadata.remove("annotations");
        assert_eq!(kept, crd.then(|| json!({ KEEP.0: KEEP.1 })), "{metadata:?}");
    }
    all
}

#[test]
fn the_templates_of_the_chart_are_what_their_parts_say() {
    let (folder, templates) = (chart().join("templates"), templates());
    if env::var_os("TENET_WRITE_MANIFESTS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &templates {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &templates {
        let found = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "manifests/chart/templates/{name} is stale: run `make manifests` and commit the result"
        );
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), templates.len(), "templates of no part: remove them");
}

#[test]
fn the_chart_with_its_own_values_is_the_install_file() {
    let (ours, file) = (rendered(&values()), objects(&install()));
    assert_eq!(ours.len(), file.len());
    for (ours, file) in ours.iter().zip(&file) {
        assert_eq!(ours, file);
    }
}

#[test]
fn every_value_of_the_chart_changes_what_it_is() {
    let before = rendered(&values());
    for group in ["image", "controller", "agent", "cni"] {
        for (name, value) in values()[group].as_object().unwrap() {
            let mut other = values();
            other[group][name] = match value {
                Value::Bool(value) => json!(!value),
                Value::Number(_) => json!(7),
                Value::String(_) => json!("other"),
                Value::Array(_) => json!([{"key": "other"}]),
                _ => json!({"other": "1"}),
            };
            assert_ne!(before, rendered(&other), "{group}.{name} changes nothing");
        }
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    assert_eq!(values()["image"]["tag"], env!("CARGO_PKG_VERSION"));
}
