//! Tenet: tenant networks for Kubernetes, declared.
pub mod api;
pub mod dataplane;
pub mod model;
