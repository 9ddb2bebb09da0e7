//! Tenet: tenant networks for Kubernetes, declared.
pub mod agent;
pub mod api;
pub mod cli;
pub mod config;
pub mod dataplane;
pub mod local;
pub mod model;
