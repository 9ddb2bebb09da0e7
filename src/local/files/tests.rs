#![allow(clippy::unwrap_used)]
use super::*;
use crate::local::scratch::{Scratch, network};
use crate::model::{Key, Kind};

fn id(name: &str) -> Id {
    Id::new(Kind::Network, Key::new("default", name))
}

fn names(touched: &Touched) -> Vec<String> {
    touched.objects.iter().map(|id| id.key.name.to_string()).collect()
}

fn open(dir: &Scratch) -> Files {
    let mut files = Files::new(&[dir.path().to_owned()]).unwrap();
    files.scan(&mut |_| {});
    files
}

#[test]
fn folders_are_read_with_all_below_and_nothing_else() {
    let dir = Scratch::new();
    dir.write("a.yaml", &network("a"));
    dir.write("deep/er/b.yml", &network("b"));
    for name in [".hidden.yaml", "a.yaml~", ".a.yaml.swp", "#a.yaml#", "notes.txt", ".git/c.yaml", "..data/c.yaml"] {
        dir.write(name, &network("c"));
    }
    std::os::unix::fs::symlink("nowhere", dir.path().join("broken.yaml")).unwrap();
    std::os::unix::fs::symlink(".", dir.path().join("circle")).unwrap();
    let files = open(&dir);
    assert!(files.declared(&id("a")).is_some() && files.declared(&id("b")).is_some());
    assert!(files.declared(&id("c")).is_none());
    assert_eq!(files.problems().count(), 0);
}

#[test]
fn what_is_no_file_is_named_and_not_read() {
    let dir = Scratch::new();
    dir.write("a.yaml", &network("a"));
    std::os::unix::fs::symlink("/dev/null", dir.path().join("device.yaml")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let files = open(&dir);
    assert!(files.declared(&id("a")).is_some());
    let problems: Vec<_> = files.problems().collect();
    for (problem, name) in problems.iter().zip(["device.yaml", "pipe.yaml"]) {
        assert!(problem.contains(&format!("{name}: is no file, so it is not read")), "{problem}");
    }
    assert_eq!(problems.len(), 2);
}

#[test]
fn only_changed_files_touch_objects() {
    let dir = Scratch::new();
    let path = dir.write("a.yaml", &(network("a") + &network("b")));
    dir.write("c.yaml", &network("c"));
    let mut files = open(&dir);
    assert!(names(&files.scan(&mut |_| {})).is_empty());
    dir.write("a.yaml", &(network("a") + &network("b2")));
    let mut touched = Touched::default();
    files.read(&path, &mut touched);
    assert_eq!(names(&touched), ["b", "b2"]);
    dir.remove("a.yaml");
    assert_eq!(names(&files.scan(&mut |_| {})), ["a", "b2"]);
}

#[test]
fn of_two_files_with_one_object_the_first_counts_and_the_second_is_named() {
    let dir = Scratch::new();
    dir.write("b.yaml", &network("x"));
    let first = dir.write("a.yaml", &network("x"));
    let mut files = open(&dir);
    assert_eq!(files.declared(&id("x")).unwrap().0, first);
    let problem = files.problems().next().unwrap();
    assert!(
        problem.contains("b.yaml: Network default/x is declared in") && problem.contains("a.yaml already"),
        "{problem}"
    );
    dir.remove("a.yaml");
    assert_eq!(names(&files.scan(&mut |_| {})), ["x"]);
    assert!(files.declared(&id("x")).unwrap().0.ends_with("b.yaml"));
    assert_eq!(files.problems().count(), 0);
    dir.write("b.yaml", &(network("x") + &network("x")));
    files.scan(&mut |_| {});
    assert!(files.problems().next().unwrap().ends_with("Network default/x is declared twice; the first one counts"));
}

#[test]
fn a_file_that_cannot_be_read_vouches_for_what_it_held_until_it_heals() {
    let dir = Scratch::new();
    let path = dir.write("a.yaml", &network("a"));
    let mut files = open(&dir);
    for broken in [&b"a: ["[..], &b"\xff\xfe"[..]] {
        std::fs::write(&path, broken).unwrap();
        assert_eq!(names(&files.scan(&mut |_| {})), if broken == b"a: [" { vec!["a"] } else { vec![] });
        assert!(files.vouches_for(&path) && files.declared(&id("a")).is_none());
    }
    dir.write("a.yaml", &network("b"));
    let touched = files.scan(&mut |_| {});
    assert!(touched.healed.contains(&path) && !files.vouches_for(&path));
}

#[test]
fn a_mounted_config_map_is_read_once_and_follows_its_swap() {
    let dir = Scratch::new();
    dir.write("..1/a.yaml", &network("a"));
    dir.write("..2/a.yaml", &network("b"));
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link("..1", "..data");
    link("..data/a.yaml", "a.yaml");
    let mut files = open(&dir);
    assert!(files.declared(&id("a")).is_some());
    link("..2", "..data_tmp");
    std::fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    assert_eq!(names(&files.scan(&mut |_| {})), ["a", "b"]);
    assert_eq!(files.problems().count(), 0);
}

#[test]
fn a_folder_that_is_missing_or_no_folder_is_refused() {
    let dir = Scratch::new();
    let file = dir.write("a.yaml", "");
    for path in [file, dir.path().join("missing")] {
        let error = Files::new(std::slice::from_ref(&path)).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("create it"), "{error}");
    }
}
