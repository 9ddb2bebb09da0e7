//! `crds/` holds what the code says.

use std::path::Path;
use std::{env, fs};

use tenet::api::{all, crd_yaml};

#[test]
fn the_crds_folder_is_what_the_code_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut files: Vec<_> =
        all().iter().map(|crd| (format!("{}.yaml", crd.spec.names.plural), crd_yaml(crd).unwrap())).collect();
    let names: Vec<_> = files.iter().map(|(name, _)| format!("- {name}\n")).collect();
    let list =
        format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{}", names.concat());
    files.push(("kustomization.yaml".into(), list));
    if env::var_os("TENET_WRITE_CRDS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &files {
        let found = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(found == *text, "crds/{name} is not what src/api says: run `make crds` and commit the result");
    }
    let present = fs::read_dir(&folder).unwrap().count();
    assert_eq!(present, files.len(), "crds/ holds files of no kind: remove them");
}
