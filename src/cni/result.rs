//! Results in the form of each version.

use serde_json::{Map, Value, json};

use super::VERSIONS;
use super::error::{Code, Error};
use crate::agent::protocol::Plugged;

/// Position of 1.0.0 among [`VERSIONS`]: addresses no longer say their family.
const ONE: usize = 2;
/// Position of 1.1.0: interfaces tell their MTU.
const ONE_ONE: usize = 3;

/// What the plugin before us answered, as it is.
///
/// # Errors
/// There is none, or it is none.
pub fn passed(previous: Option<Value>, version: usize) -> Result<Map<String, Value>, Error> {
    match previous {
        Some(Value::Object(mut result)) => {
            result.insert("cniVersion".into(), VERSIONS.get(version).copied().into());
            Ok(result)
        }
        Some(_) => Err(Error::new(Code::Decode, "prevResult is no object")),
        None => Err(Error::new(Code::Config, "prevResult is missing")
            .with("tenet stands behind another plugin in the chain, or the configuration names a network or a port")),
    }
}

/// What the plugin before us answered, and our interfaces. Its `ips` stay as they are: runtimes take them all for addresses
/// that the pod is reached at in the cluster.
///
/// # Errors
/// What it answered is none.
pub fn appended(
    previous: Option<Value>,
    version: usize,
    netns: &str,
    plugged: &[Plugged],
) -> Result<Map<String, Value>, Error> {
    let mut result = passed(previous, version)?;
    let interfaces = result.entry("interfaces").or_insert_with(|| Value::Array(Vec::new()));
    if interfaces.is_null() {
        *interfaces = Value::Array(Vec::new());
    }
    let Value::Array(interfaces) = interfaces else {
        return Err(Error::new(Code::Decode, "prevResult.interfaces is no list"));
    };
    interfaces.extend(plugged.iter().map(|plugged| interface(plugged, version, netns)));
    Ok(result)
}

/// A result of our own: interfaces, addresses and routes.
#[must_use]
pub fn own(version: usize, netns: &str, plugged: &[Plugged]) -> Map<String, Value> {
    let (mut interfaces, mut ips, mut routes) = (Vec::new(), Vec::new(), Vec::new());
    for (position, plugged) in plugged.iter().enumerate() {
        interfaces.push(interface(plugged, version, netns));
        for address in &plugged.addresses {
            let mut ip = json!({"address": format!("{}/{}", address.ip, address.prefix_length), "interface": position});
            if let Value::Object(ip) = &mut ip {
                ip.extend(address.gateway_ip.map(|gateway| ("gateway".to_owned(), gateway.to_string().into())));
                if version < ONE {
                    ip.insert("version".into(), if address.ip.is_ipv4() { "4" } else { "6" }.into());
                }
            }
            ips.push(ip);
        }
        routes.extend(plugged.routes.iter().map(|(to, via)| json!({"dst": to.to_string(), "gw": via.to_string()})));
    }
    let mut result = Map::new();
    result.insert("cniVersion".into(), VERSIONS.get(version).copied().into());
    result.insert("interfaces".into(), interfaces.into());
    result.insert("ips".into(), ips.into());
    result.insert("routes".into(), routes.into());
    result.insert("dns".into(), json!({}));
    result
}

fn interface(plugged: &Plugged, version: usize, netns: &str) -> Value {
    let mut interface = json!({"name": plugged.device, "mac": plugged.mac_address.to_string(), "sandbox": netns});
    if let Value::Object(interface) = &mut interface
        && version >= ONE_ONE
    {
        interface.insert("mtu".into(), plugged.mtu.into());
    }
    interface
}

/// The answer to VERSION.
#[must_use]
pub fn versions() -> String {
    json!({"cniVersion": super::NEWEST, "supportedVersions": VERSIONS}).to_string()
}
