use super::*;

#[test]
fn an_archive_is_one_that_tar_reads() {
    let papers = [("about.txt".to_owned(), "hello\n".to_owned()), ("a b/../ü.yaml".to_owned(), "x".repeat(1000))];
    let bytes = pack(Vec::new(), "folder", 1_700_000_000, &papers).unwrap();
    let dir = std::env::temp_dir().join(format!("tenet-bundle-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("a.tar.gz");
    std::fs::write(&file, bytes).unwrap();
    let list = std::process::Command::new("tar").arg("tzf").arg(&file).output().unwrap();
    let one = std::process::Command::new("tar").arg("xzOf").arg(&file).arg("folder/about.txt").output().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout), "folder/about.txt\nfolder/a_b/../_.yaml\n", "{list:?}");
    assert_eq!(String::from_utf8_lossy(&one.stdout), "hello\n", "{one:?}");
}

#[test]
fn what_may_be_secret_is_left_out() {
    let mut value = serde_json::json!({"metadata": {
        "name": "a", "managedFields": [1], "annotations": {LAST_APPLIED: "token", "mine": "stays"},
    }});
    strip(&mut value);
    assert_eq!(value, serde_json::json!({"metadata": {"name": "a", "annotations": {"mine": "stays"}}}));
}
