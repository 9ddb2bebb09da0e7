//! DHCP: what is answered to whom. Pure: frames in, frames out; the sockets are in `kernel::dhcp`.

use crate::api::MacAddr;
use crate::dataplane::state::IfName;
use crate::model::view::NetworkView;

/// Everything that the responder of one node knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {}

/// Builds the table of the networks that have a bridge here: each with its bridge's name and MAC address.
pub fn table<'a>(_networks: impl Iterator<Item = (&'a NetworkView, IfName, MacAddr)>) -> Table {
    Table {}
}
