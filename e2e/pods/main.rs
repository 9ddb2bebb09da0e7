//! A whole Kubernetes cluster: kubelets, containerd, pods; Tenet as `manifests/` installs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../demo/show.rs"]
mod show;
#[path = "../story/mod.rs"]
mod story;
#[path = "../support/mod.rs"]
mod support;

mod attached;
mod ci;
mod faults;
mod install;
mod leavings;
mod multus;
mod told;
