//! Tenet: tenant networks for Kubernetes, declared.
pub mod agent;
pub mod api;
pub mod dataplane;
pub mod model;
