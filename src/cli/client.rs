//! The other end of the control socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::Ended;
use super::args::{Guest, Plug, Show, Unplug};
use crate::agent::protocol::{Answer, Plugged, Request};
use crate::dataplane::attachment::Target;

/// `tenet plug`
pub fn plug(args: Plug) -> Ended {
    let (namespace, name) = port(&args.port);
    let timeout_ms = u64::try_from(args.timeout.as_millis())?;
    let request = if args.guest.switch {
        Request::Switch { namespace, name, timeout_ms }
    } else {
        let target = target(args.guest, args.ifname)?;
        if args.prepare {
            Request::Prepare { namespace, name, target, timeout_ms }
        } else {
            Request::Plug { namespace, name, target, timeout_ms, force: args.force }
        }
    };
    let Answer::Plugged(plugged) = ask(&args.socket.socket, &request)? else {
        return Err("the instance answered something else; are both of one version?".into());
    };
    let mut out = io::stdout().lock();
    match args.output {
        Show::Json => writeln!(out, "{}", serde_json::to_string_pretty(&plugged)?)?,
        Show::Text => write!(out, "{}", text(&plugged))?,
    }
    Ok(0)
}

/// `tenet unplug`
pub fn unplug(args: &Unplug) -> Ended {
    let (namespace, name) = port(&args.port);
    done(&args.socket.socket, &Request::Unplug { namespace, name }, "")
}

/// `tenet confirm`
pub fn confirm(socket: &Path) -> Ended {
    done(socket, &Request::Confirm, "nothing was held back")
}

fn done(socket: &Path, request: &Request, nothing: &str) -> Ended {
    let Answer::Done(lines) = ask(socket, request)? else {
        return Err("the instance answered something else; are both of one version?".into());
    };
    let mut out = io::stdout().lock();
    if lines.is_empty() {
        writeln!(out, "{nothing}")?;
    }
    let verb = if matches!(request, Request::Confirm) { " goes" } else { "" };
    lines.iter().try_for_each(|line| writeln!(out, "{line}{verb}"))?;
    Ok(0)
}

fn ask(socket: &Path, request: &Request) -> Result<Answer, Box<dyn std::error::Error>> {
    let mut stream = UnixStream::connect(socket).map_err(|e| {
        let hint = match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                "start `tenet local DIR`, or name its --socket"
            }
            io::ErrorKind::PermissionDenied => "run as root",
            _ => "name another with --socket",
        };
        format!("no instance answers at {}: {e}; {hint}", socket.display())
    })?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            Answer::Progress(what) => writeln!(io::stderr(), "waiting: {what}")?,
            Answer::Failed(why) => return Err(why.into()),
            answer => return Ok(answer),
        }
    }
    Err("the instance has stopped; start it again and repeat".into())
}

/// Namespace and name of `NAMESPACE/NAME`.
fn port(text: &str) -> (String, String) {
    let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
    (namespace.into(), name.into())
}

fn target(guest: Guest, device: String) -> Result<Target, Box<dyn std::error::Error>> {
    if let Some(name) = guest.tap {
        return Ok(Target::Tap { name });
    }
    let path = match (guest.pid, guest.netns) {
        (Some(pid), _) => format!("/proc/{pid}/ns/net"),
        (_, Some(path)) if path.contains('/') => std::path::absolute(path)?.to_string_lossy().into_owned(),
        (_, name) => format!("/run/netns/{}", name.unwrap_or_default()),
    };
    if device.is_empty() || device.len() > 15 || device.contains(['/', ' ', ':']) || device == "." || device == ".." {
        return Err(format!("`{device}` is no name for an interface: 1 to 15 characters without space, / and :").into());
    }
    let inode = std::fs::metadata(&path).map_err(|e| format!("no network namespace at {path}: {e}"))?.ino();
    Ok(Target::Netns { path, inode, device })
}

fn text(plugged: &Plugged) -> String {
    use std::fmt::Write as _;
    let mut text = format!("Port {}/{} is plugged\n", plugged.namespace, plugged.name);
    let _ = writeln!(text, "  device   {}", plugged.device);
    let _ = writeln!(text, "  mac      {}", plugged.mac_address);
    let _ = writeln!(text, "  mtu      {}", plugged.mtu);
    for address in &plugged.addresses {
        let gateway = address.gateway_ip.map_or(String::new(), |g| format!(", gateway {g}"));
        let _ = writeln!(text, "  address  {}/{}{gateway}", address.ip, address.prefix_length);
    }
    text
}
