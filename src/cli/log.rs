//! Where log lines go, and how they look.

use std::error::Error;

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;
use crate::config;

/// Libraries that are heard only when they warn, unless they are named.
const QUIET: &str = "aya=warn,aya_obj=warn";

/// Starts logging to standard error. `level` wins over `RUST_LOG`, which wins over `usual`.
pub fn start(format: LogFormat, level: Option<&str>, usual: &str) -> Result<(), Box<dyn Error>> {
    let rust_log = config::rust_log();
    let filter = level.or(rust_log.as_deref()).unwrap_or(usual);
    // What loads the packet filters tells hundreds of lines; who wants them names it.
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .map_err(|e| format!("log level `{filter}`: {e}; write error, warn, info, debug or trace"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => lines.with_ansi(config::colour_log()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
