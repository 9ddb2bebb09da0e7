//! A Network by itself.

use super::{Valid, Verdict, immutable, name, require, within};
use crate::api::{Network, ProviderType, Reason};

impl Valid for Network {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        if let Some(mtu) = self.spec.mtu {
            // 68 is what every IPv4 link carries (RFC 791); 65535 what an IPv4 packet can be long.
            within("mtu", mtu, 68, 65535)?;
        }
        let Some(provider) = &self.spec.provider else { return Ok(()) };
        name::object_name("provider.physicalNetwork", &provider.physical_network)?;
        match (provider.type_, provider.vlan) {
            (ProviderType::Flat, None) => Ok(()),
            (ProviderType::Flat, Some(vlan)) => require(false, Reason::Invalid, || {
                format!("vlan has no meaning with type Flat: remove `vlan: {vlan}`, or write type VLAN")
            }),
            (ProviderType::VLAN, None) => {
                require(false, Reason::Invalid, || "vlan is missing: type VLAN needs an id from 1 to 4094".into())
            }
            // 0 is a priority tag without a VLAN, 4095 is reserved (IEEE 802.1Q).
            (ProviderType::VLAN, Some(vlan)) => within("provider.vlan", vlan, 1, 4094),
        }
    }

    fn edit(&self, old: &Self) -> Verdict {
        immutable("Network", "provider", &self.spec.provider, &old.spec.provider)
    }
}
