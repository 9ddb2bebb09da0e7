//! A DHCP option of a port: its value is of the type that RFC 2132 gives its code.

use super::{Verdict, size, within};
use crate::api::{DhcpOption, Reason};
use crate::model::dhcp_option::encode_option;
use crate::model::report::Remark;

/// Judges one option: what can be encoded is right.
pub(super) fn valid(option: &DhcpOption) -> Verdict {
    within("dhcpOptions.code", option.code, 1, 254)?;
    size("dhcpOptions.value", option.value.len(), 1, 255)?;
    encode_option(option)
        .map(|_| ())
        .map_err(|why| Remark { reason: Reason::Invalid, message: format!("dhcpOptions: {why}") })
}
